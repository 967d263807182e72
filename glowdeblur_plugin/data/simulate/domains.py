"""The named blur domains: one table of parameter sets.

All figures are our choice, after how each set was made and by eye beside it: GoPro is a plain mean of 240 fps frames, REDS of
frames interpolated from 120 fps with compressed variants, RealBlur is hand shake in dim light, RSBlur and BSD look through a
beam splitter, GSBlur renders smooth random camera paths in scenes with depth. `pretraining` covers them all, since broad blur
carries over best (mean over seven test sets of a probe trained on each, by the GLOWDeblur authors' project page: GSBlur 29.9 dB,
RSBlur 29.0, RealBlur 27.1). `gentle` is what minutes of training can undo.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from glowdeblur_plugin.data.simulate.camera import Response
from glowdeblur_plugin.errors import UserError

Kind = Literal['shake', 'spline', 'linear', 'zoom', 'rotation', 'object', 'parallax', 'defocus']


@dataclass(frozen=True)
class Domain:
    """Which blur and which camera.

    Attributes:
        kinds: kind of blur -> weight. Of a camera before a flat scene: `shake` (hand shake in six degrees of freedom), `spline`
            (along a smooth curve), `linear` (even motion along a line), `zoom` and `rotation` (even, about a point in
            the picture). `object`: one or two objects move before a background at rest or shaking; `parallax`: a moving camera
            before one or two nearer layers; `defocus`: out of focus.
        blur_length: smallest and largest blur length in pixels, drawn evenly: sqrt(12) x the standard deviation of a point's
            positions along their principal direction (the way's length if straight). Of the picture's middle for camera
            motion, of the farthest corner for `zoom` and `rotation`, of the object or the nearest layer.
        direction: smallest and largest direction of even motion along a line (`linear`) in degrees, from x to the right towards
            y downwards, drawn evenly.
        noise: smallest and largest photon noise: standard deviation in linear light at white, in 1/255 of full scale. After an
            sRGB response the noise of an 8-bit picture has about half this standard deviation, much alike at all levels.
        response: `srgb`, `gamma22` or `none` (the 8-bit levels are averaged as they are, so noise would come after it).
        highlights: smallest and largest light that a white pixel of the sharp picture stands for (1: nothing saturates), drawn
            evenly in its logarithm.
        rotation: most that roll and forward motion of a shaking camera, or the turn of an object, add to the blur length in the
            picture's corners, as a share of it.
        read_noise: read-out noise as a share of the photon noise at white.
        bayer: chance that the blurry picture is demosaiced from a colour filter mosaic, noise included; without noise that
            still softens it, and it alone, a little.
        rolling_shutter: chance that a blur of a camera before a flat scene is read out row by row.
        readout: smallest and largest time between the first and the last row's read-out, as a share of the exposure.
        jpeg: chance of JPEG compression.
        jpeg_quality: its smallest and largest quality, drawn evenly.

    Raises:
        UserError: noise or a mosaic with `response: none`.
    """

    kinds: dict[Kind, float]
    blur_length: tuple[float, float]
    noise: tuple[float, float]
    response: Response = 'srgb'
    direction: tuple[float, float] = (0.0, 180.0)
    highlights: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.5
    read_noise: float = 0.03
    bayer: float = 0.0
    rolling_shutter: float = 0.0
    readout: tuple[float, float] = (0.2, 1.0)
    jpeg: float = 0.0
    jpeg_quality: tuple[int, int] = (70, 95)

    def __post_init__(self) -> None:
        if self.response == 'none' and self.noise[1] > 0:
            raise UserError(f'noise: {list(self.noise)} with response none would come after the camera response; '
                            'set it to [0, 0], or take a domain whose response is srgb or gamma22')
        if self.response == 'none' and self.bayer > 0:
            raise UserError(f'bayer: {self.bayer:g} with response none would come after the camera response; set it to 0, or '
                            'take a domain whose response is srgb or gamma22')


DOMAINS: dict[str, Domain] = {
    'pretraining': Domain(
        {'shake': 0.3, 'spline': 0.1, 'linear': 0.1, 'zoom': 0.04, 'rotation': 0.04, 'object': 0.22, 'parallax': 0.1,
         'defocus': 0.1},
        blur_length=(1, 32), noise=(0, 4), highlights=(1, 8), bayer=0.3, rolling_shutter=0.15, jpeg=0.3),
    'gopro': Domain({'spline': 0.4, 'shake': 0.1, 'object': 0.35, 'parallax': 0.15},
                    blur_length=(2, 32), noise=(0, 0), response='none', rotation=0.3),
    'reds': Domain({'spline': 0.35, 'shake': 0.15, 'object': 0.3, 'parallax': 0.2},
                   blur_length=(2, 32), noise=(0, 0.5), response='gamma22', rotation=0.3, jpeg=0.5, jpeg_quality=(25, 90)),
    'realblur': Domain({'shake': 0.75, 'parallax': 0.15, 'defocus': 0.1},
                       blur_length=(2, 24), noise=(1, 6), highlights=(1, 16), bayer=0.7, jpeg=0.5, jpeg_quality=(88, 98)),
    'rsblur': Domain({'shake': 0.4, 'object': 0.4, 'parallax': 0.2},
                     blur_length=(3, 28), noise=(0.5, 4), highlights=(1, 5), bayer=0.7),
    'bsd': Domain({'spline': 0.3, 'shake': 0.1, 'object': 0.45, 'parallax': 0.15},
                  blur_length=(2, 16), noise=(0.5, 3), highlights=(1, 3), rotation=0.3, bayer=0.5),
    'gsblur': Domain({'spline': 0.6, 'parallax': 0.4}, blur_length=(2, 30), noise=(0.5, 4), highlights=(1, 2), rotation=0.6),
    'gentle': Domain({'linear': 0.6, 'shake': 0.4}, blur_length=(4, 9), noise=(0, 0.5), highlights=(1, 4)),
}

KINDS: tuple[str, ...] = get_args(Kind)
