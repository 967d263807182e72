"""Random paths over one exposure and the spread of a path's positions.

A path is float64 (K + 1, C): C quantities at K + 1 nodes, with straight motion between them. The instants of the nodes are
float64 (K + 1), in exposures from -1/2 to 1/2. Sub-frame k is the middle of segment k and weighs as much as the segment lasts; K
is odd, and the middle segment lies evenly about 0, the exposure's centre, where the sharp picture was taken. Sub-frames even in
time would be few where the motion is fast, and a light would leave a row of dots; `instants_along` spaces them by the way.
"""

from functools import lru_cache

import numpy as np

WALK_STEPS = 65
WALK_INERTIA = (0.7, 0.85, 0.95)
WALK_PULL = (0.0, 0.005, 0.03)
IMPULSE_CHANCE = 0.04
IMPULSE_STRENGTH = 8.0
CONTROL_POINTS = 4
FEWEST_FRAMES, MOST_FRAMES = 7, 641
STEP = 1.0


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


def at_instants(path: np.ndarray, instants: np.ndarray) -> np.ndarray:
    """`path` (N + 1, C) with nodes equally spaced in time, at other `instants` (K + 1): (K + 1, C)."""
    return np.stack([np.interp(instants, straight(len(path) - 1), column) for column in path.T], axis=1)


def frame_count(way: float) -> int:
    """Sub-frames for a point that goes `way` pixels: at least one for each STEP, odd, from 7 to 641."""
    return int(np.clip(np.ceil(way / STEP), FEWEST_FRAMES, MOST_FRAMES)) | 1


def instants_along(ways: np.ndarray, centres: np.ndarray | float = 0.0, duration: float = 1.0) -> np.ndarray:
    """Instants at which a point has gone at most STEP pixels since the last one, unless that takes more than 641 sub-frames.

    Before and after the middle segment there are equally many sub-frames, each even in the way. The middle segment is short
    enough that a path of these nodes is straight and even in it where its centre is the time's centre.

    Args:
        ways: (N) pixels gone in each of N equal spans of the time from -1/2 to 1/2, N odd.
        centres: (H) of the exposures of H rows within that time, or one for all.
        duration: of an exposure, as a share of that time.

    Returns:
        (K + 1, H), or (K + 1) for one centre.
    """
    count, span = len(ways), 1 / len(ways)
    known = straight(count)
    gone = np.concatenate([[0], np.cumsum(ways)]) + 1e-3 * (known + 0.5)
    centres = np.asarray(centres, np.float64)
    first, last = centres - duration / 2, centres + duration / 2
    in_middle = np.interp(centres + span / 2, known, gone) - np.interp(centres - span / 2, known, gone)
    half = np.minimum(STEP / in_middle, min(1, duration)) * span / 2
    ends = [np.interp(instant, known, gone) for instant in (first, centres - half, centres + half, last)]
    longest = max(np.max(ends[1] - ends[0]), np.max(ends[3] - ends[2]))
    each = (frame_count(2 * longest + STEP) - 1) // 2
    gone_at = np.concatenate([np.linspace(ends[0], ends[1], each + 1), np.linspace(ends[2], ends[3], each + 1)])
    instants = np.interp(gone_at, gone, known)
    instants[[0, each, each + 1, -1]] = first, centres - half, centres + half, last
    return instants


def centred(path: np.ndarray) -> np.ndarray:
    """`path` moved so that its middle sub-frame lies at zero."""
    middle = (len(path) - 1) // 2
    return path - (path[middle] + path[middle + 1]) / 2


def path_covariance(nodes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Covariance over time, (C, C), of quantities (K + 1, C) that move straight and evenly between their nodes.

    Args:
        weights: (K) how long each segment lasts, their sum 1; None for equally long ones.
    """
    middles, steps = (nodes[1:] + nodes[:-1]) / 2, np.diff(nodes, axis=0)
    weights = (np.full(len(steps), 1 / len(steps)) if weights is None else weights)[:, None]
    middles = middles - (weights * middles).sum(axis=0)
    return middles.T @ (weights * middles) + steps.T @ (weights * steps) / 12


def blur_length(nodes: np.ndarray, weights: np.ndarray | None = None) -> float:
    """sqrt(12) x the standard deviation of positions (K + 1, 1 or 2) along their principal direction: the way if straight."""
    return float(np.sqrt(12 * max(np.linalg.eigvalsh(path_covariance(nodes, weights))[-1], 0)))


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
