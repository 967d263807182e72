"""The order of training samples: BasicSR's, with numbers that are unique over the run and a place to go on from."""

from collections.abc import Iterator

import torch
from basicsr.data.data_sampler import EnlargedSampler
from torch.utils.data import Dataset


class DrawSampler(EnlargedSampler):
    """`EnlargedSampler` that says which draw of the run a sample is.

    With v the value that BasicSR's permutation of 0..total_size-1 holds at a place, a dataset whose attribute `accepts_draws` is
    true gets epoch x total_size + v, which is unique over the run; others get v modulo their length, as in BasicSR.
    A dataset whose attribute `takes_places` is true gets places in the run instead: iteration x batch over all ranks + position
    in that batch, so that an iteration's samples are the same for any number of ranks with the same batch over all of them.
    """

    def __init__(self, dataset: Dataset, num_replicas: int, rank: int, ratio: float = 1) -> None:
        super().__init__(dataset, num_replicas, rank, ratio)
        self._resumed_epoch = -1
        self._consumed = 0
        self._kept = self.num_samples

    def keep(self, count: int) -> None:
        """Say that only the first `count` samples of each rank and epoch reach the loop: those of full batches."""
        self._kept = count

    def resume(self, epoch: int, consumed: int) -> None:
        """Leave out the first `consumed` samples of each rank in epoch `epoch`, and in no other."""
        self._resumed_epoch, self._consumed = epoch, consumed

    def __iter__(self) -> Iterator[int]:
        """The numbers of this rank's samples in the current epoch."""
        skipped = self._consumed if self.epoch == self._resumed_epoch else 0
        if getattr(self.dataset, 'takes_places', False):
            first = self.epoch * self._kept + skipped
            last = (self.epoch + 1) * self._kept
            return iter(range(first * self.num_replicas + self.rank, last * self.num_replicas, self.num_replicas))
        order = torch.randperm(self.total_size, generator=torch.Generator().manual_seed(self.epoch)).numpy()
        own = order[self.rank::self.num_replicas][skipped:]
        if getattr(self.dataset, 'accepts_draws', False):
            return (self.epoch * self.total_size + int(value) for value in own)
        return (int(value) % len(self.dataset) for value in own)
