"""The blur of a picture estimated per cell without learning, by comparing its structure functions with those that blur leaves.

Our choice, on the observation that motion makes a picture smooth along itself (Yitzhaky and Kopeika, GMIP 1997).
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from glowdeblur_plugin.report.structure_functions import groups, offsets, pool, structure_functions, templates

FAR = 20
CONTRAST = 20.0
CONTRAST_PER_NOISE = 20.0
NOISE_LEFT = 0.1
SMALLEST_DIFFERENCE = 0.02
LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
NOISE_PERCENTILE = 5
DARKEST, BRIGHTEST = 10, 245


class Comparison(NamedTuple):
    """How structure functions are compared.

    Attributes:
        pooling: spread of the Gaussian over which S is averaged, in cells.
        direction_share: of the deviation of a direction's mean log S from the overall mean, which counts beside the course of
            log S over the distances: a sharp scene may have a direction of its own.
        overall_share: of the overall mean of log S that counts: the contrast of a scene is unknown.
        temperature: of the weights exp(-e / temperature), e the mean squared difference of log S.
    """

    pooling: float
    direction_share: float
    overall_share: float
    temperature: float


BLIND = Comparison(pooling=1.5, direction_share=0.2, overall_share=0.0, temperature=0.004)
PAIRED = Comparison(pooling=1.0, direction_share=0.5, overall_share=0.3, temperature=0.01)


class BlurEstimate(NamedTuple):
    """`motion`: blur tensor float32 (3, h, w) in pixels of the picture, a cell each; `sure`: bool (h, w), whether the cell has
    the contrast to tell."""

    motion: np.ndarray
    sure: np.ndarray


def estimate_blur(picture: np.ndarray, sharp: np.ndarray | None = None) -> BlurEstimate:
    """Blur tensor (D cos 2a, D sin 2a, L_minor) of each whole cell of 32 x 32 pixels, from the cell and its neighbours.

    The estimate is the mean of the templates' tensors, see `structure_functions.templates`, each weighted by how near its
    structure function is to the cell's. With the sharp picture of the same scene, the ratio of both structure functions is
    compared instead: the scene cancels, and a shift of the sharp picture does no harm. A cell is sure when the mean of S beyond
    20 pixels is above 20 + 20 x the noise's variance in squared levels. Kernels that wind come out too short: most of what is
    seen is their core.

    Args:
        picture: blurry, uint8 RGB (H, W, 3), at least 32 x 32.
        sharp: uint8 RGB (H, W, 3).
    """
    comparison = BLIND if sharp is None else PAIRED
    logarithms, sure = _measured(picture, comparison)
    if sharp is not None:
        sharp_logarithms, sharp_sure = _measured(sharp, comparison)
        logarithms, sure = logarithms - sharp_logarithms, sure & sharp_sure
    features = _features(logarithms, comparison)
    known, tensors = _known(comparison)
    likeness = features @ known.T
    likeness -= (known ** 2).sum(axis=1) / 2
    likeness -= likeness.max(axis=1, keepdims=True)
    likeness *= 2 / (comparison.temperature * features.shape[1])
    weights = cv2.exp(likeness)
    motion = weights @ tensors / weights.sum(axis=1, keepdims=True)
    return BlurEstimate(np.ascontiguousarray(motion.T.reshape(3, *sure.shape), np.float32), sure)


def noise_level(grey: np.ndarray) -> float:
    """Standard deviation of the noise in 8-bit levels: Immerkaer's mean absolute response to the difference of two Laplacians
    (CVIU 1996), per cell, of which the fifth percentile is taken because texture only adds to it (the percentile is our
    choice). Cells darker than 10 or brighter than 245, where levels are cut, do not count unless all are.

    Args:
        grey: float32 (H, W) in 0..255.
    """
    response = np.abs(cv2.filter2D(grey, -1, LAPLACIAN))
    levels, noise = pool(grey), pool(response) * np.sqrt(np.pi / 2)
    usable = (levels > DARKEST) & (levels < BRIGHTEST)
    return float(np.percentile(noise[usable] if usable.any() else noise, NOISE_PERCENTILE))


def grey_levels(picture: np.ndarray) -> np.ndarray:
    """Luma float32 (H, W) in 0..255 of uint8 RGB (H, W, 3)."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _measured(picture: np.ndarray, comparison: Comparison) -> tuple[np.ndarray, np.ndarray]:
    """log S without the noise's part, a row a cell (n, 70), and the sure cells (h, w)."""
    grey = grey_levels(picture)
    variance = noise_level(grey) ** 2
    differences = structure_functions(grey)
    sure = differences[np.hypot(*offsets().T) > FAR].mean(axis=0) > CONTRAST + CONTRAST_PER_NOISE * variance
    wide = np.stack([cv2.GaussianBlur(plane, (0, 0), comparison.pooling, borderType=cv2.BORDER_REFLECT)
                     for plane in differences])
    clean = np.maximum(wide - 2 * variance, NOISE_LEFT * variance + SMALLEST_DIFFERENCE)
    return np.log(clean).reshape(len(clean), -1).T, sure


def _features(logarithms: np.ndarray, comparison: Comparison) -> np.ndarray:
    """Rows of log S (N, 70) with their means over each direction and over all reduced to what counts."""
    overall = logarithms.mean(axis=1, keepdims=True)
    features = logarithms + (comparison.overall_share - comparison.direction_share) * overall
    for group in groups():
        features[:, group] -= (1 - comparison.direction_share) * logarithms[:, group].mean(axis=1, keepdims=True)
    return features


@lru_cache
def _known(comparison: Comparison) -> tuple[np.ndarray, np.ndarray]:
    """Features (T, 70) of the templates, for pairs of their ratio to the sharp one, and their blur tensors (T, 3)."""
    blurred, sharp, tensors = templates()
    if comparison == PAIRED:
        middle = len(sharp) // 2
        return _features(blurred[:, middle] - sharp[middle], comparison), tensors
    return _features(blurred.reshape(-1, blurred.shape[-1]), comparison), np.repeat(tensors, len(sharp), axis=0)
