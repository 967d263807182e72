"""What blurs one sample, drawn from a random generator; `pipeline.render_plan` turns it into pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glowdeblur_plugin.data.simulate import homography, outline, trajectory
from glowdeblur_plugin.data.simulate.camera_path import CameraPath, draw_camera
from glowdeblur_plugin.data.simulate.develop import Development
from glowdeblur_plugin.data.simulate.domains import Domain

DISK_LENGTH = 3 ** 0.5
STILL_BACKGROUND = 0.5
SECOND_LAYER = 0.4
NEARER = (1.3, 3.0)
MOST_TURN = 1.0
MIRRORED, UPSIDE_DOWN = 1, -1
MOST_LAYERS = 2

Motions = list[np.ndarray]


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


@dataclass(frozen=True)
class BlurPlan:
    """One exposure of one window.

    Attributes:
        kind: see `Domain.kinds`.
        length: blur length in pixels; with a rolling shutter, over the time from the first to the last row's exposure.
        background: motion (K + 1, 3, 3), or of every row, (K + 1, H, 3, 3), with a rolling shutter; see `homography`.
        layers: before the background, from far to near; at most two.
        radius: of the disk in pixels, for `defocus`, else 0. A disk's standard deviation along an axis is half its radius, so
            its blur length is sqrt(3) x radius.
        highlights: light that a white pixel of the sharp picture stands for.
        development: of the blurry picture.
        edge: pixels of the sharp picture that the blur may need around the window.
    """

    kind: str
    length: float
    background: np.ndarray
    layers: tuple[Layer, ...]
    radius: float
    highlights: float
    development: Development
    edge: int


def margin(domain: Domain) -> int:
    """Pixels needed around a window of this domain: its largest displacement, and one for interpolation."""
    return int(np.ceil(_bound(domain))) + 1


def draw_plan(domain: Domain, height: int, width: int, rng: np.random.Generator) -> BlurPlan:
    """Draw the blur of a window of height x width pixels.

    Motion that would look further than the margin allows, as perspective in a corner may, is made smaller.
    """
    weights = np.array(list(domain.kinds.values()))
    kind = list(domain.kinds)[rng.choice(len(weights), p=weights / weights.sum())]
    length = rng.uniform(*domain.blur_length)
    background, layers, radius = homography.still(), (), 0.0
    if kind == 'defocus':
        radius = length / DISK_LENGTH
    elif kind == 'object':
        background, layers = _objects(length, domain, height, width, rng)
    elif kind == 'parallax':
        background, layers = _parallax(length, domain, height, width, rng)
    else:
        background = _flat_scene(kind, length, domain, height, width, rng)
    highlights = float(np.exp(rng.uniform(*np.log(domain.highlights))))
    return BlurPlan(kind, length, background, layers, radius, highlights, _development(domain, rng), margin(domain))


def bounded(motions: Callable[[float], Motions], limit: float, height: int, width: int) -> Motions:
    """`motions(factor)` for the largest factor up to 1 at which none looks further than `limit` pixels, within 2 %."""
    factor = 1.0
    while True:
        found = motions(factor)
        farthest = max(homography.reach(motion, height, width) for motion in found)
        if farthest <= limit:
            return found
        factor *= 0.98 * limit / farthest


def _bound(domain: Domain) -> float:
    return domain.blur_length[1] * (1 + domain.rotation)


def _flat_scene(kind: str, length: float, domain: Domain, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Motion of the whole picture, (K + 1, 3, 3) or, with a rolling shutter, of every row."""
    if kind in ('shake', 'spline'):
        path = draw_camera(length, kind == 'spline', 1.0, domain.rotation, height, width, rng)
        count = _frames(path, 1.0, height, width)
        motion = _camera(path, [1.0], length, count)
    else:
        count, motion = _even(kind, length, height, width, rng)
    readout = rng.uniform(*domain.readout) if rng.random() < domain.rolling_shutter else 0.0

    def motions(factor: float) -> Motions:
        nodes, = motion(factor)
        return [homography.rows_of_rolling_shutter(nodes, readout, height, count) if readout else nodes]

    return bounded(motions, _bound(domain), height, width)[0]


def _even(kind: str, length: float, height: int, width: int,
          rng: np.random.Generator) -> tuple[int, Callable[[float], Motions]]:
    """Even motion along a line, or magnification or turn about a point in the middle half of the window: at most from half to
    one and a half times, or by a radian, however short of the drawn length a small window then is.
    """
    count = trajectory.frame_count(length)
    time = trajectory.straight(count)
    if kind == 'linear':
        angle = rng.uniform(0, np.pi)
        step = length * np.array([np.cos(angle), np.sin(angle)])
        return count, lambda factor: [homography.translation(factor * time[:, None] * step)]
    centre = rng.uniform(-0.25, 0.25, 2) * [width, height]
    farthest = np.hypot(*(homography.corners(height, width) - centre).T).max()
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


def _frames(path: CameraPath, depth: float, height: int, width: int) -> int:
    """Sub-frames that the farthest going corner of a plane at `depth` needs."""
    places = homography.positions(path.motion(depth), *homography.corners(height, width).T)
    return trajectory.frame_count(np.hypot(*np.diff(places, axis=1)).sum(axis=0).max())


def _parallax(length: float, domain: Domain, height: int, width: int,
              rng: np.random.Generator) -> tuple[np.ndarray, tuple[Layer, ...]]:
    """A moving camera before one or two layers that are 1.3 to 3 times as near as the background and show the picture itself."""
    number = 1 + int(rng.random() < SECOND_LAYER)
    depths = [1.0, *sorted(1 / rng.uniform(*NEARER, number))[::-1]]
    path = draw_camera(length, bool(rng.random() < 0.5), depths[-1], domain.rotation, height, width, rng)
    count = _frames(path, depths[-1], height, width)
    background, *motions = bounded(_camera(path, depths, length, count), _bound(domain), height, width)
    first = bool(rng.integers(2))
    return background, tuple(Layer(motion, outline.blob(height, width, first != bool(index), rng))
                             for index, motion in enumerate(motions))


def _objects(length: float, domain: Domain, height: int, width: int,
             rng: np.random.Generator) -> tuple[np.ndarray, tuple[Layer, ...]]:
    """One or two objects that move along lines and turn, before a background at rest or shaken by at most `length`."""
    number, first = 1 + int(rng.random() < SECOND_LAYER), bool(rng.integers(2))
    count = trajectory.frame_count(length * (1 + domain.rotation))
    if rng.random() < STILL_BACKGROUND:
        background = homography.still(count)
    else:
        shaken = rng.uniform(0, length)
        path = draw_camera(shaken, False, 1.0, domain.rotation, height, width, rng)
        count = max(count, _frames(path, 1.0, height, width))
        background, = bounded(_camera(path, [1.0], shaken, count), _bound(domain), height, width)
    layers = []
    for index in range(number):
        shape = outline.blob(height, width, first != bool(index), rng)
        motion = _object_motion(length if index == 0 else rng.uniform(0, length), shape.mean(axis=0), count, domain, height,
                                width, rng)
        layers.append(Layer(motion, shape, UPSIDE_DOWN if index else MIRRORED))
    return background, tuple(layers)


def _object_motion(length: float, middle: np.ndarray, count: int, domain: Domain, height: int, width: int,
                   rng: np.random.Generator) -> np.ndarray:
    """Even motion of an object's middle along a line while it turns about it, (count + 1, 3, 3)."""
    time = trajectory.straight(count)
    direction, farthest = rng.uniform(0, np.pi), np.hypot(*(homography.corners(height, width) - middle).T).max()
    turn = rng.uniform(-domain.rotation, domain.rotation) * min(length / farthest, MOST_TURN)
    step = length * np.array([np.cos(direction), np.sin(direction)])

    def motions(factor: float) -> Motions:
        turned = homography.similarity(factor * turn * time, np.ones(count + 1), middle)
        return [homography.centred(homography.translation(factor * time[:, None] * step) @ turned)]

    return bounded(motions, _bound(domain), height, width)[0]


def _development(domain: Domain, rng: np.random.Generator) -> Development:
    noise, seed = rng.uniform(*domain.noise) / 255, int(rng.integers(1 << 63))
    bayer = bool(rng.random() < domain.bayer)
    quality = int(rng.integers(domain.jpeg_quality[0], domain.jpeg_quality[1] + 1))
    return Development(domain.response, noise, domain.read_noise, seed, bayer,
                       quality if rng.random() < domain.jpeg else None)
