"""Gradient checkpointing: activations that the backward pass needs are computed again instead of kept."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glowdeblur_plugin.errors import UserError


def enable_gradient_checkpointing(network: nn.Module) -> int:
    """Let `network` recompute what its own method of this name says, where it has one, otherwise what `recompute_blocks` finds.

    Returns:
        The number of blocks.

    Raises:
        UserError: there are none.
    """
    count = getattr(network, 'enable_gradient_checkpointing', partial(recompute_blocks, network))()
    if not count:
        raise UserError(f'train:gradient_checkpointing: {type(network).__name__} has no blocks whose activations could be '
                        'computed again; leave it out')
    return count


def recompute_blocks(network: nn.Module) -> int:
    """Let the blocks of `network` keep their inputs alone and run forward again in the backward pass (Chen et al. 2016).

    A block is a member of an `nn.Sequential` that has layers of its own, such as a NAFBlock or a block of an autoencoder;
    blocks within blocks are left alone. Results and gradients stay the same.

    Returns:
        How many there are.
    """
    blocks = list(_blocks(network))
    for block in blocks:
        block.forward = partial(_forward, block.forward)
    return len(blocks)


def _forward(forward: Callable[..., Tensor], *inputs: Any) -> Tensor:
    return checkpoint(forward, *inputs, use_reentrant=False) if torch.is_grad_enabled() else forward(*inputs)


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(module, nn.Sequential) and next(child.children(), None) is not None:
            yield child
        else:
            yield from _blocks(child)
