"""What blurs one sample, drawn from a random generator; `pipeline.render_plan` turns it into pictures."""

from dataclasses import dataclass

import numpy as np

from glowdeblur_plugin.data.simulate import trajectory
from glowdeblur_plugin.data.simulate.domains import Domain

DISK_LENGTH = 3 ** 0.5
STILL_BACKGROUND = 0.5
OUTLINE_POINTS = 48
OUTLINE_WAVES = 4


@dataclass(frozen=True)
class MovingObject:
    """A layer with an outline that moves on its own.

    Attributes:
        outline: (N, 2) x and y of its corners at the middle of the exposure, in pixels of the window.
        path: (K + 1, 3), see `trajectory`; K as in the camera's path.
    """

    outline: np.ndarray
    path: np.ndarray


@dataclass(frozen=True)
class BlurPlan:
    """One exposure of one window.

    Attributes:
        kind: see `Domain.kinds`.
        length: blur length in pixels.
        camera: path of the camera, (K + 1, 3); at rest for `defocus`.
        moving: the object of kind `object`.
        radius: of the disk in pixels, for `defocus`. A disk's standard deviation along an axis is half its radius, so its blur
            length is sqrt(3) x radius.
        highlights: light that a white pixel of the sharp picture stands for.
        noise: standard deviation of the photon noise at white in linear light (full scale 1).
        noise_seed: seed of the noise.
    """

    kind: str
    length: float
    camera: np.ndarray
    moving: MovingObject | None
    radius: float
    highlights: float
    noise: float
    noise_seed: int


def margin(domain: Domain) -> int:
    """Pixels needed around a window of this domain: its largest displacement, and one for interpolation."""
    return int(np.ceil(domain.blur_length[1] * (1 + domain.rotation))) + 1


def draw_plan(domain: Domain, height: int, width: int, rng: np.random.Generator) -> BlurPlan:
    """Draw the blur of a window of height x width pixels."""
    weights = np.array(list(domain.kinds.values()))
    kind = list(domain.kinds)[rng.choice(len(weights), p=weights / weights.sum())]
    length = rng.uniform(*domain.blur_length)
    camera, moving, radius = trajectory.rest(), None, 0.0
    if kind == 'shake':
        camera = _shake(length, domain, height, width, rng)
    elif kind == 'linear':
        line = trajectory.straight(rng.uniform(0, np.pi))
        camera = trajectory.scaled(line, length, 0, trajectory.frame_count(line, length))
    elif kind == 'object':
        camera, moving = _object_before_background(length, domain, height, width, rng)
    else:
        radius = length / DISK_LENGTH
    return BlurPlan(kind, length, camera, moving, radius, highlights=rng.uniform(*domain.highlights),
                    noise=rng.uniform(*domain.noise) / 255, noise_seed=int(rng.integers(1 << 63)))


def _shake(length: float, domain: Domain, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    path = trajectory.shake(rng)
    turn = rng.uniform(0, domain.rotation) * length / (np.hypot(height, width) / 2)
    return trajectory.scaled(path, length, turn, trajectory.frame_count(path, length))


def _object_before_background(length: float, domain: Domain, height: int, width: int,
                              rng: np.random.Generator) -> tuple[np.ndarray, MovingObject]:
    line = trajectory.straight(rng.uniform(0, np.pi))
    outline = _outline(height, width, rng)
    if rng.random() < STILL_BACKGROUND:
        return trajectory.rest(), MovingObject(outline, trajectory.scaled(line, length, 0, trajectory.frame_count(line, length)))
    camera = _shake(rng.uniform(0, length), domain, height, width, rng)
    frames = max(len(camera) - 1, trajectory.frame_count(line, length))
    return trajectory.resampled(camera, frames), MovingObject(outline, trajectory.scaled(line, length, 0, frames))


def _outline(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A wavy blob in the left or right half: near the middle the mirrored picture it shows would be like what it covers."""
    angles = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    waves = np.arange(1, OUTLINE_WAVES + 1)
    strength, phase = rng.uniform(0, 0.4, OUTLINE_WAVES) / waves, rng.uniform(0, 2 * np.pi, OUTLINE_WAVES)
    radius = 1 + (strength * np.cos(waves * angles[:, None] + phase)).sum(axis=1)
    middle = np.array([width * (rng.uniform(0.15, 0.35) + 0.5 * rng.integers(2)), height * rng.uniform(0.25, 0.75)])
    size = min(height, width) * rng.uniform(0.15, 0.35)
    stretch = rng.uniform(0.6, 1.6)
    return middle + size * radius[:, None] * np.stack([np.cos(angles) * stretch, np.sin(angles) / stretch], axis=1)
