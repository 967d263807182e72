"""A part that is used but never trained, kept out of parameters, checkpoints and copies."""

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from glowdeblur_plugin.diffusion.pretrained import WeightsReference


class Frozen(nn.Module):
    """Holds a module that stays as it is (our choice: only trained parts go into checkpoints).

    The held module moves with its parent (`.to`, `.cuda`, `.half`), stays in eval mode without gradient, and appears neither in
    `parameters()` nor in `state_dict()`. A deep copy (an EMA network, say) shares it instead of doubling the memory.

    Args:
        module: what is held.
        reference: which weights these are, for the checkpoints of what is trained beside them; None for a module without any.
    """

    held: nn.Module

    def __init__(self, module: nn.Module, reference: WeightsReference | None = None) -> None:
        super().__init__()
        self.__dict__['held'] = module.requires_grad_(False).eval()
        self.reference = reference

    def _apply(self, function: Callable[[Tensor], Tensor], recurse: bool = True) -> 'Frozen':
        self.held._apply(function, recurse)
        return super()._apply(function, recurse)

    def __deepcopy__(self, memo: dict[int, Any]) -> 'Frozen':
        twin = Frozen(self.held, self.reference)
        twin.training = self.training
        memo[id(self)] = twin
        return twin

    def __copy__(self) -> 'Frozen':
        return copy.deepcopy(self)


def frozen_references(network: nn.Module) -> dict[str, WeightsReference]:
    """The weights that `network` uses but does not save, by the name of the part: of those with a `reference`."""
    return {name: part.reference for name, part in network.named_modules()
            if isinstance(getattr(part, 'reference', None), WeightsReference)}
