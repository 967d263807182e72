"""Paths of the camera or of an object during one exposure.

A path is float64 (K + 1, 3): offset in x (to the right) and y (downwards) in pixels and turn in radians (x towards y), at K + 1
nodes equally spaced in time, with straight motion between them. Sub-frame k is the middle of segment k. Paths are centred: K is
odd and the middle sub-frame lies at zero, where the sharp picture was taken.
"""

from functools import lru_cache

import numpy as np

SHAKE_STEPS = 65
SHAKE_INERTIA = (0.7, 0.85, 0.95)
SHAKE_PULL = (0.0, 0.005, 0.03)
IMPULSE_CHANCE = 0.04
IMPULSE_STRENGTH = 8.0
FEWEST_FRAMES, MOST_FRAMES = 7, 41


def rest() -> np.ndarray:
    """A camera that does not move: one sub-frame at zero."""
    return np.zeros((2, 3))


def straight(direction: float) -> np.ndarray:
    """Uniform motion over one pixel in `direction` (radians, x towards y)."""
    step = np.array([np.cos(direction), np.sin(direction), 0.0])
    return np.stack([-step / 2, step / 2])


def shake(rng: np.random.Generator) -> np.ndarray:
    """Hand shake: a random walk of the velocity with inertia and rare impulses, of blur length 1 in translation and in turn.

    After the random trajectories of Boracchi and Foi (TIP 2012) and Kupyn et al. (DeblurGAN, CVPR 2018), in our own form: at
    position x the velocity becomes v' = inertia v - pull x + Gaussian + impulse; it starts at the speed that inertia alone
    settles at. A path is drawn again when it goes further than its own blur length from the centre, so the blur length bounds
    the displacement.
    """
    walk = _walk_matrix(SHAKE_INERTIA[rng.integers(len(SHAKE_INERTIA))], SHAKE_PULL[rng.integers(len(SHAKE_PULL))])
    while True:
        pushes = rng.standard_normal((SHAKE_STEPS, 3))
        impulses = rng.random(SHAKE_STEPS) < IMPULSE_CHANCE
        pushes[impulses] *= IMPULSE_STRENGTH
        path = centred(walk @ pushes)
        path[:, :2] /= blur_length(path[:, :2])
        path[:, 2:] /= blur_length(path[:, 2:])
        if np.hypot(path[:, 0], path[:, 1]).max() <= 1 and np.abs(path[:, 2]).max() <= 1:
            return path


def scaled(path: np.ndarray, length: float, turn: float, count: int) -> np.ndarray:
    """`path` at `count` sub-frames, with blur length `length` in pixels and `turn` in radians (of a path with some of each)."""
    nodes = resampled(path, count)
    for part, target in ((nodes[:, :2], length), (nodes[:, 2:], turn)):
        found = blur_length(part)
        part *= target / found if found > 0 else 0
    return nodes


def resampled(path: np.ndarray, count: int) -> np.ndarray:
    """`path` at `count` sub-frames (odd), centred again."""
    times, known = np.linspace(0, 1, count + 1), np.linspace(0, 1, len(path))
    return centred(np.stack([np.interp(times, known, path[:, axis]) for axis in range(3)], axis=1))


def frame_count(path: np.ndarray, length: float) -> int:
    """Sub-frames for a path scaled to `length` pixels: one a pixel of the way, odd, from 7 to 41."""
    way = length * np.hypot(*np.diff(path[:, :2], axis=0).T).sum()
    return int(np.clip(np.ceil(way), FEWEST_FRAMES, MOST_FRAMES)) | 1


def frames(path: np.ndarray) -> np.ndarray:
    """Poses of the sub-frames, (K, 3): the middles of the path's segments."""
    return (path[1:] + path[:-1]) / 2


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
    """Positions at the nodes, (SHAKE_STEPS + 1), as a matrix on the pushes, (SHAKE_STEPS): the walk is linear in them."""
    pushes = np.eye(SHAKE_STEPS)
    pushes[0] /= np.sqrt(1 - inertia ** 2)
    position, velocity = np.zeros(SHAKE_STEPS), np.zeros(SHAKE_STEPS)
    positions = [position]
    for push in pushes:
        velocity = inertia * velocity - pull * position + push
        position = position + velocity
        positions.append(position)
    return np.stack(positions)
