"""The evaluation of RealBlur and RSBlur: align the restored picture with the sharp one, then compare where they overlap.

Rim et al., ECCV 2020 and 2022; the steps are those of their published evaluation.
"""

import hashlib
import threading
from typing import NamedTuple

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from glowdeblur_plugin.metrics.fidelity import DEVIATION, WINDOW, psnr_of_error
from glowdeblur_plugin.metrics.measure import PictureFailed, require_size

ITERATIONS, SMOOTHING = 100, 5


class Aligned(NamedTuple):
    """`restored` and `sharp`, float32 (H, W, 3), zero outside of `mask`, float32 (H, W, 3) of 0 and 1: where the restored
    picture has light after the warp."""

    restored: np.ndarray
    sharp: np.ndarray
    mask: np.ndarray


def align(restored: np.ndarray, sharp: np.ndarray) -> Aligned:
    """Fit the restored picture to the sharp one: a gain, then a homography, by which it is warped with cubic interpolation.

    The gain is the least-squares one of the pictures as they come. Since that is before the alignment, it is biased towards
    dark, and even a perfect restoration that lies elsewhere does not reach its own score; so it is in the published figures.
    The homography maximises the correlation (ECC, Evangelidis and Psarakis, TPAMI 2008) of the grey pictures smoothed with a
    window of 5, in 100 iterations without a stop before. Published figures were made with OpenCV 4.2, which rounds where a
    pixel comes from to 1/32; versions from 5 on do not, which changes the PSNR by about 0.01 dB.

    Args:
        restored, sharp: (H, W, 3) in [0, 1].

    Raises:
        PictureFailed: the iterations diverge, or the pictures do not overlap.
    """
    restored, sharp = restored.astype(np.float32), sharp.astype(np.float32)
    height, width = sharp.shape[:2]
    energy = float(np.square(restored, dtype=np.float64).sum())
    if energy == 0:
        raise PictureFailed('alignment: the restored picture is black')
    gained = restored * np.float32(np.multiply(sharp, restored, dtype=np.float64).sum() / energy)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ITERATIONS, 0)
    try:
        _, homography = cv2.findTransformECC(cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY), cv2.cvtColor(gained, cv2.COLOR_RGB2GRAY),
                                             np.eye(3, dtype=np.float32), cv2.MOTION_HOMOGRAPHY, criteria, None, SMOOTHING)
    except cv2.error as error:
        raise PictureFailed(f'alignment: ECC found no homography ({" ".join(str(error.err).split())})') from error
    warped = cv2.warpPerspective(gained, homography, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
                                 borderMode=cv2.BORDER_REFLECT)
    mask = cv2.warpPerspective(np.ones_like(gained), homography, (width, height),
                               flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    if not mask.any() or not np.isfinite(warped).all():
        raise PictureFailed('alignment: the homography that ECC found moves the picture out of itself')
    return Aligned(warped * mask, sharp * mask, mask)


class Alignments(threading.local):
    """`align` that remembers the last pair of each thread, so that several metrics of a picture share one alignment, or its
    failure."""

    def __init__(self) -> None:
        self._key = b''
        self._found: Aligned | PictureFailed | None = None

    def __call__(self, restored: np.ndarray, sharp: np.ndarray) -> Aligned:
        """See `align`."""
        digest = hashlib.blake2b(str(restored.shape).encode())
        for picture in (restored, sharp):
            digest.update(np.ascontiguousarray(picture))
        if self._key != digest.digest():
            try:
                self._found = align(restored, sharp)
            except PictureFailed as error:
                self._found = error
            self._key = digest.digest()
        if isinstance(self._found, PictureFailed):
            raise PictureFailed(str(self._found))
        return self._found


def masked_psnr(pair: Aligned) -> float:
    """PSNR in dB within the mask."""
    error = np.square(pair.restored - pair.sharp).sum(dtype=np.float64) / pair.mask.sum(dtype=np.float64)
    return psnr_of_error(float(error))


def masked_ssim(pair: Aligned) -> float:
    """SSIM of each channel, as in `fidelity.ssim_2d`, averaged within the mask over the windows inside the picture; windows at
    the mask's rim see the black outside of it.

    Raises:
        PictureFailed: a side below 11 pixels, or a mask that lies at the picture's border alone.
    """
    require_size('ssim-2d', pair.sharp, WINDOW, WINDOW)
    _, values = structural_similarity(pair.sharp.astype(np.float64), pair.restored.astype(np.float64), channel_axis=-1,
                                      gaussian_weights=True, sigma=DEVIATION, use_sample_covariance=False, data_range=1.0,
                                      full=True)
    rim = WINDOW // 2
    inner, mask = (array[rim:-rim, rim:-rim] for array in (values * pair.mask, pair.mask))
    count = mask.sum(axis=(0, 1), dtype=np.float64)
    if not count.all():
        raise PictureFailed('ssim-2d: after the alignment the pictures overlap at their border alone')
    return float((inner.sum(axis=(0, 1)) / count).mean())
