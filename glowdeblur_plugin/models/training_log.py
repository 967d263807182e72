"""Training values that stay on the device until they are printed."""

from collections.abc import Mapping

import torch
from torch import Tensor, distributed


class RunningMeans:
    """Means of named scalars since they were last fetched; adding one never waits for the device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Take in one scalar tensor a name; a name may be missing at some iterations."""
        for name, value in values.items():
            value = value.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def fetch(self, distributed_run: bool) -> dict[str, float]:
        """The means, over all ranks when `distributed_run` (then each rank must call it), and start anew."""
        if not self._sums:
            return {}
        means = torch.stack([total / self._counts[name] for name, total in self._sums.items()])
        if distributed_run:
            distributed.all_reduce(means)
            means /= distributed.get_world_size()
        values = dict(zip(self._sums, means.tolist()))
        self._sums, self._counts = {}, {}
        return values
