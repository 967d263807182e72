"""The blur of a picture estimated per cell without learning, from how fast its levels change with distance.

Our choice, after structure functions (Kolmogorov 1941) and the observation that motion blur makes a picture smooth along the motion
(Yitzhaky and Kopeika, GMIP 1997). The mean squared difference S(d) between pixels d apart grows like |d|^alpha in a sharp
natural picture; blur by a kernel whose autocorrelation is r turns it into (S * r)(d) - (S * r)(0), which starts like |d|^2 and
joins the sharp one beyond the kernel's width in that direction. So S in eight directions and ten distances is compared with
what kernels of every direction, length and width would leave of sharp pictures of several alpha.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np

CELL = 32
DIRECTIONS = ((1, 0), (2, 1), (1, 1), (1, 2), (0, 1), (-1, 2), (-1, 1), (-2, 1))
DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
FAR = 20
EXPONENTS = (0.1, 0.3, 0.5)
LENGTHS = tuple(2 ** (step / 2) for step in range(12))
WIDTH_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
TEMPLATE_ANGLES = 16
LENS_SPREAD = 0.5
KERNEL_POINTS = 31
POOLING = 1.5
CONTRAST = 20.0
CONTRAST_PER_NOISE = 20.0
NOISE_LEFT = 0.1
SMALLEST_DIFFERENCE = 0.02
LEVEL_SHARE = 0.2
TEMPERATURE = 0.004
LAPLACIAN = np.float32([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6
NOISE_PERCENTILE = 5
DARKEST, BRIGHTEST = 10, 245


class BlurEstimate(NamedTuple):
    """`motion`: blur tensor float32 (3, h, w) in pixels of the picture, a cell each; `sure`: bool (h, w), whether the cell has
    the contrast to tell; `noise`: standard deviation in 8-bit levels."""

    motion: np.ndarray
    sure: np.ndarray
    noise: float


def estimate_blur(picture: np.ndarray) -> BlurEstimate:
    """Blur tensor (D cos 2a, D sin 2a, L_minor) of each whole cell of 32 x 32 pixels, from the cell and its neighbours.

    The estimate of a cell is the mean of the templates' tensors, each weighted by exp(-e / 0.004) with e the mean squared
    difference of log S; of the mean of log S over the distances only a fifth counts, for it shows the scene's own direction as
    much as the blur's. Lengths end at about 45 pixels. A cell is sure when the mean of S beyond 20 pixels is above 20 + 20 x the
    noise's variance, in squared 8-bit levels. Kernels that wind, with a core that is much narrower than their spread, come out
    too short: only their core is seen.

    Args:
        picture: uint8 RGB (H, W, 3), at least 32 x 32.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    noise = noise_level(grey)
    differences = _structure_functions(grey)
    far = differences[np.hypot(*_offsets().T) > FAR].mean(axis=0)
    sure = far > CONTRAST + CONTRAST_PER_NOISE * noise ** 2
    wide = np.stack([cv2.GaussianBlur(plane, (0, 0), POOLING, borderType=cv2.BORDER_REFLECT) for plane in differences])
    without_noise = np.maximum(wide - 2 * noise ** 2, NOISE_LEFT * noise ** 2 + SMALLEST_DIFFERENCE)
    features = _features(np.log(without_noise).reshape(len(wide), -1).T)
    templates, tensors = _templates()
    errors = (features ** 2).sum(1)[:, None] + (templates ** 2).sum(1) - 2 * features @ templates.T
    errors -= errors.min(axis=1, keepdims=True)
    weights = np.exp(errors / (-TEMPERATURE * templates.shape[1]))
    motion = weights @ tensors / weights.sum(axis=1, keepdims=True)
    return BlurEstimate(np.ascontiguousarray(motion.T.reshape(3, *sure.shape), np.float32), sure, noise)


def noise_level(grey: np.ndarray) -> float:
    """Standard deviation of the noise in 8-bit levels: Immerkaer's mean absolute response to the difference of two Laplacians
    (CVIU 1996), per cell, of which the fifth percentile is taken because texture only adds to it (the percentile is our choice).
    Cells darker than 10 or brighter than 245, where levels are cut, do not count unless all are.

    Args:
        grey: float32 (H, W) in 0..255.
    """
    response = np.abs(cv2.filter2D(grey, -1, LAPLACIAN))
    levels, noise = pool(grey), pool(response) * np.sqrt(np.pi / 2)
    usable = (levels > DARKEST) & (levels < BRIGHTEST)
    return float(np.percentile(noise[usable] if usable.any() else noise, NOISE_PERCENTILE))


def pool(plane: np.ndarray) -> np.ndarray:
    """Mean of `plane` (H, W) over each whole cell of 32 x 32 pixels, (H // 32, W // 32)."""
    height, width = plane.shape[0] // CELL, plane.shape[1] // CELL
    return cv2.resize(plane[:height * CELL, :width * CELL], (width, height), interpolation=cv2.INTER_AREA)


@lru_cache
def _offsets() -> np.ndarray:
    """The (x, y) steps at which levels are compared, int (76, 2), direction by direction: whole pixels, so nothing is
    interpolated."""
    return np.array([(x * times, y * times) for x, y in DIRECTIONS for times in _multiples(x, y)])


def _multiples(x: int, y: int) -> list[int]:
    return sorted({max(1, round(distance / np.hypot(x, y))) for distance in DISTANCES})


def _structure_functions(grey: np.ndarray) -> np.ndarray:
    """Mean squared difference of levels at each offset, float32 (76, h, w); beyond its border the picture is mirrored."""
    height, width = grey.shape
    edge = max(DISTANCES) + 2
    padded = cv2.copyMakeBorder(grey, edge, edge, edge, edge, cv2.BORDER_REFLECT)
    planes = []
    for x, y in _offsets():
        top, left = edge + y // 2, edge + x // 2
        difference = cv2.subtract(padded[top:top + height, left:left + width],
                                  padded[top - y:top - y + height, left - x:left - x + width])
        planes.append(pool(cv2.multiply(difference, difference)))
    return np.stack(planes)


def _features(logarithms: np.ndarray) -> np.ndarray:
    """log S (N, 76) less its mean in each direction, of which the deviation from the overall mean stays in by a fifth."""
    features = logarithms - LEVEL_SHARE * logarithms.mean(axis=1, keepdims=True)
    start = 0
    for direction in DIRECTIONS:
        group = slice(start, start + len(_multiples(*direction)))
        features[:, group] -= (1 - LEVEL_SHARE) * logarithms[:, group].mean(axis=1, keepdims=True)
        start = group.stop
    return features


@lru_cache
def _templates() -> tuple[np.ndarray, np.ndarray]:
    """Features (T, 76) of blurred sharp pictures, and the blur tensors (T, 3) that blurred them."""
    logarithms, tensors = [], []
    for length, share in product(LENGTHS, WIDTH_SHARES):
        angles = np.arange(TEMPLATE_ANGLES if share < 1 else 1) * np.pi / TEMPLATE_ANGLES
        along, weights = _autocorrelation(length)
        across, _ = _autocorrelation(length * share)
        weights = np.outer(weights, weights).astype(np.float32)
        for angle in angles:
            x, y = _offsets().T
            shifted_along = (x * np.cos(angle) + y * np.sin(angle))[:, None, None] + along
            shifted_across = (y * np.cos(angle) - x * np.sin(angle))[:, None, None] + across[:, None]
            squares = np.concatenate([shifted_along ** 2 + shifted_across ** 2, (along ** 2 + across[:, None] ** 2)[None]])
            directed = length * (1 - share)
            for exponent in EXPONENTS:
                values = (squares.astype(np.float32) ** np.float32(exponent / 2) * weights).sum(axis=(1, 2))
                logarithms.append(np.log(values[:-1] - values[-1]))
                tensors.append((directed * np.cos(2 * angle), directed * np.sin(2 * angle), length * share))
    return _features(np.array(logarithms)).astype(np.float32), np.array(tensors, np.float32)


def _autocorrelation(length: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (K,) and weights (K,) of the autocorrelation of a kernel of blur length `length` behind a lens of spread 0.5 pixels.

    A logistic distribution of the right variance, 2 (length^2 / 12 + spread^2): more peaked than a line's triangle, less than
    that of a winding path.
    """
    quantiles = (np.arange(KERNEL_POINTS) + 0.5) / KERNEL_POINTS
    points = np.log(quantiles / (1 - quantiles))
    variance = 2 * (length ** 2 / 12 + LENS_SPREAD ** 2)
    return points * np.sqrt(variance / np.mean(points ** 2)), np.full(KERNEL_POINTS, 1 / KERNEL_POINTS)
