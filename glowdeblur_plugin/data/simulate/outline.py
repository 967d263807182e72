"""Outlines of the layers that cover a part of the picture, and their cover."""

import cv2
import numpy as np

POINTS = 48
WAVES = 4
EDGE_BLUR = 0.8


def blob(height: int, width: int, right: bool, rng: np.random.Generator) -> np.ndarray:
    """A wavy blob in the left or right half of a window, (48, 2) x and y from its middle.

    Near the middle, the mirrored picture that an object shows would be like what it covers.
    """
    angles = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    waves = np.arange(1, WAVES + 1)
    strength, phase = rng.uniform(0, 0.4, WAVES) / waves, rng.uniform(0, 2 * np.pi, WAVES)
    radius = 1 + (strength * np.cos(waves * angles[:, None] + phase)).sum(axis=1)
    middle = np.array([width * (rng.uniform(0.15, 0.35) + 0.5 * right - 0.5), height * rng.uniform(-0.25, 0.25)])
    size = min(height, width) * rng.uniform(0.15, 0.35)
    stretch = rng.uniform(0.6, 1.6)
    return middle + size * radius[:, None] * np.stack([np.cos(angles) * stretch, np.sin(angles) / stretch], axis=1)


def cover(outline: np.ndarray, height: int, width: int) -> np.ndarray:
    """Share of each pixel that lies within an outline, uint8 (height, width) in 0..255, with an edge two pixels soft.

    Args:
        outline: (N, 2) x and y of its corners from the middle of the picture.
    """
    points = np.round((outline + [(width - 1) / 2, (height - 1) / 2]) * 16).astype(np.int32)
    filled = np.zeros((height, width), np.uint8)
    cv2.fillPoly(filled, [points], 255, lineType=cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(filled, (0, 0), EDGE_BLUR)
