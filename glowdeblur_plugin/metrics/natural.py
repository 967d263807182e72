"""NIQE without further packages: BasicSR carries its parameters."""

import warnings

import numpy as np
from basicsr.metrics.niqe import calculate_niqe

from glowdeblur_plugin.metrics.measure import PictureFailed, require_size

BLOCK = 96


def niqe(restored: np.ndarray) -> float:
    """NIQE (Mittal et al., SPL 2013) of a picture, RGB float64 (H, W, 3) in [0, 1], on its luma, as BasicSR has it. It needs
    two blocks of 96x96 pixels to have a covariance, and prefers some outputs to sharp photographs: never quote it alone.

    Raises:
        PictureFailed: too small, or without any texture.
    """
    height, width = restored.shape[:2]
    require_size('niqe', restored, BLOCK, BLOCK)
    if (height // BLOCK) * (width // BLOCK) < 2:
        raise PictureFailed(f'niqe: needs two blocks of {BLOCK}x{BLOCK} pixels, found {width}x{height}')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', RuntimeWarning)
            return calculate_niqe(restored[..., ::-1] * 255, crop_border=0)
    except np.linalg.LinAlgError:
        raise PictureFailed('niqe: the picture has too little texture') from None
