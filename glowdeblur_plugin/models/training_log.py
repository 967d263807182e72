"""Training values that stay where they are made until they are printed."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, distributed


class RunningMeans:
    """Means of named scalars since they were last fetched; adding one never waits for the device.

    Args:
        device: where tensors are, and where ranks exchange values.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor | float]) -> None:
        """Take in one scalar a name; a name may be missing at some iterations, on all ranks alike."""
        for name, value in values.items():
            value = value.detach().float() if isinstance(value, Tensor) else value
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def fetch(self, distributed_run: bool) -> dict[str, float]:
        """The means, over all ranks when `distributed_run` (then each rank must call it), and start anew."""
        if not self._sums:
            return {}
        means = torch.stack([torch.as_tensor(total / self._counts[name], dtype=torch.float32, device=self._device)
                             for name, total in self._sums.items()])
        if distributed_run:
            distributed.all_reduce(means)
            means /= distributed.get_world_size()
        values = dict(zip(self._sums, means.tolist()))
        self._sums, self._counts = {}, {}
        return values


def domain_shares(domains: Sequence[str], parts: Iterable[str]) -> dict[str, float]:
    """`share/<part>` for each part of a mixture: the share of a batch's samples whose domain it is, in [0, 1]."""
    return {f'share/{part}': domains.count(part) / len(domains) for part in parts}
