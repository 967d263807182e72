"""A part that is used but never trained, kept out of parameters, checkpoints and copies."""

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class Frozen(nn.Module):
    """Holds a module that stays as it is (our choice: only trained parts go into checkpoints).

    The held module moves with its parent (`.to`, `.cuda`, `.half`), stays in eval mode without gradient, and appears neither in
    `parameters()` nor in `state_dict()`. A deep copy (an EMA network, say) shares it instead of doubling the memory.
    """

    held: nn.Module

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.__dict__['held'] = module.requires_grad_(False).eval()

    def _apply(self, function: Callable[[Tensor], Tensor], recurse: bool = True) -> 'Frozen':
        self.held._apply(function, recurse)
        return super()._apply(function, recurse)

    def __deepcopy__(self, memo: dict[int, Any]) -> 'Frozen':
        twin = Frozen(self.held)
        twin.training = self.training
        memo[id(self)] = twin
        return twin

    def __copy__(self) -> 'Frozen':
        return copy.deepcopy(self)
