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

FINE = trajectory.straight(trajectory.WALK_STEPS)

Motions = list[np.ndarray]
MotionOf = Callable[[float, np.ndarray], Motions]


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

    def ways(self, motion: np.ndarray) -> np.ndarray:
        """Pixels that the corner which then moves most goes in each segment, (K), of a motion (K + 1, 3, 3)."""
        x, y = homography.positions(motion, *homography.corners(self.height, self.width).T)
        return np.hypot(np.diff(x, axis=0), np.diff(y, axis=0)).max(axis=1)

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


class Scene(NamedTuple):
    """What moves in one exposure: `background`, `layers` and `weights` of `plan.BlurPlan`."""

    background: np.ndarray
    layers: tuple[Layer, ...]
    weights: np.ndarray


def still_scene() -> Scene:
    """Nothing moves; one sub-frame."""
    return Scene(homography.still(), (), np.ones(1))


def flat_scene(kind: str, length: float, domain: Domain, bounds: Bounds, rng: np.random.Generator) -> Scene:
    """Motion of the whole picture, or, with a rolling shutter, of every row."""
    if kind in ('shake', 'spline'):
        path = draw_camera(length, kind == 'spline', 1.0, domain.rotation, bounds.height, bounds.width, rng)
        instants, motions = _camera(path, [1.0], length, bounds)
    else:
        instants, motions = _even(kind, length, domain.direction, bounds, rng)
    if rng.random() >= domain.rolling_shutter:
        background, = bounds.keep(lambda factor: motions(factor, instants))
        return Scene(background, (), np.diff(instants))
    readout = rng.uniform(*domain.readout)
    # In units of the time between the first row's first light and the last row's last, over which the motion then goes.
    duration = 1 / (1 + readout)
    centres = readout * duration * ((np.arange(bounds.height) + 0.5) / bounds.height - 0.5)
    instants = trajectory.instants_along(bounds.ways(motions(1.0, FINE)[0]), centres, duration)
    background, = bounds.keep(lambda factor: [homography.rows_of_rolling_shutter(motions(factor, FINE)[0], instants)])
    return Scene(background, (), np.diff(instants, axis=0) / duration)


def _even(kind: str, length: float, direction: tuple[float, float], bounds: Bounds,
          rng: np.random.Generator) -> tuple[np.ndarray, MotionOf]:
    """Instants and motion: even along a line in a `direction` in degrees, or magnification or turn about a point in the middle
    half of the window: at most from half to one and a half times, or by a radian, however short of the drawn length a small
    window then is.
    """
    instants = trajectory.straight(trajectory.frame_count(length))
    if kind == 'linear':
        angle = rng.uniform(*np.radians(direction))
        step = length * np.array([np.cos(angle), np.sin(angle)])
        return instants, lambda factor, times: [homography.translation(factor * times[:, None] * step)]
    centre = rng.uniform(-0.25, 0.25, 2) * [bounds.width, bounds.height]
    farthest = bounds.farthest_corner(centre)
    amount = min(length / farthest, MOST_TURN) * (1 if rng.random() < 0.5 else -1)
    if kind == 'zoom':
        return instants, lambda factor, times: [
            homography.similarity(np.zeros(len(times)), 1 + factor * amount * times, centre)]
    return instants, lambda factor, times: [homography.centred(
        homography.similarity(factor * amount * times, np.ones(len(times)), centre))]


def _camera(path: CameraPath, depths: list[float], length: float, bounds: Bounds) -> tuple[np.ndarray, MotionOf]:
    """Instants even in the way, and a camera path's motion of planes at `depths`; the last one's middle gets the blur length
    `length`.
    """
    ways = np.max([bounds.ways(path.motion(depth, FINE)) for depth in depths], axis=0)
    instants = trajectory.instants_along(ways)
    return instants, _camera_motion(path, depths, length, instants)


def _camera_motion(path: CameraPath, depths: list[float], length: float, instants: np.ndarray) -> MotionOf:
    """`_camera`'s motion, its blur length right with nodes at `instants`."""
    x, y = homography.positions(path.motion(depths[-1], instants), np.zeros(1), np.zeros(1))
    found = trajectory.blur_length(np.concatenate([x, y], axis=1), np.diff(instants))
    path = path.scaled(length / found if found else 1.0)
    return lambda factor, times: [path.scaled(factor).motion(depth, times) for depth in depths]


def _smooth(domain: Domain, rng: np.random.Generator) -> bool:
    """Whether a camera moves along a spline: as often as the domain's own flat scenes do, else one time in two."""
    spline, shake = (domain.kinds.get(kind, 0.0) for kind in ('spline', 'shake'))
    return bool(rng.random() < (spline / (spline + shake) if spline + shake > 0 else 0.5))


def nearer_layers(length: float, domain: Domain, bounds: Bounds, rng: np.random.Generator) -> Scene:
    """A moving camera before one or two layers, 1.3 to 3 times as near as the background, that show the picture itself."""
    number = 1 + int(rng.random() < SECOND_LAYER)
    depths = [1.0, *sorted(1 / rng.uniform(*NEARER, number))[::-1]]
    path = draw_camera(length, _smooth(domain, rng), depths[-1], domain.rotation, bounds.height, bounds.width, rng)
    instants, motions = _camera(path, depths, length, bounds)
    background, *nearer = bounds.keep(lambda factor: motions(factor, instants))
    first = bool(rng.integers(2))
    layers = tuple(Layer(motion, outline.blob(bounds.height, bounds.width, first != bool(index), rng))
                   for index, motion in enumerate(nearer))
    return Scene(background, layers, np.diff(instants))


def moving_objects(length: float, domain: Domain, bounds: Bounds, rng: np.random.Generator) -> Scene:
    """One or two objects that move along lines and turn, before a background at rest or shaken by at most `length`."""
    number, first = 1 + int(rng.random() < SECOND_LAYER), bool(rng.integers(2))
    way = length * (1 + domain.rotation)
    instants = trajectory.straight(trajectory.frame_count(way))
    if rng.random() < STILL_BACKGROUND:
        background = homography.still(len(instants) - 1)
    else:
        shaken = rng.uniform(0, length)
        path = draw_camera(shaken, _smooth(domain, rng), 1.0, domain.rotation, bounds.height, bounds.width, rng)
        steps = bounds.ways(path.motion(1.0, FINE))
        instants = trajectory.instants_along(np.maximum(steps, way / len(steps)))
        motion = _camera_motion(path, [1.0], shaken, instants)
        background, = bounds.keep(lambda factor: motion(factor, instants))
    layers = []
    for index in range(number):
        shape = outline.blob(bounds.height, bounds.width, first != bool(index), rng)
        own_length = length if index == 0 else rng.uniform(0, length)
        motion = _object_motion(own_length, shape.mean(axis=0), instants, domain, bounds, rng)
        layers.append(Layer(motion, shape, UPSIDE_DOWN if index else MIRRORED))
    return Scene(background, tuple(layers), np.diff(instants))


def _object_motion(length: float, middle: np.ndarray, instants: np.ndarray, domain: Domain, bounds: Bounds,
                   rng: np.random.Generator) -> np.ndarray:
    """Even motion of an object's middle along a line while it turns about it, (K + 1, 3, 3)."""
    direction, farthest = rng.uniform(0, np.pi), bounds.farthest_corner(middle)
    turn = rng.uniform(-domain.rotation, domain.rotation) * min(length / farthest, MOST_TURN)
    step = length * np.array([np.cos(direction), np.sin(direction)])

    def motions(factor: float) -> Motions:
        turned = homography.similarity(factor * turn * instants, np.ones(len(instants)), middle)
        return [homography.centred(homography.translation(factor * instants[:, None] * step) @ turned)]

    return bounds.keep(motions)[0]
