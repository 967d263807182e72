"""How near a restored picture is to the sharp one, pixel by pixel and window by window."""

from collections.abc import Callable

import cv2
import numpy as np

from glowdeblur_plugin.metrics.measure import require_size

WINDOW, DEVIATION = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def psnr(restored: np.ndarray, sharp: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1] of one shape; infinite where they are equal."""
    return psnr_of_error(float(np.square(restored - sharp).mean()))


def psnr_of_error(error: float) -> float:
    """PSNR in dB of a mean square error, white being 1."""
    return float('inf') if error == 0 else float(-10 * np.log10(error))


def ssim_2d(restored: np.ndarray, sharp: np.ndarray) -> float:
    """SSIM (Wang et al., TIP 2004) of each channel with a Gaussian window of 11x11, deviation 1.5, averaged over the windows
    that lie inside the picture and over the channels, as BasicSR has it.

    Args:
        restored, sharp: float64 (H, W, C) in [0, 1].

    Raises:
        PictureFailed: a side below 11 pixels.
    """
    require_size('ssim-2d', sharp, WINDOW, WINDOW)
    kernel, rim = cv2.getGaussianKernel(WINDOW, DEVIATION), WINDOW // 2

    def local_mean(picture: np.ndarray) -> np.ndarray:
        return np.atleast_3d(cv2.sepFilter2D(picture, -1, kernel, kernel))[rim:-rim, rim:-rim]

    return float(_ssim_map(restored, sharp, local_mean).mean())


def ssim_3d(restored: np.ndarray, sharp: np.ndarray) -> float:
    """SSIM with a Gaussian window of 11x11x11 that goes over the colours too, the picture repeated beyond its borders: MATLAB's
    `ssim` of a colour picture and NAFNet's. Higher than `ssim_2d` by far; not to be compared with it.

    With three colours, the third axis of the window amounts to a 3x3 matrix.

    Args:
        restored, sharp: float64 (H, W, 3) in [0, 1].
    """
    kernel, rim = cv2.getGaussianKernel(WINDOW, DEVIATION), WINDOW // 2
    over_colours = np.zeros((3, 3))
    for colour in range(3):
        for tap in range(WINDOW):
            over_colours[np.clip(colour + tap - rim, 0, 2), colour] += kernel[tap, 0]

    def local_mean(picture: np.ndarray) -> np.ndarray:
        return cv2.sepFilter2D(picture, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE) @ over_colours

    return float(_ssim_map(restored, sharp, local_mean).mean())


def _ssim_map(first: np.ndarray, second: np.ndarray, local_mean: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    mean1, mean2 = local_mean(first), local_mean(second)
    variance1, variance2 = local_mean(first * first) - mean1 * mean1, local_mean(second * second) - mean2 * mean2
    covariance = local_mean(first * second) - mean1 * mean2
    return ((2 * mean1 * mean2 + C1) * (2 * covariance + C2)
            / ((mean1 * mean1 + mean2 * mean2 + C1) * (variance1 + variance2 + C2)))
