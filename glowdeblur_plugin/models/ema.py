"""Exponential moving average of a network's weights."""

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

from glowdeblur_plugin.models.sharding import local_shards

Network = TypeVar('Network', bound=nn.Module)


def copy_for_average(network: Network) -> Network:
    """A copy in eval mode, none of it trained, which shares the network's frozen parameters rather than hold them twice."""
    frozen = {id(parameter): parameter for parameter in network.parameters() if not parameter.requires_grad}
    return deepcopy(network, frozen).requires_grad_(False).eval()


def decay_at(step: int, decay: float) -> float:
    """Decay of the update after optimizer step `step` (1, 2, ...): min(decay, (1 + n) / (10 + n)) with n = step - 1 updates done.

    The warm-up forgets the untrained weights at once (as TensorFlow's ExponentialMovingAverage with `num_updates`).
    """
    return min(decay, step / (9 + step))


class WeightAverage:
    """Keeps `average` at the moving average of `source`: its trained parameters and its saved floating-point buffers.

    Other buffers (counters, constants that are not saved) are copied; frozen parameters are left as they are.

    Args:
        source: the network that is trained, not wrapped.
        average: a copy of it by `copy_for_average`; sharded as `source` is, and each process updates its part.
        decay: see `decay_at`.
    """

    def __init__(self, source: nn.Module, average: nn.Module, decay: float) -> None:
        self.decay = decay
        trained = {name for name, parameter in source.named_parameters() if parameter.requires_grad}
        saved = set(average.state_dict())
        targets = {**dict(average.named_parameters()), **dict(average.named_buffers())}
        self._averaged: list[tuple[torch.Tensor, torch.Tensor]] = [
            (targets[name], value) for name, value in source.named_parameters() if name in trained]
        self._copied: list[tuple[torch.Tensor, torch.Tensor]] = []
        for name, value in source.named_buffers():
            pairs = self._averaged if name in saved and value.is_floating_point() else self._copied
            pairs.append((targets[name], value))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after optimizer step `step`: average <- d average + (1 - d) source, d = decay_at(step)."""
        averages, values = (local_shards(tensors) for tensors in zip(*self._averaged))
        torch._foreach_lerp_(averages, values, 1 - decay_at(step, self.decay))
        for target, value in self._copied:
            target.copy_(value)
