"""Random paths over one exposure and the spread of a path's positions.

A path is float64 (K + 1, C): C quantities at K + 1 nodes equally spaced in time, with straight motion between them. Sub-frame k
is the middle of segment k; K is odd, so that one sub-frame lies at the exposure's centre, where the sharp picture was taken.
"""

from functools import lru_cache

import numpy as np

WALK_STEPS = 65
WALK_INERTIA = (0.7, 0.85, 0.95)
WALK_PULL = (0.0, 0.005, 0.03)
IMPULSE_CHANCE = 0.04
IMPULSE_STRENGTH = 8.0
CONTROL_POINTS = 4
FEWEST_FRAMES, MOST_FRAMES = 7, 41


def straight(count: int) -> np.ndarray:
    """Even motion from -1/2 to 1/2 over `count` sub-frames, (count + 1)."""
    return np.linspace(-0.5, 0.5, count + 1)


def walk(columns: int, rng: np.random.Generator) -> np.ndarray:
    """A random walk of the velocities with inertia and rare impulses, centred, (66, columns), of no particular size.

    After the random trajectories of Boracchi and Foi (TIP 2012) and Kupyn et al. (DeblurGAN, CVPR 2018), in our own form: at
    position x the velocity becomes v' = inertia v - pull x + Gaussian + impulse; it starts at the speed that inertia alone
    settles at. An impulse strikes all columns at once.
    """
    matrix = _walk_matrix(WALK_INERTIA[rng.integers(len(WALK_INERTIA))], WALK_PULL[rng.integers(len(WALK_PULL))])
    pushes = rng.standard_normal((WALK_STEPS, columns))
    pushes[rng.random(WALK_STEPS) < IMPULSE_CHANCE] *= IMPULSE_STRENGTH
    return centred(matrix @ pushes)


def spline(columns: int, rng: np.random.Generator) -> np.ndarray:
    """A cubic Bezier curve with four Gaussian control points, centred, (66, columns), of no particular size."""
    return centred(_bezier_matrix() @ rng.standard_normal((CONTROL_POINTS, columns)))


def resampled(path: np.ndarray, count: int) -> np.ndarray:
    """`path` (K + 1, C) at `count` sub-frames, (count + 1, C)."""
    times, known = np.linspace(0, 1, count + 1), np.linspace(0, 1, len(path))
    return np.stack([np.interp(times, known, column) for column in path.T], axis=1)


def frame_count(way: float) -> int:
    """Sub-frames for a point that goes `way` pixels: one a pixel, odd, from 7 to 41."""
    return int(np.clip(np.ceil(way), FEWEST_FRAMES, MOST_FRAMES)) | 1


def centred(path: np.ndarray) -> np.ndarray:
    """`path` moved so that its middle sub-frame lies at zero."""
    middle = (len(path) - 1) // 2
    return path - (path[middle] + path[middle + 1]) / 2


def path_covariance(nodes: np.ndarray) -> np.ndarray:
    """Covariance over time, (C, C), of quantities (K + 1, C) that move straight and evenly between their nodes."""
    middles, steps = (nodes[1:] + nodes[:-1]) / 2, np.diff(nodes, axis=0)
    middles = middles - middles.mean(axis=0)
    return (middles.T @ middles + steps.T @ steps / 12) / len(steps)


def blur_length(nodes: np.ndarray) -> float:
    """sqrt(12) x the standard deviation of positions (K + 1, 1 or 2) along their principal direction: the way if straight."""
    return float(np.sqrt(12 * max(np.linalg.eigvalsh(path_covariance(nodes))[-1], 0)))


@lru_cache
def _walk_matrix(inertia: float, pull: float) -> np.ndarray:
    """Positions at the nodes, (WALK_STEPS + 1), as a matrix on the pushes, (WALK_STEPS): the walk is linear in them."""
    pushes = np.eye(WALK_STEPS)
    pushes[0] /= np.sqrt(1 - inertia ** 2)
    position, velocity = np.zeros(WALK_STEPS), np.zeros(WALK_STEPS)
    positions = [position]
    for push in pushes:
        velocity = inertia * velocity - pull * position + push
        position = position + velocity
        positions.append(position)
    return np.stack(positions)


@lru_cache
def _bezier_matrix() -> np.ndarray:
    """Points of a cubic Bezier curve, (WALK_STEPS + 1), as a matrix on its control points: the Bernstein polynomials."""
    time = np.linspace(0, 1, WALK_STEPS + 1)
    return np.stack([(1 - time) ** 3, 3 * time * (1 - time) ** 2, 3 * time ** 2 * (1 - time), time ** 3], axis=1)
