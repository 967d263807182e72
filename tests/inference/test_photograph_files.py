"""Photographs read and written again: what a network does not see stays as it was."""

import io
import struct
import zlib
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms, ImageOps

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.inference.photographs import Photograph, read_photograph, write_photograph

HEIGHT, WIDTH = 24, 32
LEVELS = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, 4)).astype(np.uint16)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
INNER = {ExifTags.Base.ExposureTime: 0.01, ExifTags.Base.ExifImageWidth: WIDTH, ExifTags.Base.ExifImageHeight: HEIGHT}
CHANNELS = {'L': [0], 'LA': [0, 3], 'RGB': [0, 1, 2], 'RGBA': [0, 1, 2, 3]}


def tags(orientation: int) -> bytes:
    exif = Image.Exif()
    exif.update({ExifTags.Base.Orientation: orientation, ExifTags.Base.Make: 'Maker', ExifTags.IFD.Exif: INNER,
                 ExifTags.IFD.GPSInfo: {1: 'N', 2: (1.0, 2.0, 3.5)}})
    return exif.tobytes()


def described(path: Path) -> tuple:
    """Orientation, maker, width and height in EXIF, and its place on earth."""
    exif = Image.open(path).getexif()
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    assert inner[ExifTags.Base.ExposureTime] == pytest.approx(0.01)
    return (exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make], inner[ExifTags.Base.ExifImageWidth],
            inner[ExifTags.Base.ExifImageHeight], exif.get_ifd(ExifTags.IFD.GPSInfo)[2])


def rewritten(path: Path, light: float = 1.0) -> tuple[Photograph, Photograph, tuple[str, ...]]:
    """A photograph, what was written of it with its light times `light`, and what that lost."""
    photograph = read_photograph(path)
    out = path.with_name(f'out{path.suffix}')
    lost = write_photograph(out, photograph, photograph.picture * light)
    return photograph, read_photograph(out), lost


@pytest.mark.parametrize('suffix, mode', [*product(['.png', '.tif'], CHANNELS), *product(['.webp'], ['RGB', 'RGBA']),
                                          *product(['.jpg'], ['L', 'RGB'])])
def test_8_bit_photographs_keep_what_the_network_does_not_see(tmp_path: Path, suffix: str, mode: str) -> None:
    levels = np.ascontiguousarray(cv2.GaussianBlur(LEVELS, (0, 0), 2)[..., CHANNELS[mode]])
    path = tmp_path / f'in{suffix}'
    settings = {'.webp': {'lossless': True, 'exact': True}, '.jpg': {'quality': 100, 'subsampling': 0}}.get(suffix, {})
    Image.fromarray(levels.squeeze()).save(path, exif=tags(6), icc_profile=PROFILE, **settings)
    before, after, lost = rewritten(path, 0.5)

    upright, colours = np.rot90(levels, -1), 1 if mode[0] == 'L' else 3
    near = 4 if suffix == '.jpg' else 0
    assert np.abs(before.picture[..., :colours] * 255 - upright[..., :colours]).max() <= near + 1e-4
    assert np.abs(after.picture - before.picture * 0.5).max() * 255 <= 2 * near + 0.501
    assert (after.grey, after.depth, after.icc, lost, after.notes) == (mode[0] == 'L', 8, PROFILE, (), ())
    assert described(tmp_path / f'out{suffix}') == (1, 'Maker', HEIGHT, WIDTH, (1.0, 2.0, 3.5))
    assert Image.open(tmp_path / f'out{suffix}').mode == mode
    if mode[-1] == 'A':
        np.testing.assert_array_equal(after.alpha, upright[..., -1])


@pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA'])
@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_16_bit_photographs_keep_every_level_and_their_metadata(tmp_path: Path, suffix: str, mode: str) -> None:
    levels = DEEP[..., CHANNELS[mode]]
    bgr = DEEP[..., [0] if mode == 'L' else [2, 1, 0, 3][:len(mode)]]
    source, path = tmp_path / f'plain{suffix}', tmp_path / f'in{suffix}'
    cv2.imwrite(str(source), bgr)
    plain = read_photograph(source)
    dressed = Photograph(picture=plain.picture, grey=plain.grey, depth=plain.depth, alpha=plain.alpha,
                               exif=tags(1), icc=PROFILE)
    assert write_photograph(path, dressed, plain.picture) == ()

    before, after, lost = rewritten(path)
    write_photograph(source, plain, plain.picture)
    for file in (path, source):
        by_others = tifffile.imread(file) if suffix == '.tif' else cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(by_others.reshape(HEIGHT, WIDTH, -1), levels if suffix == '.tif' else bgr)
    np.testing.assert_array_equal(after.picture, before.picture)
    np.testing.assert_array_equal(np.round(after.picture * 65535)[..., 0], levels[..., 0])
    assert (after.grey, after.depth, after.icc, lost) == (mode == 'L', 16, PROFILE, ())
    assert described(tmp_path / f'out{suffix}') == (1, 'Maker', WIDTH, HEIGHT, (1.0, 2.0, 3.5))
    if mode == 'RGBA':
        np.testing.assert_array_equal(after.alpha, DEEP[..., 3])


@pytest.mark.parametrize('orientation', range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / 'in.png'
    Image.fromarray(LEVELS[..., :3].copy()).save(path, exif=tags(orientation))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    np.testing.assert_array_equal(np.round(read_photograph(path).picture * 255), expected)


def test_grey_is_the_mean_of_the_channels(tmp_path: Path) -> None:
    Image.fromarray(LEVELS[..., 0].copy()).save(tmp_path / 'in.png')
    photograph = read_photograph(tmp_path / 'in.png')
    write_photograph(tmp_path / 'out.png', photograph, LEVELS[..., :3] / np.float32(255))
    expected = np.round(LEVELS[..., :3].mean(axis=2, dtype=np.float64))
    difference = np.abs(np.asarray(Image.open(tmp_path / 'out.png')) - expected)
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    palette = Image.fromarray(LEVELS[..., :3].copy()).quantize(60)
    palette.save(tmp_path / 'in.png')
    before, after, lost = rewritten(tmp_path / 'in.png')
    np.testing.assert_array_equal(np.round(after.picture * 255), np.asarray(palette.convert('RGB')))
    assert not before.grey and before.alpha is None and lost == ()


def test_cmyk_is_converted_and_told(tmp_path: Path) -> None:
    smooth = cv2.GaussianBlur(LEVELS, (0, 0), 3)
    for suffix, settings in (('.jpg', {'quality': 100, 'subsampling': 0}), ('.tif', {})):
        Image.fromarray(smooth, 'CMYK').save(tmp_path / f'in{suffix}', icc_profile=PROFILE, **settings)
        photograph = read_photograph(tmp_path / f'in{suffix}')
        expected = (255.0 - smooth[..., :3]) * (255.0 - smooth[..., 3:]) / 255 / 255
        assert np.abs(photograph.picture - expected).max() < 4 / 255
        assert photograph.icc is None and photograph.alpha is None
        assert photograph.notes == ('CMYK becomes RGB, without its colour profile',)


def test_what_a_format_cannot_hold_is_told(tmp_path: Path) -> None:
    photograph = Photograph(picture=DEEP[..., :3] / np.float32(65535), grey=False, depth=16, alpha=DEEP[..., 3],
                            exif=tags(1), icc=PROFILE)
    expected = {'.jpg': ['alpha', '16 bit'], '.webp': ['16 bit'], '.bmp': ['EXIF', 'the colour profile', '16 bit']}
    for suffix, lost in expected.items():
        told = write_photograph(tmp_path / f'out{suffix}', photograph, photograph.picture)
        assert told == tuple(f'{what} is lost, {suffix} has none' for what in lost)
        if suffix != '.jpg':
            np.testing.assert_array_equal(read_photograph(tmp_path / f'out{suffix}').alpha, DEEP[..., 3] // 257)
    with pytest.raises(UserError, match='out.gif: pictures are written as .png'):
        write_photograph(tmp_path / 'out.gif', photograph, photograph.picture)
    with pytest.raises(UserError, match=r'out.png: the picture to write is \(24, 31, 3\), the photograph is \(24, 32, 3\)'):
        write_photograph(tmp_path / 'out.png', photograph, photograph.picture[:, 1:])


def test_damaged_tags_and_several_pictures_are_told(tmp_path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))

    plain = io.BytesIO()
    Image.fromarray(LEVELS[..., :3].copy()).save(plain, 'PNG')
    data = plain.getvalue()
    (tmp_path / 'tags.png').write_bytes(data[:33] + chunk(b'eXIf', b'MM\0*\0\0\0\x08garbage') + data[33:])
    damaged = 'its EXIF or its list of pictures is damaged; what can be read of it is kept'
    assert read_photograph(tmp_path / 'tags.png').notes == (damaged,)
    Image.fromarray(LEVELS[..., :3].copy()).save(tmp_path / 'second.tif')
    tiff = bytearray((tmp_path / 'second.tif').read_bytes())
    first = struct.unpack_from('<I', tiff, 4)[0]
    struct.pack_into('<I', tiff, first + 2 + 12 * struct.unpack_from('<H', tiff, first)[0], len(tiff))
    (tmp_path / 'second.tif').write_bytes(tiff + bytes(6))  # a second picture without tags
    assert read_photograph(tmp_path / 'second.tif').notes == (damaged,)
    frames = [Image.fromarray(LEVELS[..., :3] // part) for part in (1, 2)]
    frames[0].save(tmp_path / 'pages.tif', save_all=True, append_images=frames[1:])
    pages = read_photograph(tmp_path / 'pages.tif')
    assert pages.notes == ('holds 2 pictures, of which the first is taken',)
    np.testing.assert_array_equal(np.round(pages.picture * 255), LEVELS[..., :3])


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.tif', '.bmp'])
def test_files_cut_short_and_text_are_refused(tmp_path: Path, suffix: str) -> None:
    whole, cut = tmp_path / f'whole{suffix}', tmp_path / f'cut{suffix}'
    cv2.imwrite(str(whole), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    cut.write_bytes(whole.read_bytes()[:-whole.stat().st_size // 3])
    with pytest.raises(UserError, match=f'cut{suffix}: (cannot be decoded|not a picture)'):
        read_photograph(cut)
    cut.write_text('no picture')
    with pytest.raises(UserError, match=f'cut{suffix}: not a picture'):
        read_photograph(cut)
