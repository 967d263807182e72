"""Which blur a set holds: directions, lengths, and how many pictures are blurred all over or in parts.

Everything here takes the blur tensors of the cells, one array (n, 3) in pixels a picture. Each picture weighs the same, however
many cells it has, so neither the order nor the size of a set matters, nor that it is doubled.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ORIENTATION_BINS = 36
MAGNITUDE_STEP = 2.0
MAGNITUDE_BINS = 24
NORMALISED_BINS = 20
LONGEST_QUANTILE = 0.99
BLURRED_FROM = 3.0
GLOBAL_SHARE = 0.5
LOCAL_SHARE = 0.05


class Shares(NamedTuple):
    """Shares of pictures blurred all over, in parts, and hardly anywhere; their sum is 1."""

    everywhere: float
    in_parts: float
    hardly: float


class BlurPatterns(NamedTuple):
    """Statistics of a set.

    Attributes:
        orientation: (36,) shares over 0 to 180 degrees, see `orientation_histogram`.
        magnitude: (24,) shares of blur lengths L = D + L_minor in steps of 2 pixels; the last bin holds all longer ones.
        normalised: (20,) shares of L / longest over 0 to 1, the paper's axis.
        longest: 99th percentile of L in pixels, which stands for 1 on that axis (the paper does not say what does; the largest
            length would be one cell's).
        median: median of L in pixels.
        shares: see `global_local_shares`.
    """

    orientation: np.ndarray
    magnitude: np.ndarray
    normalised: np.ndarray
    longest: float
    median: float
    shares: Shares


def blur_patterns(pictures: Sequence[np.ndarray]) -> BlurPatterns:
    """The statistics of a set from the blur tensors of its pictures' cells."""
    lengths, weights = np.concatenate([blur_lengths(cells) for cells in pictures]), equal_weights(pictures)
    longest = weighted_quantile(lengths, weights, LONGEST_QUANTILE)
    steps = np.minimum(lengths / MAGNITUDE_STEP, MAGNITUDE_BINS - 0.5)
    magnitude, _ = np.histogram(steps, MAGNITUDE_BINS, (0, MAGNITUDE_BINS), weights=weights)
    normalised, _ = np.histogram(np.minimum(lengths / max(longest, 1e-6), 1), NORMALISED_BINS, (0, 1), weights=weights)
    return BlurPatterns(orientation_histogram(pictures), magnitude, normalised, longest,
                        weighted_quantile(lengths, weights, 0.5), global_local_shares(pictures))


def blur_lengths(cells: np.ndarray) -> np.ndarray:
    """L = D + L_minor in pixels, (n,), of blur tensors (n, 3)."""
    return np.hypot(cells[:, 0], cells[:, 1]) + np.maximum(cells[:, 2], 0)


def equal_weights(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Weights of all cells, one after the other: those of each picture are equal and sum to 1 / number of pictures."""
    return np.concatenate([np.full(len(cells), 1 / len(cells) / len(pictures)) for cells in pictures])


def orientation_histogram(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Shares (36,) of directions a in steps of 5 degrees around 0, 5, ... 175: x to the right, y downwards, so 45 is a fall to
    the right.

    A cell with L > 3 pixels weighs D: round blur has no direction, and the error of a measured one goes with 1 / D, so long
    directed blur says most; in sharper cells an estimate shows the scene's direction. Uniform where nothing is directed. Our
    choice.
    """
    cells, weights = np.concatenate(pictures), equal_weights(pictures)
    doubled = np.arctan2(cells[:, 1], cells[:, 0]) / (2 * np.pi) * ORIENTATION_BINS
    weights = weights * np.hypot(cells[:, 0], cells[:, 1]) * (blur_lengths(cells) > BLURRED_FROM)
    shares = np.bincount(np.round(doubled).astype(int) % ORIENTATION_BINS, weights, ORIENTATION_BINS)
    return shares / shares.sum() if shares.sum() > 0 else np.full(ORIENTATION_BINS, 1 / ORIENTATION_BINS)


def global_local_shares(pictures: Sequence[np.ndarray]) -> Shares:
    """Shares of pictures by s, the share of a picture's cells with L > 3 pixels: global where s >= 0.5, local where 0.05 <= s <
    0.5, else hardly blurred. The paper draws the first two and gives no formula: limits are our choice."""
    blurred = np.array([(blur_lengths(cells) > BLURRED_FROM).mean() for cells in pictures])
    everywhere, hardly = blurred >= GLOBAL_SHARE, blurred < LOCAL_SHARE
    return Shares(float(everywhere.mean()), float((~everywhere & ~hardly).mean()), float(hardly.mean()))


def weighted_quantile(values: np.ndarray, weights: np.ndarray, quantile: float) -> float:
    """The smallest of `values` up to which the weights reach `quantile` of their sum."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, quantile * reached[-1] * (1 - 1e-9))])
