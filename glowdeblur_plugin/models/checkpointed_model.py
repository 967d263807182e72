"""Checkpoints of a model: BasicSR's files for resuming, safetensors and JSON for everyone else."""

from pathlib import Path
from typing import Any

import torch
from basicsr.models.base_model import BaseModel
from basicsr.utils.dist_util import master_only
from torch import nn

from glowdeblur_plugin import __version__
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models import checkpoints
from glowdeblur_plugin.models.frozen_parts import check_frozen, describe_frozen
from glowdeblur_plugin.models.options import DeblurTrainOptions
from glowdeblur_plugin.models.sharding import gather_state, shard_optimizer_state


class CheckpointedModel(BaseModel):
    """Saves and resumes a model with the attributes named here, which a subclass sets.

    Attributes:
        pretrained_parts: the network's parts that weights of their own can start, by `path:pretrain_network_<part>`.
        pretrained_bases: what else `path:pretrain_network_<base>` may name: weights that stay frozen under trained ones.
        train_options: the section `train`.
        net_g, net_g_ema: the network and its moving average, None where there is none.
        optimizer_g: the optimizer.
        grad_norm: norm of the gradient at the newest step, None before the first.
        iteration: micro-batches done.
        best_metric_results: best means so far, by data set and metric.
    """

    pretrained_parts: tuple[str, ...] = ()
    pretrained_bases: tuple[str, ...] = ()
    train_options: DeblurTrainOptions
    net_g: nn.Module
    net_g_ema: nn.Module | None
    optimizer_g: torch.optim.Optimizer
    grad_norm: torch.Tensor | None
    iteration: int
    best_metric_results: dict[str, dict[str, Any]]

    @property
    def resumed(self) -> bool:
        """Whether the run goes on from a training state."""
        return bool(self.opt['path'].get('resume_state'))

    @property
    def bare_net(self) -> nn.Module:
        """The trained network without its distributed wrapper."""
        return self.get_bare_model(self.net_g)

    def extra_state(self) -> dict[str, Any]:
        """What a method adds to the training state: tensors and plain values only."""
        return {}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Take back what `extra_state` gave."""

    def save(self, epoch: int, current_iter: int) -> None:
        """Write the networks and then the training state of `current_iter`, and prune old ones; -1 is BasicSR's end of training.

        Every process must call it: rank 0 gathers what is sharded, in its CPU memory, and writes.

        At the end `net_g_latest.*` is written, and the checkpoint of the last iteration where there is none yet.
        BasicSR saves before it validates: the best means of a state do not know the validation of its own iteration.

        Raises:
            UserError: a file cannot be written, or the weights are no longer finite numbers.
        """
        if self.grad_norm is not None and not torch.isfinite(self.grad_norm):
            raise UserError(f'iteration {self.iteration}: the gradient is not finite, the weights are lost and are not saved; '
                            'lower train:optim_g:lr and go on with --auto_resume')
        weights = {'params': gather_state(self.bare_net.state_dict())}
        if self.net_g_ema is not None:
            weights['params_ema'] = gather_state(self.net_g_ema.state_dict())
        self._write(weights, gather_state(self.optimizer_g.state_dict()), epoch, current_iter)

    @master_only
    def _write(self, weights: dict[str, dict[str, torch.Tensor]], optimizer: dict[str, Any], epoch: int,
               current_iter: int) -> None:
        states = Path(self.opt['path']['training_states'])
        if current_iter == -1:
            self._write_network('latest', weights)
            epoch = max(self.iteration - 1, 0) // self.opt['run']['iterations_per_epoch']
            if (states / f'{self.iteration}.state').exists():
                return
        self._write_network(str(self.iteration), weights)
        state = {'epoch': epoch, 'iter': self.iteration, 'optimizers': [optimizer], 'schedulers': [],
                 'run': self.opt['run'], 'best': self.best_metric_results, 'extra': self.extra_state()}
        checkpoints.write_whole(states / f'{self.iteration}.state', lambda path: torch.save(state, path))
        if self.train_options.keep_checkpoints is not None:
            checkpoints.prune(Path(self.opt['path']['models']), states, self.iteration, self.train_options.keep_checkpoints)

    def _write_network(self, label: str, weights: dict[str, dict[str, torch.Tensor]]) -> None:
        config = {'model_type': self.opt['model_type'], 'network_g': self.opt['network_g'], 'iteration': self.iteration,
                  'weights': list(weights)[-1], 'glowdeblur_plugin': __version__}
        checkpoints.save_network_files(Path(self.opt['path']['models']), f'net_g_{label}', weights, config,
                                       describe_frozen(self.bare_net))

    def resume_training(self, resume_state: dict[str, Any]) -> None:
        """Take back the optimizer and the method's state; learning rate, weight decay and betas stay those of the option file.

        Raises:
            UserError: the state belongs to other trained parameters.
        """
        groups = self.optimizer_g.param_groups
        settings = [{key: value for key, value in group.items() if key != 'params'} for group in groups]
        saved = resume_state['optimizers'][0]
        try:
            saved = {**saved, 'param_groups': [{**group, **own}
                                               for group, own in zip(saved['param_groups'], settings, strict=True)]}
            self.optimizer_g.load_state_dict(shard_optimizer_state(saved, self.optimizer_g))
        except (KeyError, IndexError, ValueError) as error:
            state = self.opt['path'].get('resume_state')
            raise UserError(f"training state '{state}' does not fit this network: {error}") from error
        self.iteration = resume_state['iter']
        self.best_metric_results = resume_state.get('best', {})
        self.load_extra_state(resume_state.get('extra', {}))

    def load_pretrained(self, network: nn.Module, param_key: str | None) -> None:
        """Load entry `param_key` of `path:pretrain_network_g`, which BasicSR points to our checkpoint when a run is resumed.

        Raises:
            UserError: see `checkpoints.read_weights`, `check_frozen` and `checkpoints.load_weights`.
        """
        path = self.opt['path'].get('pretrain_network_g')
        if path is not None:
            weights = checkpoints.read_weights(Path(path), param_key)
            strict = self.resumed or self.opt['path'].get('strict_load_g', True)
            check_frozen(network, Path(path), strict)
            checkpoints.load_weights(network, weights, Path(path), strict)

    def load_pretrained_parts(self, network: nn.Module) -> None:
        """Load each part named by `path:pretrain_network_<part>` from a checkpoint of that part alone, its moving average where
        there is one; a run that is resumed has them in its own.

        Raises:
            UserError: every name and shape must agree; or the whole network is loaded too, and would hold the part as well.
        """
        for part in self.pretrained_parts:
            path = self.opt['path'].get(f'pretrain_network_{part}')
            if path is None or self.resumed:
                continue
            for whole in ('g', *self.pretrained_bases):
                if self.opt['path'].get(f'pretrain_network_{whole}') is not None:
                    raise UserError(f'path:pretrain_network_{part}: pretrain_network_{whole} holds this part too; leave one out')
            weights = checkpoints.read_weights(Path(path), 'params_ema')
            checkpoints.load_weights(network.get_submodule(part), weights, Path(path))
