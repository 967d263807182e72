"""Records of independently compressed tiles, so that a crop decodes only what it covers.

Layout, little-endian: b'GDT1'; height, width and side of a tile (uint32); the tiles' ends in bytes after the table (uint32 each);
the tiles row by row. Tiles at the right and the bottom are as small as what is left.
"""

import struct
from collections.abc import Callable

import cv2
import numpy as np
import zstandard

from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError

MAGIC = b'GDT1'
HEADER = struct.Struct('<4sIII')
TILE = 256


def join_tiles(picture: np.ndarray, encode: Callable[[np.ndarray], bytes]) -> bytes:
    """The record of a picture (H, W, 3), whose tiles `encode` compresses one by one."""
    height, width = picture.shape[:2]
    tiles = [encode(np.ascontiguousarray(picture[top:top + TILE, left:left + TILE]))
             for top in range(0, height, TILE) for left in range(0, width, TILE)]
    ends = np.cumsum([len(tile) for tile in tiles]).astype('<u4')
    return b''.join([HEADER.pack(MAGIC, height, width, TILE), ends.tobytes(), *tiles])


def read_tiles(data: memoryview | bytes, size: tuple[int, int], window: Window,
               decode: Callable[[memoryview, int, int], np.ndarray], name: str) -> np.ndarray:
    """`window` of the picture in a record, uint8 (h, w, 3); only the tiles that it touches are decoded.

    Args:
        size: height and width that the picture should have.
        decode: a tile's bytes, height and width to the tile.

    Raises:
        UserError: not such a record, one of another size, or a damaged tile; `name` says which picture.
    """
    view = memoryview(data)
    side, bounds = _layout(view, size, name)
    height, width = size
    columns = -(-width // side)
    out = np.empty((window.height, window.width, 3), np.uint8)
    for row in range(window.top // side, -(-(window.top + window.height) // side)):
        for column in range(window.left // side, -(-(window.left + window.width) // side)):
            top, left = row * side, column * side
            index = row * columns + column
            try:
                tile = decode(view[bounds[index]:bounds[index + 1]], min(side, height - top), min(side, width - left))
            except (ValueError, MemoryError, cv2.error, zstandard.ZstdError) as error:
                raise UserError(f'{name}: tile {index} is damaged ({" ".join(str(error).split())}); pack the set again') from None
            _place(tile, top - window.top, left - window.left, out)
    return out


def _layout(view: memoryview, size: tuple[int, int], name: str) -> tuple[int, list[int]]:
    """Side of a tile, and where in the record each tile begins, with the end of the last one."""
    magic, height, width, side = HEADER.unpack_from(view) if len(view) >= HEADER.size else (b'', 0, 0, 0)
    if magic != MAGIC or not side:
        raise UserError(f'{name}: the record is damaged (no tiles in it); pack the set again')
    if (height, width) != size:
        raise UserError(f'{name}: is {width}x{height}, but listed as {size[1]}x{size[0]}')
    start = HEADER.size + 4 * -(-width // side) * -(-height // side)
    ends = np.frombuffer(view[HEADER.size:start], '<u4') if len(view) > start else np.zeros(1)
    bounds = start + np.concatenate([[0], ends]).astype(np.int64)
    if (np.diff(bounds) <= 0).any() or bounds[-1] != len(view):
        raise UserError(f'{name}: the record is damaged (its tiles do not fill its {len(view)} bytes); pack the set again')
    return side, bounds.tolist()


def _place(tile: np.ndarray, top: int, left: int, out: np.ndarray) -> None:
    """Copy what of `tile` lies in `out`, whose first row and column are 0."""
    bottom, right = min(top + tile.shape[0], out.shape[0]), min(left + tile.shape[1], out.shape[1])
    out[max(top, 0):bottom, max(left, 0):right] = tile[max(-top, 0):bottom - top, max(-left, 0):right - left]
