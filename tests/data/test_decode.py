"""The decoder: depths, channels, and what it refuses."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from glowdeblur_plugin.data.decode import PictureHeader, decode_picture, picture_size, read_header
from glowdeblur_plugin.errors import UserError


def png(array: np.ndarray) -> bytes:
    """Encode an array in OpenCV's channel order."""
    return cv2.imencode('.png', array)[1].tobytes()


def jpeg(picture: np.ndarray, **settings: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, 'JPEG', quality=95, **settings)
    return buffer.getvalue()


@pytest.fixture
def picture() -> np.ndarray:
    rows, columns = np.mgrid[:24, :32]
    return np.stack([rows * 10, columns * 7, rows + columns], axis=2).astype(np.uint8)


def test_16_bit_keeps_black_white_and_order_of_channels(picture):
    deep = picture[..., ::-1].astype(np.uint16) * 257
    np.testing.assert_array_equal(decode_picture(png(deep), 'deep'), picture)


def test_16_bit_rounds_to_the_nearest_level():
    levels = np.array([[0, 128, 129, 257 * 100 - 128, 65535]], np.uint16)
    np.testing.assert_array_equal(decode_picture(png(levels), 'levels')[0, :, 0], np.round(levels[0] / 257))


def test_grey_is_repeated_and_alpha_dropped(picture):
    np.testing.assert_array_equal(decode_picture(png(picture[..., 0]), 'grey'), np.repeat(picture[..., :1], 3, axis=2))
    with_alpha = np.dstack([picture[..., ::-1], np.full(picture.shape[:2], 7, np.uint8)])
    np.testing.assert_array_equal(decode_picture(png(with_alpha), 'alpha'), picture)


def test_jpeg_is_turned_as_its_orientation_says(picture, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg(picture, exif=exif)
    (tmp_path / 'turned.jpg').write_bytes(data)
    assert picture_size(tmp_path / 'turned.jpg') == (32, 24)
    turned = decode_picture(data, 'turned')
    assert np.abs(turned.astype(int) - np.rot90(picture, -1)).mean() < 3


def test_several_pictures_in_one_file_are_turned_as_the_first_and_refused_when_cut_short(picture, tmp_path):
    """What many phones write under .jpg."""
    exif, buffer, noise = Image.Exif(), io.BytesIO(), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    exif[0x0112] = 6
    Image.fromarray(picture).save(buffer, 'MPO', save_all=True, append_images=[Image.fromarray(noise)], exif=exif, quality=95)
    (tmp_path / 'turned.jpg').write_bytes(buffer.getvalue())
    assert Image.open(buffer).format == 'MPO'
    assert read_header(tmp_path / 'turned.jpg') == PictureHeader(32, 24, '8-bit RGB')
    turned = decode_picture(buffer.getvalue(), 'turned')
    assert np.abs(turned.astype(int) - np.rot90(picture, -1)).mean() < 3
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, 'MPO', save_all=True, append_images=[Image.fromarray(picture)], quality=95)
    with pytest.raises(UserError, match='shot7: cannot be decoded'):
        decode_picture(buffer.getvalue()[:4000], 'shot7')


def test_cmyk_is_converted_as_documented_and_named(picture, tmp_path):
    ink = np.dstack([picture, np.full(picture.shape[:2], 60, np.uint8)])
    Image.fromarray(ink, 'CMYK').save(tmp_path / 'ink.jpg', quality=100, subsampling=0)
    data = (tmp_path / 'ink.jpg').read_bytes()
    expected = (255.0 - picture) * (255 - 60) / 255
    found = decode_picture(data, 'ink').astype(float)
    assert np.abs(found - expected).max() < 4 and np.abs(found - expected).mean() < 1
    opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(found - opencv).max() <= 2
    assert read_header(tmp_path / 'ink.jpg').kind == '8-bit CMYK'


@pytest.mark.parametrize('share', [0.5, 0.98])
def test_truncated_files_are_refused(picture, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for data in (jpeg(noise), png(noise)):
        with pytest.raises(UserError, match='shot7: .*cannot be decoded'):
            decode_picture(data[:int(len(data) * share)], 'shot7')


def test_text_and_lab_colours_are_refused(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture, 'LAB').save(buffer, 'TIFF')
    with pytest.raises(UserError, match='shot7: Lab colours are not read; save it as RGB'):
        decode_picture(buffer.getvalue(), 'shot7')
    with pytest.raises(UserError, match='shot7: not a picture'):
        decode_picture(b'<html>not found</html>', 'shot7')


def test_a_small_file_of_many_pixels_is_refused_before_decoding():
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))

    for side in (9000, 60000):
        header = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
        data = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')
        with pytest.raises(UserError, match='bomb: picture is too large'):
            decode_picture(data, 'bomb')


def test_headers_say_depth_and_colours(picture, tmp_path):
    deep = picture.astype(np.uint16) * 257
    with_alpha = np.dstack([picture, picture[..., :1]])
    kinds = {'plain.png': (picture, '8-bit RGB'), 'plain.bmp': (picture, '8-bit RGB'), 'plain.jpg': (picture, '8-bit RGB'),
             'grey.png': (picture[..., 0], '8-bit grey'), 'grey.jpg': (picture[..., 0], '8-bit grey'),
             'deep.png': (deep, '16-bit RGB'), 'deep.tif': (deep, '16-bit RGB'), 'deep_grey.png': (deep[..., 0], '16-bit grey'),
             'alpha.png': (with_alpha, '8-bit RGB with alpha'), 'alpha.webp': (with_alpha, '8-bit RGB with alpha')}
    for name, (levels, kind) in kinds.items():
        cv2.imwrite(str(tmp_path / name), levels)
        assert read_header(tmp_path / name) == PictureHeader(24, 32, kind), name


def test_colours_under_alpha_in_a_tiff_are_not_multiplied_by_it(picture):
    buffer = io.BytesIO()
    Image.fromarray(np.dstack([picture, np.full(picture.shape[:2], 7, np.uint8)])).save(buffer, 'TIFF')
    np.testing.assert_array_equal(decode_picture(buffer.getvalue(), 'alpha'), picture)
