"""Pictures that metrics are tried on."""

import cv2
import numpy as np
from skimage import data


def sharp(height: int = 96, width: int = 120, name: str = 'astronaut') -> np.ndarray:
    """A part of a photograph, 8-bit values as float32 RGB (height, width, 3) in [0, 1]."""
    picture = getattr(data, name)()[60:60 + height, 150:150 + width]
    return picture.astype(np.float32) / 255


def degraded(picture: np.ndarray, seed: int = 0) -> np.ndarray:
    """The picture blurred and noisy, not rounded, beyond [0, 1] in places."""
    noise = np.random.default_rng(seed).normal(0, 0.04, picture.shape)
    return (cv2.GaussianBlur(picture, (0, 0), 1.2) + noise).astype(np.float32)
