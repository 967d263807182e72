"""The true motion of a sample: the blur tensor (D cos 2a, D sin 2a, L_minor) of every pixel, and where it goes.

a is the principal direction of the point's positions over the exposure (x to the right, towards y downwards), L and L_minor are
sqrt(12) x their standard deviations along and across it in pixels of the sharp frame, D = L - L_minor. Our choice: unlike net
displacement it does not vanish for a path that returns, has no sign and no jump, and may be pooled.

For affine motion the covariance of a point's positions is a polynomial of degree 2 in its place, and nearly so for a little
perspective: it is computed in float64 on a grid of 7 x 7 Chebyshev points and carried to all pixels by two matrix products.
"""

from functools import lru_cache

import numpy as np

from glowdeblur_plugin.data.simulate.homography import positions

SQRT12 = 12 ** 0.5
GRID = 7


def blur_tensor(xx: np.ndarray, xy: np.ndarray, yy: np.ndarray) -> np.ndarray:
    """Blur tensor float32 (3, ...) from the covariance of a point's positions in square pixels, each float64 (...).

    With eigenvalues p >= q, (sqrt p - sqrt q) / (p - q) = 1 / (sqrt p + sqrt q), and (sqrt p + sqrt q)^2 = trace + 2 sqrt(det):
    no angle is needed, and nothing jumps where p = q. L L_minor = 12 sqrt(det) gives L_minor without a difference of near
    values.
    """
    root = np.sqrt(np.maximum(xx * yy - xy * xy, 0)).astype(np.float32)
    trace, difference, double = (value.astype(np.float32) for value in (xx + yy, xx - yy, 2 * xy))
    root_sum = np.sqrt(np.maximum(trace, 0) + 2 * root)
    scale = np.float32(SQRT12) / np.maximum(root_sum, np.float32(1e-12))
    along, across = difference * scale, double * scale
    both = np.float32(SQRT12) * root_sum + np.sqrt(along * along + across * across)
    return np.stack([along, across, 24 * root / np.maximum(both, np.float32(1e-12))])


def covariance_of(nodes: np.ndarray, weights: np.ndarray, height: int, width: int) -> np.ndarray:
    """Covariance xx, xy, yy of every pixel's positions in square pixels, float64 (3, H, W).

    Args:
        nodes: motion (K + 1, 3, 3), or (K + 1, H, 3, 3) of a rolling shutter; see `homography`.
        weights: (K), or (K, H), of the sub-frames; their sum is 1.
    """
    if _is_translation(nodes):
        constant = np.stack(_covariances(nodes[:, 0, 2], nodes[:, 1, 2], weights))
        return np.broadcast_to(constant[:, None, None], (3, height, width)).copy()
    weights = weights.reshape(len(weights), -1, 1)
    covariances = np.stack(_covariances(*_grid_positions(nodes, height, width), weights))
    return _on_pixels(covariances, height, width, every_row=nodes.ndim == 4)


def trajectory_of(nodes: np.ndarray, weights: np.ndarray, height: int, width: int, points: int) -> np.ndarray:
    """Offsets from each pixel, in pixels, of its point at `points` equally spaced times from the exposure's start to its end.

    Args:
        nodes, weights: see `covariance_of`.

    Returns:
        float32 (2 points, H, W): x and y at the first time, then at the next.
    """
    x, y = _grid_positions(nodes, height, width)
    grid_y, grid_x = _grid(nodes, height, width)
    offsets = np.stack([x - grid_x, y - grid_y], axis=1)
    position = _positions_in_time(weights, points)
    before = np.minimum(position.astype(int), len(nodes) - 2)
    share = position - before
    if weights.ndim == 1:
        share = share[:, None, None, None]
        offsets = (1 - share) * offsets[before] + share * offsets[before + 1]
    else:
        rows, share = np.arange(height), share[:, None, :, None]
        offsets = np.moveaxis(offsets, 2, 1)
        first, second = (np.moveaxis(offsets[nodes_of, rows], 1, 2) for nodes_of in (before, before + 1))
        offsets = (1 - share) * first + share * second
    offsets = offsets.reshape(2 * points, *offsets.shape[2:])
    return _on_pixels(offsets, height, width, every_row=nodes.ndim == 4).astype(np.float32)


def flip_motion(motion: np.ndarray, horizontal: bool, vertical: bool, transpose: bool) -> np.ndarray:
    """The blur tensor (3, H, W) after flips and then a transpose of the picture; crops need no change of values.

    One flip turns a into -a, so D sin 2a changes its sign; a transpose turns a into 90 degrees - a, so D cos 2a does.
    """
    signs = np.array([-1 if transpose else 1, -1 if horizontal != vertical else 1, 1], np.float32)
    return np.ascontiguousarray(_flipped(motion, horizontal, vertical, transpose) * signs[:, None, None])


def flip_trajectory(trajectory: np.ndarray, horizontal: bool, vertical: bool, transpose: bool) -> np.ndarray:
    """The offsets (2 points, H, W) after flips and then a transpose of the picture; crops need no change of values."""
    points = trajectory.reshape(-1, 2, *trajectory.shape[1:])
    signs = np.array([-1 if horizontal else 1, -1 if vertical else 1], np.float32)[:, None, None]
    points = points * signs
    if transpose:
        points = points[:, ::-1]
    return np.ascontiguousarray(_flipped(points.reshape(trajectory.shape), horizontal, vertical, transpose))


def _flipped(values: np.ndarray, horizontal: bool, vertical: bool, transpose: bool) -> np.ndarray:
    values = values[:, ::-1 if vertical else 1, ::-1 if horizontal else 1]
    return values.transpose(0, 2, 1) if transpose else values


def _is_translation(nodes: np.ndarray) -> bool:
    return nodes.ndim == 3 and bool((nodes[:, :2, :2] == np.eye(2)).all() and not nodes[:, 2, :2].any())


def _covariances(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """xx, xy, yy over time of positions (K + 1, ...) with straight, even motion between the nodes; see `path_covariance`."""
    steps = [np.diff(axis, axis=0) for axis in (x, y)]
    middles = [(axis[1:] + axis[:-1]) / 2 for axis in (x, y)]
    middles = [axis - (weights * axis).sum(axis=0) for axis in middles]
    return tuple((weights * (middles[a] * middles[b] + steps[a] * steps[b] / 12)).sum(axis=0)
                 for a, b in ((0, 0), (0, 1), (1, 1)))


def _positions_in_time(weights: np.ndarray, points: int) -> np.ndarray:
    """Where `points` equally spaced times lie among the nodes, from 0 to K: (points), or (points, H) for weights (K, H)."""
    times, nodes = np.linspace(0, 1, points), np.arange(len(weights) + 1)
    columns = weights.reshape(len(weights), -1).T
    found = [np.interp(times, np.concatenate([[0], np.cumsum(column)]), nodes) for column in columns]
    return np.stack(found, axis=1).reshape(points, *weights.shape[1:])


def _grid(nodes: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """y (rows, 1) and x (1, GRID) of the points at which motion is computed, from the middle: all rows if they differ."""
    rows = _chebyshev(height) if nodes.ndim == 3 else np.arange(height) - (height - 1) / 2
    return rows[:, None], _chebyshev(width)[None]


def _grid_positions(nodes: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = _grid(nodes, height, width)
    return positions(nodes[:, :, None] if nodes.ndim == 4 else nodes, x, y)


def _on_pixels(values: np.ndarray, height: int, width: int, every_row: bool) -> np.ndarray:
    """Values (C, GRID, GRID) at the Chebyshev points, or (C, H, GRID) for every row, to all pixels, float64 (C, H, W)."""
    across = values @ _interpolation(width).T
    return across if every_row else _interpolation(height) @ across


def _chebyshev(length: int) -> np.ndarray:
    """GRID Chebyshev points within the `length` pixels of an axis, from its middle."""
    return (length - 1) / 2 * np.cos(np.pi * (np.arange(GRID) + 0.5) / GRID)


@lru_cache
def _interpolation(length: int) -> np.ndarray:
    """Matrix float64 (length, GRID) from values at the Chebyshev points to the pixels: the interpolating polynomial.

    By the discrete orthogonality of the Chebyshev polynomials T_n on their points: weights 2 / GRID, half of it for n = 0.
    """
    pixels = np.linspace(-1, 1, length) if length > 1 else np.zeros(1)
    order = np.arange(GRID)
    on_pixels = np.cos(order * np.arccos(pixels)[:, None])
    on_points = np.cos(order[:, None] * np.pi * (order + 0.5) / GRID)
    on_points[0] /= 2
    return on_pixels @ on_points * (2 / GRID)
