"""What the flow loss was at the start and at the end of its training."""

from typing import Any

import torch
from torch import Tensor

TENTH = 10


class FlowRecord:
    """Means of the flow loss over the first and the last tenth of the iterations in which it was trained.

    Args:
        start: iterations before the flow joins.
        total: iterations of the whole run.
    """

    def __init__(self, start: int, total: int) -> None:
        length = max((total - start) // TENTH, 1)
        self._first = range(start + 1, start + 1 + length)
        self._last = range(total + 1 - length, total + 1)
        self._sums = torch.zeros(2, 2, dtype=torch.float64)

    def add(self, iteration: int, loss: Tensor) -> None:
        """Take in the loss of an iteration; one outside both tenths is not looked at, so that the device is not waited for."""
        for row, span in enumerate((self._first, self._last)):
            if iteration in span:
                self._sums[row] += torch.tensor([float(loss), 1.0], dtype=torch.float64)

    def means(self) -> tuple[float, float]:
        """Mean loss over the first and over the last tenth (NaN where none was seen)."""
        first, last = (self._sums[:, 0] / self._sums[:, 1]).tolist()
        return first, last

    def state(self) -> dict[str, Any]:
        """For the training state."""
        return {'sums': self._sums.clone()}

    def load(self, state: dict[str, Any]) -> None:
        """The way back from `state`."""
        self._sums = state['sums'].clone()
