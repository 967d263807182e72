"""How sure a mean difference of paired figures is."""

from collections.abc import Hashable, Sequence

import numpy as np

DRAWS, SHARE = 10_000, 0.95
CHUNK = 500


def paired_interval(differences: np.ndarray, seed: int = 0, draws: int = DRAWS,
                    scenes: Sequence[Hashable] | None = None) -> tuple[float, float]:
    """Percentile bootstrap interval, 95 %, of the mean of paired differences (Efron and Tibshirani 1993, chapter 13).

    Args:
        differences: (pictures,) of one run, or (pictures, runs) where the rows share pictures and the columns share seeds; both
            are drawn with replacement, so that it covers other pictures and other runs. Finite.
        seed: of the draws; the same differences give the same interval.
        draws: how many means are drawn.
        scenes: what each picture shows; pictures of one scene are alike and are drawn together. None: each its own.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: no differences.
    """
    table = np.asarray(differences, np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if not table.size:
        raise ValueError('an interval needs at least one difference')
    labels: dict[Hashable, int] = {}
    scene = [labels.setdefault(name, len(labels)) for name in (range(len(table)) if scenes is None else scenes)]
    sums, sizes = np.zeros((len(labels), table.shape[1])), np.bincount(scene)
    np.add.at(sums, scene, table)
    generator, means = np.random.default_rng(seed), []
    for start in range(0, draws, CHUNK):
        count = min(CHUNK, draws - start)
        rows, columns = (generator.integers(0, length, (count, length)) for length in sums.shape)
        by_scene = np.stack([sums[:, chosen].mean(axis=1) for chosen in columns])
        means.append(np.take_along_axis(by_scene, rows, axis=1).sum(axis=1) / sizes[rows].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return float(low), float(high)
