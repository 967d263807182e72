"""Motions of an exposure with the weights of their sub-frames, for tests."""

import numpy as np

from glowdeblur_plugin.data.simulate import trajectory
from glowdeblur_plugin.data.simulate.camera_path import draw_camera


def evenly(nodes: np.ndarray) -> np.ndarray:
    """Weights of sub-frames that last equally long: (K) for a motion (K + 1, 3, 3), (K, H) for (K + 1, H, 3, 3)."""
    count = len(nodes) - 1
    return np.full((count, *nodes.shape[1:-2]), 1 / count)


def shaken(seed: int, height: int, width: int, length: float = 12.0, rotation: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """A camera's motion at instants even in the way, so uneven in time, and the weights of its sub-frames."""
    path = draw_camera(length, False, 1.0, rotation, height, width, np.random.default_rng(seed))
    middle = path.motion(1.0, trajectory.straight(trajectory.WALK_STEPS))[:, :2, 2]
    instants = trajectory.instants_along(np.hypot(*np.diff(middle, axis=0).T))
    return path.motion(1.0, instants), np.diff(instants)


def positions_at(values: np.ndarray, weights: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Where a point with node positions (K + 1) is at `times` from 0 to 1, float64."""
    return np.interp(times, np.concatenate([[0], np.cumsum(weights)]), values)
