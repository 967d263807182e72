"""Files of pictures: where a comparison keeps them, and how they are read and written."""

from pathlib import Path

import cv2
import numpy as np

from glowdeblur_plugin.data.decode import decode_picture, read_header
from glowdeblur_plugin.drawing import encode_png
from glowdeblur_plugin.files import write_atomically

SIXTEEN_BIT = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


def picture_path(folder: Path, set_name: str, method: str, picture: str) -> Path:
    """Where a comparison keeps a picture, 8-bit."""
    return folder / 'pictures' / set_name / method / f'{picture}.png'


def read_picture(path: Path) -> np.ndarray:
    """A picture file as float32 RGB (H, W, 3) in [0, 1]; of 16 bit nothing is lost.

    Raises:
        UserError: not a picture, or a damaged one.
    """
    sixteen = read_header(path).kind.startswith('16-bit')
    data = path.read_bytes()
    if sixteen:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), SIXTEEN_BIT)
        if picture is not None and picture.dtype == np.uint16:
            return np.ascontiguousarray(picture[..., ::-1], np.float32) / 65535
    return decode_picture(data, str(path)).astype(np.float32) / 255


def keep_picture(path: Path, picture: np.ndarray) -> None:
    """Write a float RGB picture (H, W, 3) in [0, 1] as a PNG file of 8 bit, whole or not at all."""
    write_atomically(path, encode_png(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)))
