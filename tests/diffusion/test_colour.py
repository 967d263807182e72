"""The colour correction's two bands against closed forms."""

import math

import pytest
import torch

from glowdeblur_plugin.diffusion.colour import LEVELS, correct_colour, low_band

SIDE, BORDER = 160, 2**LEVELS


def _wave(period: float, amplitude: float = 1.0, axis: int = 1) -> torch.Tensor:
    """A wave of so many pixels along an axis of a picture (1, 1, SIDE, SIDE)."""
    place = torch.arange(SIDE, dtype=torch.float64)
    wave = amplitude * torch.cos(2 * math.pi * place / period + 0.4)
    return (wave if axis else wave[:, None]).expand(1, 1, SIDE, SIDE)


def _inside(picture: torch.Tensor) -> torch.Tensor:
    """The part that no border has reached."""
    return picture[..., BORDER:-BORDER, BORDER:-BORDER]


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('period', [7.0, 20.0, 50.0, 100.0, 1000.0])
def test_the_low_band_keeps_the_product_of_squared_cosines(period: float, axis: int) -> None:
    gain = math.prod(math.cos(math.pi * 2**level / period)**2 for level in range(LEVELS))
    wave = _wave(period, axis=axis)
    assert torch.allclose(_inside(low_band(wave)), gain * _inside(wave), atol=1e-12)


@pytest.mark.parametrize('fine', [32.0, 16.0, 32 / 3, 2.0])
def test_coarse_waves_come_from_the_guide_and_fine_ones_from_the_picture(fine: float) -> None:
    """Waves that fit a whole number of times into 32 pixels are not in the low band at all, and means are wholly in it."""
    picture = 0.3 + _wave(fine, 0.2) + _wave(fine, 0.1, axis=0)
    guide = 0.6 + _wave(fine, 0.4) - _wave(fine, 0.3, axis=0)
    corrected = correct_colour(picture, guide)
    assert torch.allclose(_inside(corrected), _inside(picture + 0.3), atol=1e-12)
    assert torch.allclose(_inside(_inside(low_band(corrected))), _inside(_inside(low_band(guide))), atol=1e-12)


def test_a_slow_change_of_colour_is_taken_over_almost_whole() -> None:
    picture, tint = _wave(5, 0.3), _wave(2000, 0.2)
    corrected = correct_colour(picture, _wave(5, 0.3) + tint)
    assert (_inside(corrected) - _inside(picture + tint)).abs().max() < 0.2 * 0.002


def test_a_perfect_restoration_with_a_perfect_guide_is_unchanged() -> None:
    picture = torch.rand(2, 3, 40, 24)
    assert torch.equal(correct_colour(picture, picture.clone()), picture)


@pytest.mark.parametrize('size', [(1, 1), (5, 70)])
def test_pictures_of_any_size_take_over_the_colour_of_a_flat_guide(size: tuple[int, int]) -> None:
    flat = torch.full((1, 3, *size), 0.25, dtype=torch.float64)
    assert torch.allclose(correct_colour(flat, flat + 0.5), flat + 0.5, atol=1e-12)
