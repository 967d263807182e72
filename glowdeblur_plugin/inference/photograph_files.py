"""A restored photograph as the bytes of a file: by Pillow, but for 16-bit colours, which it lacks, and TIFF."""

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from glowdeblur_plugin.data.decode import PICTURE_SUFFIXES
from glowdeblur_plugin.errors import UserError

if TYPE_CHECKING:
    from glowdeblur_plugin.inference.photographs import Photograph

JPEG, TIFF = ('.jpg', '.jpeg'), ('.tif', '.tiff')
DEEP, PLAIN_COLOURS = ('.png', *TIFF), ('.bmp',)
PILLOW_SETTINGS = {'.png': {'format': 'PNG'}, '.webp': {'format': 'WEBP', 'lossless': True, 'exact': True},
                   **dict.fromkeys(JPEG, {'format': 'JPEG', 'quality': 95, 'subsampling': 0})}
PNG_START = 8 + 25  # signature and IHDR
EXIF_START = len(b'Exif\0\0')
DEFLATE, HORIZONTAL_DIFFERENCES, UNASSOCIATED_ALPHA, BLACK_IS_ZERO, RGB = 8, 2, 2, 1, 2


def encode_photograph(path: Path, photograph: 'Photograph', picture: np.ndarray) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of a file of the format that the suffix names, and what that format cannot keep.

    JPEG is written with quality 95 and whole colours (4:4:4), WebP without loss.

    Raises:
        UserError: a suffix that is not known.
    """
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise UserError(f'{path}: pictures are written as {", ".join(PICTURE_SUFFIXES)}')
    lost = {'alpha': photograph.alpha is not None and suffix in JPEG,
            'EXIF': photograph.exif is not None and suffix in PLAIN_COLOURS,
            'the colour profile': photograph.icc is not None and suffix in PLAIN_COLOURS,
            '16 bit': photograph.depth == 16 and suffix not in DEEP}
    depth = 8 if lost['16 bit'] else photograph.depth
    levels = _levels(photograph, picture, depth, with_alpha=suffix not in JPEG)
    if suffix in TIFF:
        data = _tiff(levels, photograph.exif, photograph.icc)
    elif suffix in PLAIN_COLOURS or depth == 16:
        data = _by_opencv(levels, suffix)
        if suffix == '.png':
            data = _with_chunks(data, photograph.exif, photograph.icc)
    else:
        buffer = io.BytesIO()
        metadata = {name: value for name, value in (('exif', photograph.exif), ('icc_profile', photograph.icc)) if value}
        Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels).save(buffer, **PILLOW_SETTINGS[suffix], **metadata)
        data = buffer.getvalue()
    return data, tuple(f'{what} is lost, {suffix} has none' for what, is_lost in lost.items() if is_lost)


def _levels(photograph: 'Photograph', picture: np.ndarray, depth: int, with_alpha: bool) -> np.ndarray:
    """uint8 or uint16 (H, W, C) of 1 to 4 channels, alpha last."""
    dtype, white = (np.uint8, 255) if depth == 8 else (np.uint16, 65535)
    light = picture.mean(axis=2, keepdims=True) if photograph.grey else picture
    levels = np.round(np.clip(light, 0, 1) * np.float32(white)).astype(dtype)
    if photograph.alpha is None or not with_alpha:
        return levels
    alpha = photograph.alpha if photograph.alpha.dtype == dtype else (photograph.alpha // 257).astype(dtype)
    return np.dstack([levels, alpha])


def _by_opencv(levels: np.ndarray, suffix: str) -> bytes:
    """Grey with alpha becomes RGB with alpha, as OpenCV writes no two channels."""
    if levels.shape[2] == 2:
        levels = levels[..., [0, 0, 0, 1]]
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[levels.shape[2]]
    return cv2.imencode(suffix, np.ascontiguousarray(levels[..., order]))[1].tobytes()


def _with_chunks(png: bytes, exif: bytes | None, icc: bytes | None) -> bytes:
    """A PNG file with its colour profile (iCCP) and EXIF tags (eXIf) behind its header; PNG specification, third edition."""
    chunks = b''
    if icc:
        chunks += _chunk(b'iCCP', b'ICC Profile\0\0' + zlib.compress(icc))
    if exif:
        chunks += _chunk(b'eXIf', exif[EXIF_START:])
    return png[:PNG_START] + chunks + png[PNG_START:]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def _tiff(levels: np.ndarray, exif: bytes | None, icc: bytes | None) -> bytes:
    """A TIFF file of one strip: EXIF bytes are a TIFF file without a picture; the tags of one and its levels are added.

    Levels are differences along the rows, deflated (TIFF 6.0, section 14, and Adobe's supplement of 2002).
    """
    height, width, channels = levels.shape
    tags = Image.Exif()
    tags.endian = '<'
    if exif:
        tags.load(exif)
    differences = levels.copy()
    differences[:, 1:] -= levels[:, :-1]
    strip = zlib.compress(differences.astype(differences.dtype.newbyteorder(tags.endian)).tobytes())
    tags.update({256: width, 257: height, 258: (8 * levels.itemsize,) * channels, 259: DEFLATE,
                 262: RGB if channels > 2 else BLACK_IS_ZERO, 277: channels, 278: height, 279: len(strip), 284: 1,
                 317: HORIZONTAL_DIFFERENCES})
    if channels in (2, 4):
        tags[338] = UNASSOCIATED_ALPHA
    if icc:
        tags[34675] = icc
    tags[273] = 0  # Pillow adds where its own bytes end
    return tags.tobytes()[EXIF_START:] + strip
