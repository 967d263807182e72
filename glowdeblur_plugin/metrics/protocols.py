"""Named ways to compare a restored picture with the sharp one: figures of different protocols never share a column."""

from dataclasses import dataclass

import numpy as np

LUMA = np.array([65.481, 128.553, 24.966]) / 255
LUMA_OF_BLACK = 16 / 255


@dataclass(frozen=True)
class Protocol:
    """What is done to the pictures before they are compared.

    Attributes:
        name: as option files, tables and stored results have it.
        label: the same in words.
        levels: the value of white where pictures are rounded to whole levels, as in a file of 8 or 16 bit; None where they are
            compared as they are, within [0, 1].
        luma: compare the luma alone.
        aligned: fit gain and homography of the restored picture to the sharp one and compare where they overlap, see
            alignment.py.
        clipped: bring the aligned picture back into [0, 1], beyond which gain and cubic interpolation may leave it.
    """

    name: str
    label: str
    levels: int | None
    luma: bool = False
    aligned: bool = False
    clipped: bool = False

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """The picture, RGB (H, W, 3), clamped to [0, 1] and rounded, in float64; of luma (H, W, 1), not rounded once more, as
        in BasicSR."""
        values = np.clip(picture.astype(np.float64), 0, 1)
        if self.levels is not None:
            values = np.rint(values * self.levels) / self.levels
        return (values @ LUMA + LUMA_OF_BLACK)[..., None] if self.luma else values


PROTOCOLS = {protocol.name: protocol for protocol in (
    Protocol('rgb-u8', 'RGB, rounded to 8 bit', 255),
    Protocol('rgb-u16', 'RGB, rounded to 16 bit', 65535),
    Protocol('rgb-float', 'RGB, clamped, not rounded', None),
    Protocol('y', 'BT.601 luma, 16 to 235, of the RGB rounded to 8 bit', 255, luma=True),
    Protocol('realblur-aligned', 'RealBlur: gain and ECC homography, masked', 255, aligned=True),
    Protocol('rsblur', 'RSBlur: gain and ECC homography, clipped, masked', 255, aligned=True, clipped=True),
)}
