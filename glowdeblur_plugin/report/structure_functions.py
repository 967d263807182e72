"""How fast the levels of a picture change with distance, per cell, and what blur of each kind makes of it.

The structure function (Kolmogorov 1941) S(d) is the mean squared difference between pixels d apart. In a sharp natural picture
it grows like |d|^alpha; blur by a kernel of autocorrelation r turns it into (S * r)(d) - (S * r)(0), which starts like |d|^2
and joins the sharp one beyond the kernel's width in the direction of d.
"""

from functools import lru_cache
from itertools import product

import cv2
import numpy as np

CELL = 32
DIRECTIONS = ((1, 0), (2, 1), (1, 1), (1, 2), (0, 1), (-1, 2), (-1, 1), (-2, 1))
DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
EXPONENTS = (0.1, 0.3, 0.5)
LENGTHS = tuple(2 ** (step / 2) for step in range(12))
WIDTH_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
TEMPLATE_ANGLES = 16
LENS_SPREAD = 0.5
KERNEL_POINTS = 31


def pool(plane: np.ndarray) -> np.ndarray:
    """Mean of `plane` (H, W) over each whole cell of 32 x 32 pixels, (H // 32, W // 32)."""
    height, width = plane.shape[0] // CELL, plane.shape[1] // CELL
    return cv2.resize(plane[:height * CELL, :width * CELL], (width, height), interpolation=cv2.INTER_AREA)


@lru_cache
def offsets() -> np.ndarray:
    """The (x, y) steps d at which levels are compared, int (70, 2), direction by direction: whole pixels, so nothing is
    interpolated."""
    return np.array([(x * times, y * times) for x, y in DIRECTIONS for times in _multiples(x, y)])


def groups() -> list[slice]:
    """The part of `offsets` that belongs to each direction."""
    ends = np.cumsum([len(_multiples(x, y)) for x, y in DIRECTIONS]).tolist()
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends)]


def _multiples(x: int, y: int) -> list[int]:
    return sorted({max(1, round(distance / np.hypot(x, y))) for distance in DISTANCES})


def structure_functions(grey: np.ndarray) -> np.ndarray:
    """S at each offset in squared levels, the mean over each cell: float32 (70, h, w) of `grey`, float32 (H, W); beyond its
    border the picture is mirrored."""
    height, width = grey.shape
    edge = max(DISTANCES) + 2
    padded = cv2.copyMakeBorder(grey, edge, edge, edge, edge, cv2.BORDER_REFLECT)
    planes = []
    for x, y in offsets().tolist():
        top, left = edge + y // 2, edge + x // 2
        difference = cv2.subtract(padded[top:top + height, left:left + width],
                                  padded[top - y:top - y + height, left - x:left - x + width])
        planes.append(pool(cv2.multiply(difference, difference)))
    return np.stack(planes)


@lru_cache
def templates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log S of sharp pictures of each alpha after blur of each kind, (T, 3, 70); of the sharp ones behind the lens alone, (3,
    70); and the blur tensors, (T, 3) in pixels. Lengths go from 1 to 45 pixels in half octaves."""
    blurred, tensors = [], []
    for length, share in product(LENGTHS, WIDTH_SHARES):
        for angle in np.arange(TEMPLATE_ANGLES if share < 1 else 1) * np.pi / TEMPLATE_ANGLES:
            blurred.append(_blurred_logarithms(length, length * share, angle))
            directed = length * (1 - share)
            tensors.append((directed * np.cos(2 * angle), directed * np.sin(2 * angle), length * share))
    return np.array(blurred, np.float32), _blurred_logarithms(0, 0, 0).astype(np.float32), np.array(tensors, np.float32)


def _blurred_logarithms(length: float, minor: float, angle: float) -> np.ndarray:
    """log S, (3, 70), for each alpha behind the lens and a kernel of these lengths in pixels and this direction in radians."""
    x, y = offsets().T
    along, across = _autocorrelation_points(length), _autocorrelation_points(minor)[:, None]
    shifted_along = (x * np.cos(angle) + y * np.sin(angle))[:, None, None] + along
    shifted_across = (y * np.cos(angle) - x * np.sin(angle))[:, None, None] + across
    squares = np.concatenate([shifted_along ** 2 + shifted_across ** 2, (along ** 2 + across ** 2)[None]]).astype(np.float32)
    means = np.stack([(squares ** np.float32(exponent / 2)).mean(axis=(1, 2)) for exponent in EXPONENTS])
    return np.log(means[:, :-1] - means[:, -1:])


def _autocorrelation_points(length: float) -> np.ndarray:
    """Equally heavy points (31,) of the autocorrelation of a kernel of blur length `length` behind a lens of spread 0.5 pixels.

    A logistic distribution of the right variance, 2 (length^2 / 12 + spread^2): more peaked than the triangle of a line, less
    than that of a winding path. Our choice.
    """
    quantiles = (np.arange(KERNEL_POINTS) + 0.5) / KERNEL_POINTS
    points = np.log(quantiles / (1 - quantiles))
    return points * np.sqrt(2 * (length ** 2 / 12 + LENS_SPREAD ** 2) / np.mean(points ** 2))
