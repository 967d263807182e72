"""Networks without memory behind them: everything has its shape, nothing its values, so that even the largest is run in seconds
and what it would need is counted before it is allocated."""

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from glowdeblur_plugin.diffusion.frozen import Frozen

DryRun = FakeTensorMode


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are made while it is on, for as long as they live; not those that were there before,
    whatever is written into them, nor views.

    Attributes:
        now: bytes that live.
        peak: the most that lived at one time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (),
                           kwargs: dict[str, Any] | None = None) -> Any:
        """Run the operation and take note of what it made."""
        given = {entry.untyped_storage()._cdata for entry in tree_iter((args, kwargs)) if isinstance(entry, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        for entry in () if func.is_view else tree_iter(result):
            if isinstance(entry, torch.Tensor) and entry.untyped_storage()._cdata not in given:
                self._add(entry.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._known:
            self._known[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._remove, key)

    def _remove(self, key: int) -> None:
        self.now -= self._known.pop(key)


def dry_network(build: Callable[[], nn.Module]) -> tuple[nn.Module, DryRun]:
    """The network that `build` makes, on the CPU in name only, and the mode under which it and its inputs must be made and run.

    Pretrained parts are built from their configs alone, see `pretrained.load_part`.
    """
    with torch.device('meta'):
        network = build()
    mode, made = DryRun(allow_non_fake_inputs=True), {}

    def dry(value: torch.Tensor) -> torch.Tensor:
        if value not in made:
            empty = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype)
            made[value] = nn.Parameter(empty, value.requires_grad) if isinstance(value, nn.Parameter) else empty
        return made[value]

    with mode:
        for module in _all_modules(network):
            for values in (module._parameters, module._buffers):
                values.update({name: dry(value) for name, value in values.items() if value is not None})
    return network, mode


def weight_bytes(network: nn.Module, trained: bool | None = None) -> int:
    """Bytes of the network's parameters and buffers, frozen parts included.

    Args:
        trained: only parameters that are trained, or only what is not; None for all.
    """
    tensors = {id(value): value for module in _all_modules(network) for values in (module._parameters, module._buffers)
               for value in values.values() if value is not None}
    return sum(value.numel() * value.element_size() for value in tensors.values() if trained in (None, value.requires_grad))


def _all_modules(network: nn.Module) -> Iterator[nn.Module]:
    for module in network.modules():
        yield module
        if isinstance(module, Frozen):
            yield from module.held.modules()
