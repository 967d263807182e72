"""Motion of whole scenes, drawn for one window: a flat one, one with nearer layers, one with moving objects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from glowdeblur_plugin.data.simulate import homography, outline, trajectory
from glowdeblur_plugin.data.simulate.camera_path import CameraPath, draw_camera
from glowdeblur_plugin.data.simulate.domains import Domain

STILL_BACKGROUND = 0.5
SECOND_LAYER = 0.4
MOST_LAYERS = 2
NEARER = (1.3, 3.0)
MOST_TURN = 1.0
MIRRORED, UPSIDE_DOWN = 1, -1

Motions = list[np.ndarray]


class Bounds(NamedTuple):
    """The window that is drawn for: height and width in pixels, and how far along x or y its light may come from."""

    height: int
    width: int
    limit: float

    def keep(self, motions: Callable[[float], Motions]) -> Motions:
        """`motions(factor)` for the largest factor up to 1 at which none looks further than the limit, within 2 %."""
        factor = 1.0
        while True:
            found = motions(factor)
            farthest = max(homography.reach(motion, self.height, self.width) for motion in found)
            if farthest <= self.limit:
                return found
            factor *= 0.98 * self.limit / farthest

    def farthest_corner(self, point: np.ndarray) -> float:
        """Distance in pixels from a point, given from the middle, to the farthest corner."""
        return float(np.hypot(*(homography.corners(self.height, self.width) - point).T).max())


@dataclass(frozen=True)
class Layer:
    """A part of the scene that covers what lies behind it and moves on its own.

    Attributes:
        motion: (K + 1, 3, 3), see `homography`; K as in the background's motion.
        outline: (N, 2) x and y of its corners at the middle of the exposure, in pixels from the window's middle.
        content: flip of the picture that fills it, as `cv2.flip` takes it (1 left to right, -1 both ways); None for the picture
            as it is.
    """

    motion: np.ndarray
    outline: np.ndarray
    content: int | None = None


def flat_scene(kind: str, length: float, domain: Domain, bounds: Bounds, rng: np.random.Generator) -> np.ndarray:
    """Motion of the whole picture, (K + 1, 3, 3) or, with a rolling shutter, of every row."""
    if kind in ('shake', 'spline'):
        path = draw_camera(length, kind == 'spline', 1.0, domain.rotation, bounds.height, bounds.width, rng)
        count = _frames(path, 1.0, bounds)
        motion = _camera(path, [1.0], length, count)
    else:
        count, motion = _even(kind, length, bounds, rng)
    readout = rng.uniform(*domain.readout) if rng.random() < domain.rolling_shutter else 0.0

    def motions(factor: float) -> Motions:
        nodes, = motion(factor)
        return [homography.rows_of_rolling_shutter(nodes, readout, bounds.height, count) if readout else nodes]

    return bounds.keep(motions)[0]


def _even(kind: str, length: float, bounds: Bounds, rng: np.random.Generator) -> tuple[int, Callable[[float], Motions]]:
    """Even motion along a line, or magnification or turn about a point in the middle half of the window: at most from half to
    one and a half times, or by a radian, however short of the drawn length a small window then is.
    """
    count = trajectory.frame_count(length)
    time = trajectory.straight(count)
    if kind == 'linear':
        angle = rng.uniform(0, np.pi)
        step = length * np.array([np.cos(angle), np.sin(angle)])
        return count, lambda factor: [homography.translation(factor * time[:, None] * step)]
    centre = rng.uniform(-0.25, 0.25, 2) * [bounds.width, bounds.height]
    farthest = bounds.farthest_corner(centre)
    amount = min(length / farthest, MOST_TURN) * (1 if rng.random() < 0.5 else -1)
    if kind == 'zoom':
        return count, lambda factor: [homography.similarity(np.zeros(count + 1), 1 + factor * amount * time, centre)]
    return count, lambda factor: [homography.centred(
        homography.similarity(factor * amount * time, np.ones(count + 1), centre))]


def _camera(path: CameraPath, depths: list[float], length: float, count: int) -> Callable[[float], Motions]:
    """A camera path's motion of planes at `depths`; the last one's middle gets the blur length `length`."""
    x, y = homography.positions(path.motion(depths[-1], count), np.zeros(1), np.zeros(1))
    found = trajectory.blur_length(np.concatenate([x, y], axis=1))
    path = path.scaled(length / found if found else 1.0)
    return lambda factor: [path.scaled(factor).motion(depth, count) for depth in depths]


def _smooth(domain: Domain, rng: np.random.Generator) -> bool:
    """Whether a camera moves along a spline: as often as the domain's own flat scenes do, else one time in two."""
    spline, shake = (domain.kinds.get(kind, 0.0) for kind in ('spline', 'shake'))
    return bool(rng.random() < (spline / (spline + shake) if spline + shake > 0 else 0.5))


def _frames(path: CameraPath, depth: float, bounds: Bounds) -> int:
    """Sub-frames that the farthest going corner of a plane at `depth` needs."""
    places = homography.positions(path.motion(depth), *homography.corners(bounds.height, bounds.width).T)
    return trajectory.frame_count(np.hypot(*np.diff(places, axis=1)).sum(axis=0).max())


def nearer_layers(length: float, domain: Domain, bounds: Bounds,
                  rng: np.random.Generator) -> tuple[np.ndarray, tuple[Layer, ...]]:
    """A moving camera before one or two layers, 1.3 to 3 times as near as the background, that show the picture itself."""
    number = 1 + int(rng.random() < SECOND_LAYER)
    depths = [1.0, *sorted(1 / rng.uniform(*NEARER, number))[::-1]]
    path = draw_camera(length, _smooth(domain, rng), depths[-1], domain.rotation, bounds.height, bounds.width, rng)
    count = _frames(path, depths[-1], bounds)
    background, *motions = bounds.keep(_camera(path, depths, length, count))
    first = bool(rng.integers(2))
    return background, tuple(Layer(motion, outline.blob(bounds.height, bounds.width, first != bool(index), rng))
                             for index, motion in enumerate(motions))


def moving_objects(length: float, domain: Domain, bounds: Bounds,
                   rng: np.random.Generator) -> tuple[np.ndarray, tuple[Layer, ...]]:
    """One or two objects that move along lines and turn, before a background at rest or shaken by at most `length`."""
    number, first = 1 + int(rng.random() < SECOND_LAYER), bool(rng.integers(2))
    count = trajectory.frame_count(length * (1 + domain.rotation))
    if rng.random() < STILL_BACKGROUND:
        background = homography.still(count)
    else:
        shaken = rng.uniform(0, length)
        path = draw_camera(shaken, _smooth(domain, rng), 1.0, domain.rotation, bounds.height, bounds.width, rng)
        count = max(count, _frames(path, 1.0, bounds))
        background, = bounds.keep(_camera(path, [1.0], shaken, count))
    layers = []
    for index in range(number):
        shape = outline.blob(bounds.height, bounds.width, first != bool(index), rng)
        own_length = length if index == 0 else rng.uniform(0, length)
        motion = _object_motion(own_length, shape.mean(axis=0), count, domain, bounds, rng)
        layers.append(Layer(motion, shape, UPSIDE_DOWN if index else MIRRORED))
    return background, tuple(layers)


def _object_motion(length: float, middle: np.ndarray, count: int, domain: Domain, bounds: Bounds,
                   rng: np.random.Generator) -> np.ndarray:
    """Even motion of an object's middle along a line while it turns about it, (count + 1, 3, 3)."""
    time = trajectory.straight(count)
    direction, farthest = rng.uniform(0, np.pi), bounds.farthest_corner(middle)
    turn = rng.uniform(-domain.rotation, domain.rotation) * min(length / farthest, MOST_TURN)
    step = length * np.array([np.cos(direction), np.sin(direction)])

    def motions(factor: float) -> Motions:
        turned = homography.similarity(factor * turn * time, np.ones(count + 1), middle)
        return [homography.centred(homography.translation(factor * time[:, None] * step) @ turned)]

    return bounds.keep(motions)[0]
