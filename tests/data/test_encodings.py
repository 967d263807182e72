"""Every encoding gives the pixels back, whole and in windows, and names what is damaged."""

import re
import struct
import zlib
from pathlib import Path
from typing import get_args

import cv2
import lmdb
import numpy as np
import pytest
from skimage import data

from glowdeblur_plugin.data import tiles
from glowdeblur_plugin.data.encodings import Encoding, decode_record, encode_picture
from glowdeblur_plugin.data.lmdb_store import close_environment, read_checksums, read_manifest, read_record
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.data.verify import verify_set
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError

ENCODINGS = get_args(Encoding)
SIZES = [(1, 1), (15, 33), (256, 256), (300, 512), (511, 257)]


def picture_of(size: tuple[int, int]) -> np.ndarray:
    """A part of a photograph with some rows of noise, which use all values of a byte."""
    picture = np.tile(data.astronaut(), (2, 2, 1))[:size[0], :size[1]].copy()
    picture[::7] = np.random.default_rng(0).integers(0, 256, picture[::7].shape)
    return picture


def pack(root: Path, encoding: str, **pictures: np.ndarray) -> Path:
    with LmdbWriter(root, 'test', encoding=encoding) as writer:
        for key, picture in pictures.items():
            writer.put(key, picture)
    return root


@pytest.mark.parametrize('encoding', ENCODINGS)
@pytest.mark.parametrize('size', SIZES)
def test_round_trip_whole_and_in_windows(encoding, size):
    picture = picture_of(size)
    record = encode_picture(picture, encoding)
    assert (record.height, record.width, record.checksum) == (*size, zlib.crc32(record.data))
    np.testing.assert_array_equal(decode_record(record.data, encoding, size, None, 'x'), picture)
    rng = np.random.default_rng(1)
    for _ in range(12):
        height, width = (int(rng.integers(1, length + 1)) for length in size)
        window = Window(int(rng.integers(size[0] - height + 1)), int(rng.integers(size[1] - width + 1)), height, width)
        np.testing.assert_array_equal(decode_record(record.data, encoding, size, window, 'x'), window.cut(picture))


def test_a_crop_decodes_only_the_tiles_that_it_covers():
    picture = picture_of((600, 1000))
    record = tiles.join_tiles(picture, np.ndarray.tobytes)
    decoded = []

    def decode(tile: memoryview, height: int, width: int) -> np.ndarray:
        decoded.append((height, width))
        return np.frombuffer(tile, np.uint8).reshape(height, width, 3)

    for window, expected in ((Window(0, 0, 256, 256), 1), (Window(10, 20, 256, 256), 4), (Window(300, 300, 10, 500), 3)):
        decoded.clear()
        np.testing.assert_array_equal(tiles.read_tiles(record, (600, 1000), window, decode, 'x'), window.cut(picture))
        assert len(decoded) == expected


def test_a_view_with_odd_strides_is_encoded_as_it_looks():
    picture = picture_of((40, 50))[::-1, ::2]
    for encoding in ENCODINGS:
        record = encode_picture(picture, encoding)
        np.testing.assert_array_equal(decode_record(record.data, encoding, picture.shape[:2], None, 'x'), picture)


@pytest.mark.parametrize('array', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.uint16), np.zeros((4, 4, 4), np.uint8)])
def test_arrays_that_are_no_8_bit_rgb_are_refused(array):
    with pytest.raises(ValueError, match='uint8'):
        encode_picture(array, 'raw')


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_a_packed_set_in_every_encoding_reads_alike(tmp_path, encoding):
    picture = picture_of((300, 400))
    source = LmdbSource(pack(tmp_path / 'a.lmdb', encoding, a=picture, b=picture[:100]))
    assert source.manifest.encoding == encoding and source.sizes == {'a': (300, 400), 'b': (100, 400)}
    np.testing.assert_array_equal(source.read('a'), picture)
    np.testing.assert_array_equal(source.read('a', Window(250, 200, 50, 100)), picture[250:, 200:300])
    assert read_checksums(source.root) == {key: zlib.crc32(read_record(source.root, key)) for key in 'ab'}
    assert (source.root / 'meta_info.txt').read_text() == f'a.{encoding} (300,400,3) 1\nb.{encoding} (100,400,3) 1\n'


def test_what_is_read_outlives_the_set(tmp_path):
    picture = picture_of((64, 64))
    source = LmdbSource(pack(tmp_path / 'a.lmdb', 'raw', a=picture))
    found = source.read('a', Window(0, 0, 64, 64))
    close_environment(source.root)
    np.testing.assert_array_equal(found, picture)
    found[:] = 0


def damage(root: Path, key: str, change) -> None:
    with lmdb.open(str(root), map_size=1 << 28, lock=False) as environment, environment.begin(write=True) as transaction:
        transaction.put(key.encode(), change(bytearray(transaction.get(key.encode()))))


def flipped(position: float):
    def change(data: bytearray) -> bytes:
        data[int(position * (len(data) - 1))] ^= 0x10
        return bytes(data)
    return change


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_verify_names_the_records_with_one_flipped_bit(tmp_path, encoding):
    picture = picture_of((300, 400))
    root = pack(tmp_path / 'a.lmdb', encoding, a=picture, b=picture[::-1], c=picture[:, ::-1], d=255 - picture)
    assert verify_set(root) == []
    for key, position in (('a', 0.4), ('c', 0.7), ('d', 1.0)):
        damage(root, key, flipped(position))
    problems = verify_set(root)
    assert [problem.split(':')[0] for problem in problems] == [f'{root}/{key}' for key in 'acd']
    assert not any('\n' in problem for problem in problems)


def test_verify_tells_how_far_it_is(tmp_path):
    seen = []
    root = pack(tmp_path / 'a.lmdb', 'raw', **{f'p{number:02d}': picture_of((2, 2)) for number in range(35)})
    verify_set(root, lambda *counts: seen.append(counts[1:]))
    assert seen == [(0, 35), (16, 35), (32, 35), (35, 35)]


@pytest.mark.parametrize('encoding', ['zstd', 'webp', 'raw'])
@pytest.mark.parametrize(('change', 'match'), [
    (lambda data: b'', 'a.lmdb/a: '),
    (lambda data: bytes(data[:9]), 'a.lmdb/a: '),
    (lambda data: bytes(data[:-5000]), 'a.lmdb/a: .*(damaged|bytes)'),
    (lambda data: bytes(1000), 'a.lmdb/a: .*(no tiles|bytes)'),
])
def test_a_record_that_is_cut_short_is_named_when_it_is_read(tmp_path, encoding, change, match):
    root = pack(tmp_path / 'a.lmdb', encoding, a=picture_of((300, 400)))
    damage(root, 'a', change)
    with pytest.raises(UserError, match=match) as caught:
        LmdbSource(root).read('a')
    assert '\n' not in str(caught.value)


def test_a_tiled_record_of_another_size_is_named(tmp_path):
    root = pack(tmp_path / 'a.lmdb', 'zstd', a=picture_of((30, 40)))
    other = pack(tmp_path / 'b.lmdb', 'zstd', a=picture_of((40, 30)))
    foreign = read_record(other, 'a')
    damage(root, 'a', lambda data: foreign)
    with pytest.raises(UserError, match='a.lmdb/a: is 30x40, but listed as 40x30'):
        LmdbSource(root).read('a')


def test_sets_of_other_tools_have_no_checksums_and_are_verified_by_decoding(tmp_path):
    root = pack(tmp_path / 'a.lmdb', 'png', a=picture_of((30, 40)), b=picture_of((20, 20)))
    for name in ('manifest.json', 'checksums.txt'):
        (root / name).unlink()
    assert verify_set(root) == [] and read_manifest(root) is None
    damage(root, 'b', lambda data: bytes(data[:-30]))
    problem, = verify_set(root)
    assert 'a.lmdb/b: cannot be decoded' in problem


def changed(name: str, change) -> object:
    return lambda root: (root / name).write_text(change((root / name).read_text()))


def without(key: bytes) -> object:
    def change(root: Path) -> None:
        with lmdb.open(str(root), map_size=1 << 28, lock=False) as environment, environment.begin(write=True) as transaction:
            transaction.delete(key)
    return change


@pytest.mark.parametrize(('change', 'expected'), [
    (changed('meta_info.txt', lambda text: text.splitlines(keepends=True)[0]),
     ('a.lmdb: lists 1 records, but its manifest counts 2', 'meta_info.txt: was changed',
      'does not list 1 of its records, such as b')),
    (changed('meta_info.txt', lambda text: text.replace('(5,5,3)', '(5,6,3)')),
     ('meta_info.txt: was changed', 'a.lmdb/b: has 75 bytes')),
    (changed('meta_info.txt', lambda text: text.replace('.raw', '.png')), ('meta_info.txt: was changed',)),
    (changed('manifest.json', lambda text: text.replace('"test"', '"tset"')), ('manifest.json: was changed',)),
    (changed('manifest.json', lambda text: text.replace('raw', 'zstd')),
     ('manifest.json: was changed', 'a.lmdb/a: .*no tiles', 'a.lmdb/b: .*no tiles')),
    (lambda root: (root / 'manifest.json').unlink(), ('manifest.json: missing',)),
    (lambda root: (root / 'checksums.txt').unlink(), ('checksums.txt: missing',)),
    (changed('checksums.txt', lambda text: ''.join(text.splitlines(keepends=True)[:-1])), ('a.lmdb/b: has no checksum',)),
    (without(b'a'), ("a.lmdb: no record under key 'a'",)),
], ids=['line lost', 'size changed', 'suffix changed', 'name changed', 'encoding changed', 'no manifest', 'no checksums',
        'no checksum', 'record lost'])
def test_verify_compares_the_lists_with_the_records_and_their_checksums(tmp_path, change, expected):
    root = pack(tmp_path / 'a.lmdb', 'raw', a=picture_of((4, 4)), b=picture_of((5, 5)))
    change(root)
    problems = verify_set(root)
    assert len(problems) == len(expected), problems
    for problem, match in zip(problems, expected):
        assert problem.startswith(str(root)) and re.search(match, problem) and '\n' not in problem


def test_verify_opens_records_as_the_manifest_says_though_their_checksums_are_right(tmp_path):
    """As after a faulty packing: the checksums are those of the wrong records."""
    root = pack(tmp_path / 'a.lmdb', 'zstd', a=picture_of((30, 40)), b=picture_of((30, 40)))
    record = bytearray(read_record(root, 'a'))
    record[-6] ^= 1
    close_environment(root)
    damage(root, 'a', lambda _: bytes(record))
    checksums = root / 'checksums.txt'
    checksums.write_text(re.sub(r'\w{8} a\n', f'{zlib.crc32(record):08x} a\n', checksums.read_text()))
    problem, = verify_set(root)
    assert f'{root}/a: tile 0 is damaged' in problem


def test_verify_outlives_a_record_that_leads_out_of_the_memory(tmp_path):
    """The length of a record in LMDB's tree becomes 1 GiB; reading that much of the map ends the process."""
    root = pack(tmp_path / 'a.lmdb', 'raw', first=picture_of((8, 8)), second=picture_of((40, 40)))
    data = bytearray((root / 'data.mdb').read_bytes())
    for found in re.finditer(b'second', data):
        data[found.start() - 6:found.start() - 4] = struct.pack('<H', 1 << 14)
    (root / 'data.mdb').write_bytes(data)
    problem, = verify_set(root)
    assert problem.startswith(f'{root}/first: this record or one after it killed the process that read it')


def fuzzed(record: bytes):
    """Damaged copies of a record."""
    for position in range(64):
        for value in {0, 1, 0x7f, 0xff, record[position] ^ 1, record[position] ^ 0x80} - {record[position]}:
            yield record[:position] + bytes([value]) + record[position + 1:]
    for length in range(len(record)):
        yield record[:length]


@pytest.mark.parametrize('size', [(20, 30), (300, 20)])
def test_a_damaged_tiled_record_is_the_right_picture_or_an_error(size):
    picture = np.zeros((*size, 3), np.uint8)
    picture[256:] = 90
    picture[::9, ::5] = 200
    record = encode_picture(picture, 'zstd').data
    refused = 0
    for data in fuzzed(record):
        for window in (None, Window(size[0] - 5, 3, 5, 9)):
            try:
                found = decode_record(data, 'zstd', size, window, 'set/key')
            except UserError as error:
                assert str(error).startswith('set/key: ') and '\n' not in str(error)
                refused += 1
            else:
                np.testing.assert_array_equal(found, picture if window is None else window.cut(picture))
    assert refused >= 2 * len(record)


def test_zstd_is_smaller_than_png_on_photographs():
    photographs = [data.astronaut(), data.coffee(), data.chelsea()]
    zstd, png = (sum(len(encode_picture(picture, encoding).data) for picture in photographs) for encoding in ('zstd', 'png'))
    assert zstd < png
    assert cv2.imdecode(np.frombuffer(encode_picture(photographs[0], 'png').data, np.uint8), cv2.IMREAD_COLOR) is not None
