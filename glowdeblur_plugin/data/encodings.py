"""The four forms of a picture in a packed set.

    png     one PNG, compression level 1: what BasicSR's own datasets read
    zstd    tiles, vertical differences under Zstandard: small and fast
    webp    tiles, lossless WebP: smallest, slow to write
    raw     the pixels: largest, a crop is a slice of mapped memory

All are lossless. Tiles have 256 pixels a side, so a crop costs the tiles that it covers and not the whole picture.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
import zstandard

from glowdeblur_plugin.data.decode import decode_picture
from glowdeblur_plugin.data.tiles import join_tiles, read_tiles
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError

Encoding = Literal['png', 'zstd', 'webp', 'raw']
SideEncoding = Literal['motion', 'caption', 'embedding', 'latent']  # see `side_data`
LOSSLESS_WEBP = [cv2.IMWRITE_WEBP_QUALITY, 101]
FAST_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]
ROWS_IN_DIFFERENCE = 16


@dataclass(frozen=True)
class EncodedPicture:
    """What goes into a packed set for one key.

    Attributes:
        data: the record.
        height, width: in pixels (of other records: the first two numbers of their shape).
    """

    data: bytes
    height: int
    width: int

    @cached_property
    def checksum(self) -> int:
        """CRC-32 of `data`."""
        return zlib.crc32(self.data)


def encode_picture(picture: np.ndarray, encoding: Encoding) -> EncodedPicture:
    """Encode a uint8 RGB picture (H, W, 3) in 0..255.

    Raises:
        ValueError: an array of another type or shape.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f'pictures are uint8 (H, W, 3), found {picture.dtype} {picture.shape}')
    picture = np.ascontiguousarray(picture)
    return EncodedPicture(_ENCODERS[encoding](picture), *picture.shape[:2])


def decode_record(data: memoryview | bytes, encoding: Encoding, size: tuple[int, int], window: Window | None,
                  name: str) -> np.ndarray:
    """Decode the picture of `size` (height, width), or only `window` of it, to uint8 RGB (h, w, 3).

    Under `raw` the result is a view of `data`: copy it before the set is closed. Under `png` the whole picture is decoded.

    Raises:
        UserError: damaged data, or a picture of another size; `name` says which.
    """
    window = window or Window(0, 0, *size)
    if encoding == 'raw':
        if len(data) != size[0] * size[1] * 3:
            raise UserError(f'{name}: has {len(data)} bytes, a raw picture of {size[1]}x{size[0]} has {size[0] * size[1] * 3}; '
                            'pack the set again')
        return window.cut(np.frombuffer(data, np.uint8).reshape(*size, 3))
    if encoding == 'png':
        return window.cut(decode_file(bytes(data), size, name))
    return read_tiles(data, size, window, _TILE_DECODERS[encoding], name)


def decode_file(data: bytes, size: tuple[int, int], name: str) -> np.ndarray:
    """Decode a picture file that should have `size` (height, width) to uint8 RGB (H, W, 3); raises as `decode_record` does."""
    picture = decode_picture(data, name)
    if picture.shape[:2] != size:
        raise UserError(f'{name}: is {picture.shape[1]}x{picture.shape[0]}, but listed as {size[1]}x{size[0]}')
    return picture


def _encode_png(picture: np.ndarray) -> bytes:
    return cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), FAST_PNG)[1].tobytes()


def _encode_webp(tile: np.ndarray) -> bytes:
    return cv2.imencode('.webp', cv2.cvtColor(tile, cv2.COLOR_RGB2BGR), LOSSLESS_WEBP)[1].tobytes()


def _decode_webp(data: memoryview, height: int, width: int) -> np.ndarray:
    tile = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if tile is None or tile.shape != (height, width, 3):
        raise ValueError('not a WebP tile of the expected size')
    return tile


def _encode_zstd(tile: np.ndarray) -> bytes:
    """Green, red - green and blue - green side by side in each row, each row minus the one above it, modulo 256.

    Every 16th row stays as it is: 7 % larger than without, and undone by 15 additions of many rows, five times faster. The
    compressed data ends in a checksum, because Zstandard unpacks much that is damaged to other pixels.
    """
    red, green, blue = cv2.split(tile)
    rows = np.concatenate([green, red - green, blue - green], axis=1)
    for row in range(ROWS_IN_DIFFERENCE - 1, 0, -1):
        lower = rows[row::ROWS_IN_DIFFERENCE]
        lower -= rows[row - 1::ROWS_IN_DIFFERENCE][:len(lower)]
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(rows)


def _decode_zstd(data: memoryview, height: int, width: int) -> np.ndarray:
    rows = np.frombuffer(bytearray(decompress(data, height * width * 3)), np.uint8).reshape(height, 3 * width)
    for row in range(1, ROWS_IN_DIFFERENCE):
        lower = rows[row::ROWS_IN_DIFFERENCE]
        lower += rows[row - 1::ROWS_IN_DIFFERENCE][:len(lower)]
    green, red, blue = rows[:, :width], rows[:, width:2 * width], rows[:, 2 * width:]
    red += green
    blue += green
    return cv2.merge([red, green, blue])


def decompress(data: memoryview | bytes, size: int) -> bytes:
    """Unpack Zstandard data of `size` bytes.

    Raises:
        ValueError: data of another size.
        zstandard.ZstdError: damaged data.
    """
    found = zstandard.frame_content_size(data)
    if found != size:
        raise ValueError(f'{found} of {size} bytes')
    return zstandard.ZstdDecompressor().decompress(data)


_ENCODERS: dict[Encoding, Callable[[np.ndarray], bytes]] = {
    'png': _encode_png,
    'zstd': lambda picture: join_tiles(picture, _encode_zstd),
    'webp': lambda picture: join_tiles(picture, _encode_webp),
    'raw': np.ndarray.tobytes,
}
_TILE_DECODERS: dict[Encoding, Callable[[memoryview, int, int], np.ndarray]] = {'zstd': _decode_zstd, 'webp': _decode_webp}
