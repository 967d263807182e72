"""Bytes of a picture file to RGB, refusing what other decoders pass in silence."""

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from glowdeblur_plugin.errors import UserError

MAX_PIXELS = 80_000_000
PICTURE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff')
ORIENTATION_TAG = 0x0112
FIRST_TRANSPOSED_ORIENTATION = 5
JPEG_FORMATS = ('JPEG', 'MPO')  # the second: several pictures in a JPEG file, of which phones' cameras show the first
PLAIN = '8-bit RGB'
GREY_MODES = ('1', 'L', 'I')
MODES_WITH_ALPHA = ('LA', 'RGBA', 'RGBa', 'PA')
EIGHT_BIT_MODES = ('1', 'L', 'P', 'RGB', 'YCbCr', *MODES_WITH_ALPHA)


@dataclass(frozen=True)
class PictureHeader:
    """What the header of a picture file says.

    Attributes:
        height, width: in pixels, as `decode_picture` would give them.
        kind: depth and colours, such as `PLAIN`, '16-bit grey', '8-bit RGB with alpha' or '8-bit CMYK'.
    """

    height: int
    width: int
    kind: str


def read_header(path: Path) -> PictureHeader:
    """Read the header of a picture file.

    Raises:
        UserError: not there, not a picture, or one of more than `MAX_PIXELS` pixels.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror or error})') from None
    with open_header(path, str(path), size) as header:
        width, height = header.size
        if header.format in JPEG_FORMATS and header.getexif().get(ORIENTATION_TAG, 1) >= FIRST_TRANSPOSED_ORIENTATION:
            width, height = height, width
        return PictureHeader(height, width, kind_of(header))


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width in pixels of a picture file; raises as `read_header` does."""
    header = read_header(path)
    return header.height, header.width


def decode_picture(data: bytes, name: str) -> np.ndarray:
    """Decode to uint8 RGB (H, W, 3) in 0..255: `decode_levels` without alpha, 16 bit scaled to 8 bit by round(value / 257) so
    that white stays white. Raises as `decode_levels` does."""
    levels = decode_levels(open_header(io.BytesIO(data), name, len(data)), data, name)
    if levels.dtype == np.uint16:
        levels = ((levels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return cv2.cvtColor(levels, cv2.COLOR_RGBA2RGB) if levels.shape[2] == 4 else levels


def decode_levels(header: Image.Image, data: bytes, name: str) -> np.ndarray:
    """Decode to uint8 or uint16, as deep as the file is: RGB (H, W, 3), or RGBA (H, W, 4) where there is alpha.

    Grey is repeated to three channels; a JPEG and a TIFF are turned as their orientation says. JPEG, CMYK and TIFF of 8 bit go
    through Pillow, because OpenCV gives a truncated JPEG back as a picture, takes black ink for alpha and multiplies a TIFF's
    colours by alpha; everything else through OpenCV, because Pillow cuts 16-bit RGB to 8 bit. CMYK is converted by
    (255 - ink)(255 - black) / 255 without its colour profile; OpenCV, and so BasicSR, differs by at most 2 levels in a JPEG.

    Args:
        header: what `open_header` gives for `data`.

    Raises:
        UserError: truncated, of another depth, or in Lab colours; `name` says which.
    """
    if header.mode == 'LAB':
        raise UserError(f'{name}: Lab colours are not read; save it as RGB')
    plain_tiff = header.format == 'TIFF' and header.mode in EIGHT_BIT_MODES and depth_of(header) == 8
    if plain_tiff or header.format in JPEG_FORMATS or header.mode == 'CMYK':
        try:
            mode = 'RGBA' if header.mode in MODES_WITH_ALPHA else 'RGB'
            return np.asarray(ImageOps.exif_transpose(header).convert(mode))
        except (OSError, ValueError, SyntaxError, struct.error) as error:
            raise UserError(f'{name}: cannot be decoded ({error}); replace the file') from None
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        picture = None
    if picture is None:
        raise UserError(f'{name}: cannot be decoded ({header.format}, damaged or cut short); replace the file')
    if picture.dtype not in (np.uint8, np.uint16):
        raise UserError(f'{name}: pictures of 8 or 16 bit are read, found {picture.dtype}')
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    if channels <= 2:
        grey = picture if picture.ndim == 2 else np.ascontiguousarray(picture[..., 0])
        return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGBA)


def open_header(source: Path | io.BytesIO, name: str, size: int) -> Image.Image:
    """The header of a picture, of which nothing is decoded yet.

    Args:
        name: starts an error.
        size: bytes of the file, for the error.

    Raises:
        UserError: not a picture, or one of more than `MAX_PIXELS` pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            header = Image.open(source)
        pixels = header.width * header.height
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        pixels = None
    except (OSError, ValueError, SyntaxError):
        raise UserError(f'{name}: not a picture that can be read (found {size} bytes); '
                        f'readable are {", ".join(PICTURE_SUFFIXES)}') from None
    if pixels is None or pixels > MAX_PIXELS:
        found = 'far more' if pixels is None else f'{header.width}x{header.height}'
        raise UserError(f'{name}: picture is too large, at most {MAX_PIXELS} pixels are read, found {found}')
    return header


def depth_of(header: Image.Image) -> int:
    """Bits of a level: 16, or 8 for all that have fewer."""
    return 16 if ';16' in f'{header.mode} {header.tile[:1]}' else 8


def kind_of(header: Image.Image) -> str:
    """See `PictureHeader.kind`."""
    colours = 'CMYK' if header.mode == 'CMYK' else 'grey' if header.mode[0] in GREY_MODES else 'RGB'
    return f'{depth_of(header)}-bit {colours}' + (' with alpha' if header.mode in MODES_WITH_ALPHA else '')
