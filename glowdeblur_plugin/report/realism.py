"""How far a set is from a real one: distances of the distributions of noise, saturation, blur length and blur direction.

Each is a 1-D Wasserstein distance (the mean way that values must be moved to turn one distribution into the other), of values
on a logarithmic scale: octaves, so no scale of the sets enters and a difference at small values counts like one at large
values. Unlike a divergence of histograms it has no bins and knows near from far. A sum of metrics is one: 0 for equal
distributions, symmetric, and the triangle inequality holds. The choice of terms, scales and equal weights is ours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glowdeblur_plugin.report.blur_patterns import blur_lengths, equal_weights, orientation_histogram

NOISE_UNIT = 0.5
SATURATION_UNIT = 0.01
LENGTH_UNIT = 2.0
HALF_TURN = 45.0


class Statistics(NamedTuple):
    """What a set is compared by: `noise` in 8-bit levels and `saturation` as a share, each (N,), a picture each; `cells`, blur
    tensors (n, 3) of each picture in pixels."""

    noise: np.ndarray
    saturation: np.ndarray
    cells: Sequence[np.ndarray]


class RealismDistance(NamedTuple):
    """Distances in octaves, that of direction in units of 45 degrees; `total` is their mean."""

    noise: float
    saturation: float
    length: float
    direction: float

    @property
    def total(self) -> float:
        """Mean of the four."""
        return sum(self) / len(self)


def realism_distance(one: Statistics, other: Statistics) -> RealismDistance:
    """Distances between two sets:

    noise        W1 of log2(1 + noise / 0.5) over pictures
    saturation   W1 of log2(1 + share / 0.01) over pictures
    length       W1 of log2(1 + L / 2 px) over cells, each picture of equal weight
    direction    W1 on the circle of 180 degrees of the orientation histograms, / 45 degrees: the distance of one direction from
                 all alike is 1, that of perpendicular ones 2
    """
    length = wasserstein(*(_octaves(np.concatenate([blur_lengths(cells) for cells in side.cells]), LENGTH_UNIT)
                           for side in (one, other)), equal_weights(one.cells), equal_weights(other.cells))
    direction = circular_wasserstein(orientation_histogram(one.cells), orientation_histogram(other.cells), 180.0)
    return RealismDistance(
        wasserstein(_octaves(one.noise, NOISE_UNIT), _octaves(other.noise, NOISE_UNIT)),
        wasserstein(_octaves(one.saturation, SATURATION_UNIT), _octaves(other.saturation, SATURATION_UNIT)),
        length, direction / HALF_TURN)


def _octaves(values: np.ndarray, unit: float) -> np.ndarray:
    return np.log2(1 + values / unit)


def wasserstein(one: np.ndarray, other: np.ndarray, one_weights: np.ndarray | None = None,
                other_weights: np.ndarray | None = None) -> float:
    """1-D Wasserstein distance of two weighted samples, (n,) and (m,): the integral of the difference of their distribution
    functions; weights are divided by their sum."""
    points = np.sort(np.concatenate([one, other]))
    shares = [_distribution(values, weights, points[:-1]) for values, weights in ((one, one_weights), (other, other_weights))]
    return float(np.sum(np.abs(shares[0] - shares[1]) * np.diff(points)))


def _distribution(values: np.ndarray, weights: np.ndarray | None, points: np.ndarray) -> np.ndarray:
    """Share of the weight at or below each point."""
    order = np.argsort(values)
    weights = np.ones(len(values)) if weights is None else weights[order]
    reached = np.concatenate([[0.0], np.cumsum(weights)])
    return reached[np.searchsorted(values[order], points, side='right')] / reached[-1]


def circular_wasserstein(one: np.ndarray, other: np.ndarray, period: float) -> float:
    """1-D Wasserstein distance on a circle of length `period` of two histograms (B,) that each sum to 1: the mean way is the
    least, over all shifts of the difference of the distribution functions, where its median is 0 (Rabin, Delon and Gousseau
    2011)."""
    difference = np.cumsum(one - other)
    return float(np.abs(difference - np.median(difference)).sum() * period / len(one))
