"""Photographs as people keep them: what a network does not see is kept beside what it sees."""

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glowdeblur_plugin.data.decode import GREY_MODES, JPEG_FORMATS, ORIENTATION_TAG, decode_levels, depth_of, open_header
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.inference.photograph_files import encode_photograph
from glowdeblur_plugin.inference.tags import UPRIGHT, kept_tags

# Rows reversed, columns reversed, then rows and columns exchanged; by EXIF's number of the orientation.
TURNS = {2: (False, True, False), 3: (True, True, False), 4: (True, False, False), 5: (False, False, True),
         6: (True, False, True), 7: (True, True, True), 8: (False, True, True)}
TURNED_BY_DECODER = (*JPEG_FORMATS, 'TIFF')
DAMAGED_TAGS = (OSError, ValueError, TypeError, KeyError, AttributeError, SyntaxError, OverflowError, struct.error)


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A decoded photograph.

    Attributes:
        picture: float32 RGB (H, W, 3) in [0, 1] at the file's full precision, upright; grey is repeated to three channels.
        grey: whether the file holds one channel of light.
        depth: bits of a level, 8 or 16.
        alpha: uint8 or uint16 (H, W), upright; None where the file has none.
        exif: its tags as bytes that start with `Exif`, with the orientation reset; None where it has none.
        icc: its colour profile; None where it has none.
        notes: what of the file will not be kept, a few words each.
    """

    picture: np.ndarray
    grey: bool
    depth: int
    alpha: np.ndarray | None = None
    exif: bytes | None = None
    icc: bytes | None = None
    notes: tuple[str, ...] = ()


def read_photograph(path: Path) -> Photograph:
    """Read a picture file with all that is kept of it: alpha, EXIF tags, colour profile and depth.

    CMYK becomes RGB without its profile, and of several pictures in a file the first is read; `notes` say so.

    Raises:
        UserError: not there, not a picture, truncated, too large or of another depth.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror or error})') from None
    header = open_header(io.BytesIO(data), str(path), len(data))
    depth, notes, orientation, exif, count = depth_of(header), [], UPRIGHT, None, 1
    icc = header.info.get('icc_profile')
    if header.mode == 'CMYK':
        icc = None
        notes.append('CMYK becomes RGB, without its colour profile')
    with warnings.catch_warnings(record=True) as damages:
        warnings.simplefilter('always')
        try:
            tags = header.getexif()
            orientation = tags.get(ORIENTATION_TAG, UPRIGHT)
            exif = kept_tags(tags, header.format)
            count = getattr(header, 'n_frames', 1)
        except DAMAGED_TAGS as error:
            damages.append(error)
        levels = decode_levels(header, data, str(path))
    if count > 1:
        notes.append(f'holds {count} pictures, of which the first is taken')
    if damages:
        notes.append('its EXIF or its list of pictures is damaged; what can be read of it is kept')
    if header.format not in TURNED_BY_DECODER:
        levels = _turned(levels, orientation)
    return Photograph(picture=levels[..., :3] / np.float32(2 ** depth - 1),
                      grey=header.mode[0] in GREY_MODES,
                      depth=depth,
                      alpha=levels[..., 3].copy() if levels.shape[2] == 4 else None,
                      exif=exif,
                      icc=icc,
                      notes=tuple(notes))


def write_photograph(path: Path, photograph: Photograph, picture: np.ndarray) -> tuple[str, ...]:
    """Write a restored picture as the photograph it came from, as a whole or not at all; the suffix of `path` says the format.

    Grey is the mean of the channels; alpha, EXIF tags and colour profile are those of the photograph.

    Args:
        picture: float RGB (H, W, 3) of the photograph's size, clamped to [0, 1] and rounded to its depth.

    Returns:
        What the format cannot keep, a few words each.

    Raises:
        UserError: another size, a suffix that is not known, or a file that cannot be written.
    """
    if picture.shape != photograph.picture.shape:
        raise UserError(f'{path}: the picture to write is {picture.shape}, the photograph is {photograph.picture.shape}')
    data, lost = encode_photograph(path, photograph, picture)
    write_atomically(path, data)
    return lost


def _turned(levels: np.ndarray, orientation: int) -> np.ndarray:
    if orientation not in TURNS:
        return levels
    rows, columns, exchanged = TURNS[orientation]
    levels = levels[::-1 if rows else 1, ::-1 if columns else 1]
    return np.ascontiguousarray(levels.transpose(1, 0, 2) if exchanged else levels)
