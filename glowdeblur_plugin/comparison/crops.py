"""Which part of a picture shows best how methods differ."""

from collections.abc import Sequence

import cv2
import numpy as np

SHARE = 5
SMALLEST, LARGEST = 32, 160
STEP = 4


def crop_side(height: int, width: int) -> int:
    """Side in pixels of the square that is shown magnified: a fifth of the shorter side, from 32 to 160, if it fits."""
    return min(max(min(height, width) // SHARE, SMALLEST), LARGEST, height, width)


def telling_crop(pictures: Sequence[np.ndarray], side: int) -> tuple[int, int]:
    """Top and left of the square in which pictures of one scene differ most: the largest mean variance over the pictures. Our
    choice; what all of them share, such as a flat sky, has none.

    Args:
        pictures: at least one, uint8 RGB (H, W, 3) of one size.
        side: of the square in pixels, at most H and W.
    """
    height, width = pictures[0].shape[:2]
    light = np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]).astype(np.float32)
    sums = cv2.integral(light.var(axis=0))
    tops, lefts = (np.append(np.arange(0, length - side, STEP), length - side) for length in (height, width))
    bottom, right = tops + side, lefts + side
    totals = (sums[np.ix_(bottom, right)] - sums[np.ix_(tops, right)] - sums[np.ix_(bottom, lefts)] + sums[np.ix_(tops, lefts)])
    row, column = np.unravel_index(np.argmax(totals), totals.shape)
    return int(tops[row]), int(lefts[column])
