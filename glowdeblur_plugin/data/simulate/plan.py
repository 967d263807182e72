"""What blurs one sample, drawn from a random generator; `pipeline.render_plan` turns it into pictures."""

from dataclasses import dataclass

import numpy as np

from glowdeblur_plugin.data.simulate.develop import Development
from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.scene import Bounds, Layer, flat_scene, moving_objects, nearer_layers, still_scene

DISK_LENGTH = 3 ** 0.5


@dataclass(frozen=True)
class BlurPlan:
    """One exposure of one window.

    Attributes:
        kind: see `Domain.kinds`.
        length: blur length in pixels; with a rolling shutter, over the time from the first to the last row's exposure.
        background: motion (K + 1, 3, 3), or of every row, (K + 1, H, 3, 3), with a rolling shutter; see `homography`.
        layers: before the background, from far to near; at most two.
        weights: (K), or (K, H) with a rolling shutter: how much of the exposure each sub-frame stands for; their sum is 1.
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
    weights: np.ndarray
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
    bounds, radius = Bounds(height, width, limit=_bound(domain)), 0.0
    if kind == 'defocus':
        scene, radius = still_scene(), length / DISK_LENGTH
    elif kind == 'object':
        scene = moving_objects(length, domain, bounds, rng)
    elif kind == 'parallax':
        scene = nearer_layers(length, domain, bounds, rng)
    else:
        scene = flat_scene(kind, length, domain, bounds, rng)
    highlights = float(np.exp(rng.uniform(*np.log(domain.highlights))))
    return BlurPlan(kind, length, *scene, radius, highlights, _development(domain, rng), margin(domain))


def _development(domain: Domain, rng: np.random.Generator) -> Development:
    noise, seed = rng.uniform(*domain.noise) / 255, int(rng.integers(1 << 63))
    bayer = bool(rng.random() < domain.bayer)
    quality = int(rng.integers(domain.jpeg_quality[0], domain.jpeg_quality[1] + 1))
    return Development(domain.response, noise, domain.read_noise, seed, bayer,
                       quality if rng.random() < domain.jpeg else None)


def _bound(domain: Domain) -> float:
    """How far from a pixel its light may come from, along x or y, in pixels."""
    return domain.blur_length[1] * (1 + domain.rotation)
