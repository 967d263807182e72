"""Colours and brightness of a restored picture, corrected towards a guide."""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

LEVELS = 5
ColourName = Literal['none', 'wavelet']


def low_band(picture: Tensor) -> Tensor:
    """What an undecimated wavelet transform of pictures (N, C, H, W) leaves after `LEVELS` levels (Holschneider et al. 1989).

    Level i smooths with (1, 2, 1) / 4 at a spacing of 2^i pixels along both axes; borders repeat. A wave of w radians a pixel
    keeps prod cos^2(2^i w / 2) of its amplitude: those of less than about 32 pixels vanish, the mean stays.
    """
    for level in range(LEVELS):
        gap = 2**level
        padded = F.pad(picture, (0, 0, gap, gap), mode='replicate')
        picture = (padded[..., :-2 * gap, :] + 2 * picture + padded[..., 2 * gap:, :]) / 4
        padded = F.pad(picture, (gap, gap, 0, 0), mode='replicate')
        picture = (padded[..., :-2 * gap] + 2 * picture + padded[..., 2 * gap:]) / 4
    return picture


def correct_colour(picture: Tensor, guide: Tensor) -> Tensor:
    """The low band of `guide` with all finer waves of `picture`, both (N, 3, H, W); not clamped.

    The guide should be the pre-reconstruction: a blurry guide would bring its blur back (our choice; the wavelet correction
    itself is StableSR's, Wang et al. 2023).
    """
    return picture + low_band(guide - picture)
