"""What every method shares: precision, accumulation, clipping, moving average and validation in BasicSR's loop."""

import gc
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from basicsr.archs import build_network
from basicsr.losses import build_loss
from basicsr.utils import get_root_logger
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from glowdeblur_plugin.archs.recomputation import enable_gradient_checkpointing
from glowdeblur_plugin.data.dataset_base import to_unit_range
from glowdeblur_plugin.data.simulate.torch_render import render_into
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.host_options import VAL_KEYS
from glowdeblur_plugin.models.checkpointed_model import CheckpointedModel
from glowdeblur_plugin.models.ema import WeightAverage, copy_for_average
from glowdeblur_plugin.models.guard import LossGuard
from glowdeblur_plugin.models.options import DeblurTrainOptions, DeblurValOptions
from glowdeblur_plugin.models.schedule import warmup_cosine
from glowdeblur_plugin.models.seeds import picture_generator, step_generator
from glowdeblur_plugin.models.sharding import UnshardedCopy, broadcast_buffers, shard, unsharded
from glowdeblur_plugin.models.training_log import RunningMeans, domain_shares
from glowdeblur_plugin.models.validation import (PictureResult, Row, evaluate_dataset, log_means, mean_scalars, picture_metrics,
                                                 picture_stem, update_best, write_pictures)
from glowdeblur_plugin.options import read_section

VALIDATION_SEED = 0


class DeblurModel(CheckpointedModel):
    """Trains and tests one network `net_g` through BasicSR's `train_pipeline` and `test_pipeline`.

    A method overrides `compute_losses` and `evaluate_picture` and, where it needs them, `init_training_settings`, `total_loss`,
    `parameter_groups`, `save_pictures`, `after_validation`, `extra_state`, `load_extra_state`, `prepare_network` and `mark`.

    Attributes:
        Options, ValOptions: dataclasses of the sections `train` and `val`.
        find_unused_parameters: set where some iterations leave trained parameters without gradient.
        drawn: names of the pictures of `evaluate_picture` that go to TensorBoard too.
        train_options, val_options: the sections, read; the former only in training.
        batch: what `feed_data` got, tensors on `device`; `lq` and `gt` of it, (N, 3, H, W) float32 in [0, 1].
        iteration: micro-batches done.
        mixture_parts: names of the training set's parts, whose drawn shares are logged; none where it is no mixture.
    """

    Options: type[DeblurTrainOptions] = DeblurTrainOptions
    ValOptions: type = DeblurValOptions
    find_unused_parameters = False
    drawn: frozenset[str] = frozenset()

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        if self.is_train:
            self.train_options = read_section(self.Options, opt['train'], 'train')
        self.val_options = read_section(self.ValOptions, opt.get('val'), 'val', VAL_KEYS)
        self.rank, self.world_size = opt.get('rank', 0), opt.get('world_size', 1)
        self.seed = opt.get('manual_seed') or 0
        self.batch: dict[str, Any] = {}
        self.iteration = 0
        self.net_g_ema = None
        self.best_metric_results = {}
        self._validated: dict[str, int] = {}
        self._gathered: nn.Module | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = self.build_option('network_g', build_network, opt['network_g'])
        self.prepare_network(network)
        self.load_pretrained_parts(network)
        self.load_pretrained(network, 'params' if self.resumed else opt['path'].get('param_key_g', 'params'))
        if self.is_train:
            self._prepare_training(network)
        self.net_g = self.model_to_device(network)
        if self.is_train:
            self.init_training_settings()

    def _prepare_training(self, network: nn.Module) -> None:
        """What takes the network as it was built, before it is shared out: the copies of it and gradient checkpointing."""
        options = self.train_options
        if options.ema_decay > 0:
            self.net_g_ema = copy_for_average(network)
            if self.resumed:
                self.load_pretrained(self.net_g_ema, 'params_ema')
        if options.sharding == 'fsdp':
            self._unsharded_copy = UnshardedCopy(network)
        if options.gradient_checkpointing:
            enable_gradient_checkpointing(network)

    def model_to_device(self, net: nn.Module) -> nn.Module:
        """Move `net` to the device, and in distributed training wrap or shard it (gloo on the CPU or NCCL)."""
        trained = sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)
        get_root_logger().info(f'Network {type(net).__name__}: {trained:,} trained parameters on {self.device}')
        if self.sharded:
            shard(net, self.device)
            return net
        net = net.to(self.device)
        if not (self.opt['dist'] and self.is_train):
            return net
        devices = None if self.device.type == 'cpu' else [torch.cuda.current_device()]
        unused = self.find_unused_parameters or self.opt.get('find_unused_parameters', False)
        return DistributedDataParallel(net, devices, find_unused_parameters=unused, gradient_as_bucket_view=True)

    def prepare_network(self, network: nn.Module) -> None:
        """Called with the new network before any weights are loaded into it."""

    @staticmethod
    def freeze_parts(network: nn.Module, options: Any) -> None:
        """Freeze what training by `options`, the section `train` as read, leaves as it is; nothing here."""

    @property
    def mark(self) -> str:
        """What the names of all figures and pictures of validation and test begin with: empty in a fair one."""
        return ''

    def init_training_settings(self) -> None:
        """Set up moving average, optimizer and log; a subclass builds its losses here and calls this too."""
        self.net_g.train()
        self.log = RunningMeans(self.device)
        self.mixture_parts = list(self.opt['datasets']['train'].get('parts', ()))
        self.grad_norm = None
        if self.net_g_ema is not None:
            move = shard if self.sharded else nn.Module.to
            move(self.net_g_ema, self.device)
            self._average = WeightAverage(self.bare_net, self.net_g_ema, self.train_options.ema_decay)
        settings = self.train_options.optim_g
        self.optimizer_g = torch.optim.AdamW(self.parameter_groups(), settings.lr, settings.betas,
                                             weight_decay=settings.weight_decay, fused=settings.fused)
        self.optimizers = [self.optimizer_g]
        self._peak_rates = [group['lr'] for group in self.optimizer_g.param_groups]

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups of trained parameters as torch.optim takes them; a group's `lr` replaces the peak rate of `train:optim_g`."""
        return [{'params': [parameter for parameter in self.bare_net.parameters() if parameter.requires_grad]}]

    @staticmethod
    def build_option(name: str, build: Callable[[dict[str, Any]], nn.Module], section: dict[str, Any]) -> nn.Module:
        """What `build` makes of a section of the option file, such as a network or a loss.

        Raises:
            UserError: it refuses the section's values; starts with `name`.
        """
        try:
            return build(section)
        except (KeyError, TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
            raise UserError(f'{name}: {error}') from error

    def build_losses(self, **sections: dict[str, Any] | None) -> dict[str, nn.Module]:
        """The losses of sections of `train`, by name, on the device; a section that is None gives none.

        Raises:
            UserError: no such loss, or one that does not take the given values.
        """
        return {name: self.build_option(f'train:{name}', build_loss, section).to(self.device)
                for name, section in sections.items() if section is not None}

    def feed_data(self, data: dict[str, Any]) -> None:
        """Take a batch of the loader: see `to_device`.

        Raises:
            UserError: crops whose sides the network cannot take.
        """
        self.batch = self.to_device(data)
        self.lq, self.gt = self.batch['lq'], self.batch.get('gt')
        check_crops(self.bare_net, self.lq.shape[-1])

    def to_device(self, data: dict[str, Any]) -> dict[str, Any]:
        """The batch with its tensors on the device, 8-bit pictures turned into float32 in [0, 1]; paths and the rest stay.

        Blurs that the data set drew and left to be rendered (`render`) are rendered here, see `data.simulate.torch_render`.
        """
        def move(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            value = value.to(self.device, non_blocking=True)
            return to_unit_range(value) if value.dtype == torch.uint8 else value

        batch = {key: move(value) for key, value in data.items() if key != 'render'}
        if 'render' in data:
            render_into(batch, data['render'])
        return batch

    def compute_losses(self, generator: torch.Generator, current_iter: int) -> dict[str, Tensor]:
        """Losses of `self.batch`, run under autocast; the forward pass must go through `self.net_g`.

        Args:
            generator: on the CPU; all random numbers of the step come from it.
            current_iter: number of the micro-batch, from 1.

        Returns:
            Scalar tensors; those named `l_*` are weighted and added up by `total_loss`, others are only logged.
        """
        raise NotImplementedError

    def total_loss(self, losses: dict[str, Tensor]) -> Tensor:
        """What is differentiated: the sum of all `l_*`."""
        return sum(value for name, value in losses.items() if name.startswith('l_'))

    @property
    def sharded(self) -> bool:
        """Whether each process keeps a share of the weights alone."""
        return self.is_train and self.train_options.sharding == 'fsdp'

    @property
    def finished(self) -> bool:
        """Whether the training run has done all its iterations."""
        return self.iteration >= self.train_options.total_iter

    @property
    def validates_in_bf16(self) -> bool:
        """Whether pictures are restored under bf16 autocast: while a run with `precision: bf16` trains on CUDA."""
        return self.is_train and self.device.type == 'cuda' and self.train_options.precision == 'bf16'

    def evaluation_network(self) -> nn.Module:
        """The network that validation and test use: the moving average where there is one; it has no distributed wrapper.

        In a sharded run there is one during a validation only, gathered before it: ranks restore different numbers of pictures,
        and what they do meanwhile must not wait for each other.
        """
        if self._gathered is not None:
            return self._gathered
        return self.bare_net if self.net_g_ema is None else self.net_g_ema

    def evaluate_picture(self, batch: dict[str, Any], index: int, generator: torch.Generator) -> PictureResult:
        """Restore one picture with `self.evaluation_network()`, which is in eval mode; run in inference mode and, where
        `validates_in_bf16`, under autocast.

        Args:
            batch: sample `index` of the data set as a batch of one, on the device.
            generator: on the CPU, seeded by the index alone.

        Returns:
            `restored` (1, 3, H, W) in [0, 1] where the method restores; any further pictures (1, 3, h, w) to save and floats to
            average, by name.
        """
        raise NotImplementedError

    def optimize_parameters(self, current_iter: int) -> None:
        """One micro-batch, and at every `accumulate`-th the optimizer's step.

        Raises:
            UserError: a loss is NaN or infinite (raised on all ranks, naming the samples); the weights are still those before it.
        """
        options = self.train_options
        stepping = current_iter % options.accumulate == 0
        if (current_iter - 1) % options.accumulate == 0:
            self.optimizer_g.zero_grad(set_to_none=True)
            if self.sharded:
                broadcast_buffers(self.net_g)
        generator = step_generator(self.seed, current_iter, self.rank)
        with nullcontext() if stepping or not isinstance(self.net_g, DistributedDataParallel) else self.net_g.no_sync():
            # The casts that autocast caches would outlive the gathered weights, whole.
            with torch.autocast(self.device.type, torch.bfloat16, options.precision == 'bf16', cache_enabled=not self.sharded):
                losses = self.compute_losses(generator, current_iter)
            total = self.total_loss(losses)
            losses = {**losses, 'l_total': total}
            guard = LossGuard(losses, self.opt['dist'])
            (total / options.accumulate).backward()
        guard.check(current_iter, self.batch.get('lq_path', []), self.grad_norm)
        self.log.add(losses)
        if self.mixture_parts:
            self.log.add(domain_shares(self.batch['domain'], self.mixture_parts))
        if stepping:
            self._step(current_iter // options.accumulate)
        self.iteration = current_iter

    def _step(self, step: int) -> None:
        parameters = [parameter for group in self.optimizer_g.param_groups for parameter in group['params']]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self.grad_norm = unsharded(nn.utils.get_total_norm(gradients))
        if self.train_options.grad_clip is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.train_options.grad_clip, self.grad_norm)
        self.log.add({'grad_norm': self.grad_norm})
        self.optimizer_g.step()
        if self.net_g_ema is not None:
            self._average.update(step)

    def update_learning_rate(self, current_iter: int, warmup_iter: int = -1) -> None:
        """Set the rate of the step that micro-batch `current_iter` belongs to by `warmup_cosine`; `warmup_iter` is not used."""
        options = self.train_options
        step, steps = -(-current_iter // options.accumulate), options.total_iter // options.accumulate
        scheduler = options.scheduler
        factor = warmup_cosine(step, steps, scheduler.warmup_share, scheduler.final_lr_ratio, scheduler.constant_share)
        for group, peak in zip(self.optimizer_g.param_groups, self._peak_rates):
            group['lr'] = peak * factor

    def get_current_log(self) -> dict[str, float]:
        """Means of the losses and of `grad_norm` and, of a mixture, the drawn share of each part since the last call, over all
        ranks (each must call it)."""
        return self.log.fetch(self.opt['dist'])

    def validation(self, dataloader: DataLoader, current_iter: int | str, tb_logger: Any, save_img: bool = False) -> None:
        """Evaluate each picture of `dataloader.dataset` once, shared out over the ranks; log means and best values.

        Args:
            current_iter: iteration, or the experiment's name in a test. BasicSR's last call comes with more than `total_iter`; it
                counts as `total_iter` and is skipped where these weights were just validated.
        """
        name, metrics, mark = dataloader.dataset.opt['name'], self.opt['val'].get('metrics') or {}, self.mark
        if self.is_train:
            current_iter = min(current_iter, self.train_options.total_iter)
            if self._validated.get(name) == current_iter:
                return
            self._validated[name] = current_iter
        if self.sharded:
            self._gathered = self._unsharded_copy.gather(self.evaluation_network(), self.device)
        net = self.evaluation_network()
        was_training = net.training

        @torch.inference_mode()
        def evaluate(data: dict[str, Any], index: int) -> Row:
            batch, path = self.to_device(data), data['lq_path'][0]
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.validates_in_bf16):
                results = self.evaluate_picture(batch, index, picture_generator(VALIDATION_SEED, index))
            pictures = {key: value for key, value in results.items() if isinstance(value, Tensor) and value.ndim == 4}
            scalars = {key: float(value) for key, value in results.items() if key not in pictures}
            if 'restored' in pictures:
                scalars |= picture_metrics(pictures['restored'], batch.get('gt'), metrics, path)
            pictures |= {key: batch[key] for key in ('lq', 'gt') if key in batch}
            stem = mark + picture_stem(path, dataloader.dataset.opt)
            self.save_pictures(name, stem, pictures, current_iter, tb_logger, save_img)
            return {'path': path, **{mark + key: value for key, value in scalars.items()}}

        if self.opt['dist']:
            broadcast_buffers(net)  # each rank has observed its own batches
        net.eval()
        try:
            rows = evaluate_dataset(dataloader.dataset, name, evaluate, self.rank, self.world_size)
        finally:
            net.train(was_training)
            if self._gathered is not None:
                self._gathered = net = None
                gc.collect()  # its compiled parts refer to themselves, and would stay for long
        self.metric_results = mean_scalars(rows)
        best = self.best_metric_results.setdefault(name, {})
        if self.is_train:
            marked = {mark + key: section for key, section in metrics.items()}
            update_best(best, self.metric_results, marked, current_iter)
        if self.rank == 0:
            log_means(name, self.metric_results, best, current_iter, tb_logger)
            self.after_validation(name, rows, current_iter, tb_logger)

    def save_pictures(self, dataset_name: str, stem: str, pictures: dict[str, Tensor], current_iter: int | str, tb_logger: Any,
                      save_img: bool) -> None:
        """Called for each picture on the rank that restored it; writes `restored` and the further pictures as BasicSR does.

        Args:
            stem: names the picture within its data set.
            pictures: `lq`, `gt` where there is one, and all that `evaluate_picture` gave, (1, 3, h, w) in [0, 1].
            tb_logger: TensorBoard's writer on rank 0, else None.
        """
        if save_img:
            tag = current_iter if self.is_train else self.opt['val'].get('suffix') or self.opt['name']
            folder = Path(self.opt['path']['visualization'])
            added = {key: picture for key, picture in pictures.items() if key not in ('lq', 'gt')}
            write_pictures(folder / (stem if self.is_train else dataset_name), f'{stem}_{tag}', added)
        if tb_logger:
            for name in self.drawn & pictures.keys():
                tb_logger.add_image(f'{dataset_name}/{stem}/{name}', pictures[name][0].cpu(), current_iter)

    def summary_path(self, dataset_name: str) -> Path:
        """Where the figures of a validation set go at the end of a run, by its name where there are several."""
        several = sum(phase.startswith('val') for phase in self.opt['datasets']) > 1
        return Path(self.opt['path']['experiments_root']) / (f'summary_{dataset_name}.json' if several else 'summary.json')

    def after_validation(self, dataset_name: str, rows: list[Row], current_iter: int | str, tb_logger: Any) -> None:
        """Called on rank 0 with a row for each picture: `index`, `path`, the metrics and the floats of `evaluate_picture`."""


def check_crops(network: nn.Module, side: int, option: str = 'datasets:train:gt_size') -> None:
    """Check the side of the training crops, which `option` sets.

    Raises:
        UserError: the network cannot take it.
    """
    multiple = 1 if getattr(network, 'pads_itself', False) else getattr(network, 'size_multiple', 1)
    if side % multiple:
        near = side // multiple * multiple
        choice = f'{near} or {near + multiple}' if near else str(multiple)
        raise UserError(f'{option}: {side} is not a multiple of {multiple}, which this network needs; use {choice}')
