"""Which part of a mixture each sample of a run comes from, and which of its pictures."""

from collections.abc import Mapping

import numpy as np

from glowdeblur_plugin.data.mixture_weights import Shares
from glowdeblur_plugin.data.randomness import draw_generator

BLOCK = 1 << 16


class MixtureOrder:
    """Tells part and draw of each place of a run (our choice).

    A place is the number of a sample counted over the whole run: iteration x samples per iteration + position in the batch,
    over all ranks. The part is drawn at random by the shares at the place's iteration. If it is drawn for the n-th time of the
    run (from 0), the part's draw is pass x size + v, with pass = n // size and v the n % size-th value of a permutation of its
    pictures that is drawn anew for each pass. So every part is walked through as evenly as if it were alone: all its pictures
    are seen before one is seen again, whatever the shares, the ranks and the workers.

    Parts are drawn in blocks of 65,536 places, and the n of a place counts all blocks before it. A resumed run counts anew in
    each worker: about 50 ms a million places.

    Args:
        seed: of choices and permutations.
        sizes: name of a part -> its number of pictures.
        shares: of the parts, in the order of `sizes`.
        samples_per_iteration: batch over all ranks.
        iterations: of the whole run; None lets the run stand at its start.
    """

    def __init__(self, seed: int, sizes: Mapping[str, int], shares: Shares, samples_per_iteration: int = 1,
                 iterations: int | None = None) -> None:
        self.seed, self.sizes, self.shares = seed, dict(sizes), shares
        self.samples_per_iteration, self.iterations = samples_per_iteration, iterations
        self._drawn_before = [np.zeros(len(self.sizes), np.int64)]
        self._block, self._parts, self._numbers = -1, np.empty(0, np.int64), np.empty(0, np.int64)
        self._passes: dict[str, tuple[int, np.ndarray]] = {}

    def locate(self, place: int) -> tuple[str, int]:
        """Name of the part at `place` (from 0), and the draw to ask it for."""
        block, index = divmod(place, BLOCK)
        if block != self._block:
            self._enter(block)
        name = list(self.sizes)[self._parts[index]]
        turn, position = divmod(int(self._numbers[index]), self.sizes[name])
        return name, turn * self.sizes[name] + int(self._permutation(name, turn)[position])

    def choices(self, block: int) -> np.ndarray:
        """Indices (65536,) of the parts at the places of a block."""
        places = np.arange(block * BLOCK, (block + 1) * BLOCK)
        iterations = places // self.samples_per_iteration
        first, last = int(iterations[0]), int(iterations[-1])
        done = np.arange(first, last + 1) / self.iterations if self.iterations else np.zeros(last + 1 - first)
        limits = np.cumsum(self.shares.at(done), axis=1)
        limits /= limits[:, -1:]  # exactly 1 at the end, so that a part of share 0 is never drawn
        numbers = draw_generator(self.seed, block, 'mixture').random(BLOCK)
        parts = np.zeros(BLOCK, np.int64)
        for limit in limits.T[:-1]:
            parts += numbers >= limit[iterations - first]
        return parts

    def _enter(self, block: int) -> None:
        while len(self._drawn_before) <= block:
            drawn = np.bincount(self.choices(len(self._drawn_before) - 1), minlength=len(self.sizes))
            self._drawn_before.append(self._drawn_before[-1] + drawn)
        self._block, self._parts = block, self.choices(block)
        self._numbers = np.empty(BLOCK, np.int64)
        for part, before in enumerate(self._drawn_before[block]):
            own = self._parts == part
            self._numbers[own] = before + np.arange(np.count_nonzero(own))

    def _permutation(self, name: str, turn: int) -> np.ndarray:
        if name not in self._passes or self._passes[name][0] != turn:
            order = draw_generator(self.seed, turn, f'order of part {name}').permutation(self.sizes[name])
            self._passes[name] = (turn, order)
        return self._passes[name][1]
