"""PSNR and SSIM against independent implementations."""

import cv2
import numpy as np
import pytest
from basicsr.metrics import calculate_psnr, calculate_ssim
from photographs import degraded, sharp
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from glowdeblur_plugin.metrics.catalogue import open_metric

WINDOW = {'gaussian_weights': True, 'sigma': 1.5, 'use_sample_covariance': False, 'data_range': 1.0}


def rounded(picture: np.ndarray, levels: int) -> np.ndarray:
    return np.floor(np.clip(picture.astype(np.float64), 0, 1) * levels + 0.5) / levels


@pytest.mark.parametrize('name', ['astronaut', 'coffee', 'chelsea'])
def test_psnr_and_ssim_are_those_of_scikit_image(name: str) -> None:
    """SSIM there is averaged over the windows inside the picture too, channel by channel."""
    truth = sharp(name=name)
    picture = degraded(truth)
    exact = np.clip(picture.astype(np.float64), 0, 1)
    for protocol, first in (('rgb-u8', rounded(picture, 255)), ('rgb-u16', rounded(picture, 65535)), ('rgb-float', exact)):
        second = truth.astype(np.float64)
        assert open_metric('psnr', protocol)(picture, truth) == pytest.approx(
            peak_signal_noise_ratio(second, first, data_range=1), abs=1e-4)
        assert open_metric('ssim-2d', protocol)(picture, truth) == pytest.approx(
            structural_similarity(second, first, channel_axis=-1, **WINDOW), abs=1e-4)


def test_protocols_differ_by_their_rounding() -> None:
    """Half a level everywhere: 8-bit rounding makes it nothing or a whole level."""
    truth = np.full((16, 16, 3), 100 / 255, np.float32)
    near, far = truth + np.float32(0.49 / 255), truth + np.float32(0.51 / 255)
    assert open_metric('psnr')(near, truth) == float('inf')
    assert open_metric('psnr')(far, truth) == pytest.approx(20 * np.log10(255))
    assert open_metric('psnr', 'rgb-float')(near, truth) == pytest.approx(20 * np.log10(255 / 0.49), abs=1e-3)
    assert open_metric('psnr', 'rgb-u16')(near, truth) == pytest.approx(20 * np.log10(65535 / round(0.49 * 257)), abs=1e-3)


@pytest.mark.parametrize('border', [0, 7])
def test_8_bit_figures_of_rgb_and_luma_are_those_of_basicsr(border: int) -> None:
    truth = sharp()
    picture = degraded(truth)
    images = [np.clip(np.rint(entry * 255), 0, 255).astype(np.uint8)[..., ::-1] for entry in (picture, truth)]
    for protocol, luma in (('rgb-u8', False), ('y', True)):
        for name, calculate in (('psnr', calculate_psnr), ('ssim-2d', calculate_ssim)):
            expected = calculate(*images, crop_border=border, test_y_channel=luma)
            assert open_metric(name, protocol, border)(picture, truth) == pytest.approx(expected, abs=1e-5)


def test_the_window_over_colours_is_that_of_a_whole_convolution() -> None:
    """In float64, the picture repeated beyond its borders on all three axes; far above the figure channel by channel."""
    truth = sharp(60, 70)
    picture = degraded(truth)
    first, second = rounded(picture, 255), rounded(truth, 255)
    line = np.exp(-np.arange(-5, 6)**2 / (2 * 1.5**2))
    kernel = np.einsum('i,j,k->ijk', line, line, line) / line.sum()**3

    def local_mean(values: np.ndarray) -> np.ndarray:
        return ndimage.convolve(values, kernel, mode='nearest')

    mean1, mean2 = local_mean(first), local_mean(second)
    covariance = local_mean(first * second) - mean1 * mean2
    spread = local_mean(first**2) - mean1**2 + local_mean(second**2) - mean2**2
    values = (2 * mean1 * mean2 + 1e-4) * (2 * covariance + 9e-4) / ((mean1**2 + mean2**2 + 1e-4) * (spread + 9e-4))
    found = open_metric('ssim-3d')(picture, truth)
    assert found == pytest.approx(values.mean(), abs=1e-9)
    assert open_metric('ssim-2d')(picture, truth) < found - 0.05


def test_equal_pictures_are_perfect() -> None:
    truth = sharp(40, 40)
    assert open_metric('psnr')(truth, truth) == float('inf')
    assert open_metric('ssim-2d')(truth, truth) == pytest.approx(1) == open_metric('ssim-3d')(truth, truth)
    assert open_metric('psnr', 'rgb-float')(cv2.blur(truth, (3, 3)), truth) < 40
