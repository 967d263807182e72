"""The named blur domains: one table of parameter sets. All figures are our choice, by eye after the sets they are named for."""

from dataclasses import dataclass
from typing import Literal, get_args

from glowdeblur_plugin.data.simulate.camera import Response

Kind = Literal['shake', 'linear', 'object', 'defocus']


@dataclass(frozen=True)
class Domain:
    """Which blur and which camera.

    Attributes:
        kinds: kind of blur -> weight. `shake`: hand shake; `linear`: the whole picture moves evenly along a line; `object`: an
            object moves along a line before a background at rest or shaking; `defocus`: out of focus.
        blur_length: smallest and largest blur length in pixels, drawn evenly: sqrt(12) x the standard deviation of a point's
            positions along their principal direction (the way's length if straight); of the picture's middle or the object.
        noise: smallest and largest photon noise: standard deviation in linear light at white, in 1/255 of full scale. After an
            sRGB response the noise of an 8-bit picture has about half this standard deviation, much alike at all levels.
        response: `srgb`, `gamma22` or `none`.
        highlights: smallest and largest light that a white pixel of the sharp picture stands for (1: nothing saturates).
        rotation: largest turn of a shaking camera, as the share of the blur length that it adds in the picture's corners.
        read_noise: read-out noise as a share of the photon noise at white.
    """

    kinds: dict[Kind, float]
    blur_length: tuple[float, float]
    noise: tuple[float, float]
    response: Response = 'srgb'
    highlights: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.5
    read_noise: float = 0.03


DOMAINS: dict[str, Domain] = {
    'pretraining': Domain({'shake': 0.45, 'linear': 0.15, 'object': 0.3, 'defocus': 0.1}, (1, 32), (0, 4), highlights=(1, 4)),
    'gopro': Domain({'shake': 0.5, 'object': 0.5}, (2, 24), (0, 0.5), response='none', rotation=0.3),
    'realblur': Domain({'shake': 0.9, 'defocus': 0.1}, (2, 24), (1, 6), highlights=(1, 8)),
    'rsblur': Domain({'shake': 0.5, 'object': 0.5}, (3, 28), (0.5, 4), highlights=(1, 5)),
    'bsd': Domain({'shake': 0.4, 'linear': 0.1, 'object': 0.5}, (2, 16), (0.5, 3), highlights=(1, 3), rotation=0.3),
}

KINDS: tuple[str, ...] = get_args(Kind)
