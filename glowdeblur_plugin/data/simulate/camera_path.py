"""The motion of a hand-held or carried camera in six degrees of freedom."""

from dataclasses import dataclass

import numpy as np

from glowdeblur_plugin.data.simulate import homography, trajectory

FOCAL_LENGTHS = (1.0, 4.0)
LEAST_FOCAL_LENGTH = 4.0
MOST_IN_CORNERS = 0.5


@dataclass(frozen=True)
class CameraPath:
    """Where a camera is over one exposure, before a background at depth 1.

    Attributes:
        poses: (66, 6), see `homography.camera_motion`.
        focal_length: in pixels.
    """

    poses: np.ndarray
    focal_length: float

    def motion(self, depth: float, instants: np.ndarray) -> np.ndarray:
        """Motion (K + 1, 3, 3) of a plane at `depth` with nodes at `instants` (K + 1), see `trajectory`."""
        poses = trajectory.at_instants(self.poses, instants)
        return homography.centred(homography.camera_motion(poses, self.focal_length, depth))

    def scaled(self, factor: float) -> 'CameraPath':
        """The path with all its motion times `factor`."""
        return CameraPath(self.poses * factor, self.focal_length)


def draw_camera(length: float, smooth: bool, nearest: float, rotation: float, height: int, width: int,
                rng: np.random.Generator) -> CameraPath:
    """Draw a camera path that gives the middle of a plane at depth `nearest` (at most 1) the blur length `length` in pixels.

    Translation and turns about x and y are two random paths of their own, mixed in a random share. Forward motion and roll add
    at most `rotation` x `length` to the blur length in the corners of a window of height x width. A path is drawn again when it
    goes further than its own blur length from the centre. The focal length is 1 to 4 diagonals of the window, and at least four
    times `length`, so that a long blur of a small window stays a picture. All our choice.

    Args:
        smooth: along a spline instead of a random walk.
    """
    diagonal = float(np.hypot(height, width))
    focal_length = max(rng.uniform(*FOCAL_LENGTHS) * diagonal, LEAST_FOCAL_LENGTH * length)
    share = rng.uniform(0.5 if nearest < 1 else 0, 1)
    around, forward = _shares(rotation, rng)
    while True:
        path = trajectory.spline(6, rng) if smooth else trajectory.walk(6, rng)
        for part in (path[:, :2], path[:, 2:3], path[:, 3:5], path[:, 5:]):
            part /= trajectory.blur_length(part)
        shift, turn = share * path[:, :2], (1 - share) * path[:, 3:5]
        middle = shift / nearest + turn
        found = trajectory.blur_length(middle)
        if np.hypot(*middle.T).max() <= found and np.abs(path[:, [2, 5]]).max() <= 1:
            break
    in_plane = length / found / focal_length
    in_corners = min(length / (diagonal / 2), MOST_IN_CORNERS)
    poses = np.stack([shift[:, 0] * in_plane, shift[:, 1] * in_plane, path[:, 2] * forward * in_corners * nearest,
                      -turn[:, 1] * in_plane, turn[:, 0] * in_plane, path[:, 5] * around * in_corners], axis=1)
    return CameraPath(poses, focal_length)


def _shares(rotation: float, rng: np.random.Generator) -> tuple[float, float]:
    """How much of the corners' blur is roll and how much forward motion; together at most `rotation`."""
    both, split = rng.uniform(0, rotation), rng.random()
    return both * split, both * (1 - split)
