"""Stops a run whose loss is no longer a number, before the step reaches the weights."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, distributed

from glowdeblur_plugin.errors import UserError


class LossGuard:
    """Tests the losses of one micro-batch on all ranks.

    Made right after the forward pass and asked after the backward pass has been queued: the answer is copied off the GPU
    meanwhile, so that the check costs no idle time.

    Args:
        losses: scalar tensors by name.
        distributed_run: whether other ranks take part.
    """

    def __init__(self, losses: Mapping[str, Tensor], distributed_run: bool) -> None:
        self._losses = {name: value.detach() for name, value in losses.items()}
        self._distributed = distributed_run
        self._ready = None
        bad = (~torch.isfinite(torch.stack([value.float() for value in self._losses.values()]))).any().float()
        if distributed_run:
            distributed.all_reduce(bad, distributed.ReduceOp.MAX)
        if bad.is_cuda:
            self._bad = torch.empty((), pin_memory=True).copy_(bad, non_blocking=True)
            self._ready = torch.cuda.Event()
            self._ready.record()
        else:
            self._bad = bad

    def check(self, iteration: int, paths: Sequence[str], grad_norm: Tensor | None) -> None:
        """Raise the same UserError on every rank when any loss of any rank is NaN or infinite.

        Args:
            iteration: number of the micro-batch.
            paths: the blurry pictures of this rank's micro-batch.
            grad_norm: norm of the gradient at the step before, which tells whether the weights were already lost.
        """
        if self._ready is not None:
            self._ready.synchronize()
        if not self._bad:
            return
        own = ({name: float(value) for name, value in self._losses.items()}, list(paths))
        reports = [own]
        if self._distributed:
            reports = [own] * distributed.get_world_size()
            distributed.all_gather_object(reports, own)
        reports = [(losses, samples) for losses, samples in reports if not all(map(math.isfinite, losses.values()))]
        values = '; '.join(', '.join(f'{name} = {value:.4g}' for name, value in losses.items()) for losses, _ in reports)
        named = ', '.join(path for _, samples in reports for path in samples)
        before = '' if grad_norm is None else f'; gradient norm of the step before: {float(grad_norm):.4g}'
        raise UserError(f'iteration {iteration}: the loss is not finite ({values}) for the samples {named}{before}; '
                        'look at these files, or lower train:optim_g:lr')
