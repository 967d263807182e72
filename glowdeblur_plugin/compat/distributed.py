"""Start of distributed training, on GPUs with NCCL or on the CPU with gloo; BasicSR's own needs a GPU."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from basicsr.utils import dist_util
from torch import distributed

from glowdeblur_plugin.errors import UserError

Result = TypeVar('Result')


def start(launcher: str, use_cuda: bool, settings: dict[str, Any]) -> None:
    """Join the process group that `launcher` prepared.

    Args:
        launcher: `none`, `pytorch` (torchrun) or `slurm`, as given to `--launcher`.
        use_cuda: False trains on the CPU with gloo.
        settings: the option file's `dist_params`; only slurm reads them.

    Raises:
        UserError: torchrun without `pytorch` or `pytorch` without torchrun, slurm without srun or on the CPU, or this process has
            no GPU of its own.
    """
    if launcher == 'none':
        if 'LOCAL_RANK' in os.environ and int(os.environ.get('WORLD_SIZE', 1)) > 1:
            raise UserError('--launcher: this is one of several processes started by torchrun, which needs --launcher pytorch')
        return
    if launcher == 'slurm':
        if not use_cuda:
            raise UserError('--launcher slurm: needs GPUs, and num_gpu is 0 or there is none; on the CPU use torchrun and '
                            '--launcher pytorch')
        if 'SLURM_PROCID' not in os.environ:
            raise UserError('--launcher slurm: start it with srun')
        dist_util.init_dist(launcher, **settings)
        return
    try:
        local_rank = int(os.environ['LOCAL_RANK'])
    except (KeyError, ValueError) as error:
        raise UserError('--launcher pytorch: start it with torchrun, such as `torchrun --nproc_per_node 2 basicsr/train.py '
                        '-opt ... --launcher pytorch`') from error
    if use_cuda:
        if local_rank >= torch.cuda.device_count():
            raise UserError(f'--launcher pytorch: process {local_rank} has no GPU, there are {torch.cuda.device_count()}; '
                            'lower --nproc_per_node, or use num_gpu: 0 to train on the CPU')
        torch.cuda.set_device(local_rank)
    distributed.init_process_group('nccl' if use_cuda else 'gloo')


def on_first(function: Callable[[], Result]) -> Result:
    """Run `function` on rank 0 while the others wait; every rank gets its result, a plain object.

    Raises:
        UserError: on every rank, when `function` raised it.
    """
    if not distributed.is_initialized():
        return function()
    outcome: list[Any] = [None, None]
    if distributed.get_rank() == 0:
        try:
            outcome[0] = function()
        except UserError as error:
            outcome[1] = str(error)
    distributed.broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise UserError(outcome[1])
    return outcome[0]
