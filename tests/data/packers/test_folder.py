"""Your own pictures, and what the engine does with any plan: checks, keys, kinds of pictures, what is there already."""

import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from miniature import content, pixels
from PIL import Image

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_store import read_manifest
from glowdeblur_plugin.data.packers.crop import Crop
from glowdeblur_plugin.data.packers.folder import pack_folder
from glowdeblur_plugin.data.packers.settings import PackSettings
from glowdeblur_plugin.data.packers.trees import picture_files
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.errors import UserError

ONE = PackSettings(workers=1)


def pack(root: Path, **options: object) -> list[Path]:
    arguments = {'gt': root / 'gt', 'lq': root / 'lq', 'out': root / 'out', 'settings': ONE, **options}
    return [packed.path for packed in pack_folder(**arguments)]


def put_picture(file: Path, picture: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), picture)


def test_own_pairs_are_packed_with_clean_keys(pair_folders):
    for side in ('lq', 'gt'):
        (pair_folders / side / 'scene 0.5').mkdir()
        (pair_folders / side / 'a.png').rename(pair_folders / side / 'scene 0.5' / 'a.png')
    seen = []
    lq, gt = pack(pair_folders, split='test', progress=lambda *counts: seen.append(counts))
    assert (lq.name, gt.name) == ('test_lq.lmdb', 'test_gt.lmdb')
    assert seen == [('folder test: checked', 0, 6), ('folder test: checked', 6, 6),
                    *[('folder test: packed', done, 6) for done in range(7)]]
    source = LmdbSource(gt)
    assert list(source.sizes) == ['b', 'c', 'scene_0_5_a']
    np.testing.assert_array_equal(source.read('scene_0_5_a'), pixels(pair_folders / 'gt/scene 0.5/a.png'))


@pytest.mark.parametrize('side', ['lq', 'gt'])
def test_blurry_or_sharp_pictures_alone(pair_folders, side):
    other = {'lq': 'gt', 'gt': 'lq'}[side]
    packed, = pack(pair_folders, **{other: None})
    assert packed.name == f'train_{side}.lmdb' and list(LmdbSource(packed).sizes) == ['a', 'b', 'c']
    with pytest.raises(UserError, match='give --lq, --gt or both'):
        pack(pair_folders, lq=None, gt=None)


def test_workers_write_what_one_process_writes(pair_folders):
    alone, together = (pack(pair_folders, out=pair_folders / f'{workers}', settings=PackSettings(workers=workers))
                       for workers in (1, 2))
    for first, second in zip(alone, together, strict=True):
        assert content(first) == content(second)


def test_all_problems_are_found_before_anything_is_written(pair_folders):
    blank = np.zeros((8, 8, 3), np.uint8)
    put_picture(pair_folders / 'gt' / 'd.png', blank)
    (pair_folders / 'lq' / 'b.png').write_bytes(b'no picture')
    put_picture(pair_folders / 'lq' / 'a.png', np.zeros((32, 40), np.uint8))
    (pair_folders / 'lq' / 'c.png').unlink()
    with pytest.raises(UserError) as error:
        pack(pair_folders)
    text = str(error.value)
    assert f'{pair_folders}/lq/a.png is 40x32 8-bit grey, but {pair_folders}/gt/a.png is 40x32 8-bit RGB' in text
    assert 'lq/b.png: not a picture' in text and 'lq/c.png is missing (its partner' in text
    assert text.endswith('(and 1 more); nothing was written')
    for name in ('x y', 'x_y'):
        put_picture(pair_folders / 'gt' / f'{name}.png', blank)
    with pytest.raises(UserError, match="gt/x y.png and .*gt/x_y.png would both get the key 'x_y'"):
        pack(pair_folders, lq=None)
    put_picture(pair_folders / 'gt' / 'a.bmp', blank)
    with pytest.raises(UserError, match='--gt: .*a.bmp and a.png, which differ only in the suffix'):
        pack(pair_folders)
    with pytest.raises(UserError, match='--lq: .*nowhere does not exist'):
        pack(pair_folders, lq=pair_folders / 'nowhere')
    assert not (pair_folders / 'out').exists()


def test_damaged_pictures_are_named_together_and_only_they_are_packed_when_they_are_replaced(pair_folders):
    whole = {}
    for name in ('lq/a.png', 'gt/c.png'):
        whole[name] = (pair_folders / name).read_bytes()
        (pair_folders / name).write_bytes(whole[name][:700])
    with pytest.raises(UserError, match='2 pictures are damaged: .*lq/a.png.*gt/c.png.*nothing of this split was published'):
        pack(pair_folders)
    assert all(path.name.startswith('.') for path in (pair_folders / 'out').iterdir())
    seen = []
    (pair_folders / 'lq/a.png').write_bytes(whole['lq/a.png'])
    with pytest.raises(UserError, match='1 pictures are damaged: .*gt/c.png'):
        pack(pair_folders, progress=lambda *counts: seen.append(counts))
    assert seen[-1] == ('folder train: packed', 2, 2)
    (pair_folders / 'gt/c.png').write_bytes(whole['gt/c.png'])
    packed = pack(pair_folders, progress=lambda *counts: seen.append(counts))
    assert seen[-1] == ('folder train: packed', 1, 1)
    assert {path.name for path in (pair_folders / 'out').iterdir()} == {'train_lq.lmdb', 'train_gt.lmdb'}
    for found, expected in zip(packed, pack(pair_folders, out=pair_folders / 'again'), strict=True):
        assert content(found) == content(expected)


def test_another_file_in_the_place_of_a_packed_one_makes_the_work_begin_anew(pair_folders):
    kept = (pair_folders / 'gt/c.png').read_bytes()
    (pair_folders / 'gt/c.png').write_bytes(kept[:700])
    with pytest.raises(UserError, match='damaged'):
        pack(pair_folders)
    (pair_folders / 'gt/c.png').write_bytes(kept)
    picture = pixels(pair_folders / 'gt/a.png')[::-1]
    put_picture(pair_folders / 'gt/a.png', picture[..., ::-1])
    _, gt = pack(pair_folders)
    np.testing.assert_array_equal(LmdbSource(gt).read('a'), picture)


def test_a_truncated_jpeg_is_refused(pair_folders):
    buffer = io.BytesIO()
    Image.fromarray(pixels(pair_folders / 'gt/a.png')).save(buffer, 'JPEG')
    (pair_folders / 'gt/d.jpg').write_bytes(buffer.getvalue()[:-300])
    assert cv2.imread(str(pair_folders / 'gt/d.jpg')) is not None, 'OpenCV gives a picture'
    with pytest.raises(UserError, match='1 pictures are damaged: .*gt/d.jpg'):
        pack(pair_folders, lq=None)


def test_deep_and_grey_pictures_become_8_bit_rgb_and_are_counted(tmp_path, said):
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    put_picture(tmp_path / 'gt/deep.png', levels[..., ::-1].astype(np.uint16) * 257)
    put_picture(tmp_path / 'gt/deep.tif', levels[..., ::-1].astype(np.uint16) * 257)
    (tmp_path / 'gt/deep.tif').rename(tmp_path / 'gt/other.tif')
    put_picture(tmp_path / 'gt/grey.png', levels[..., 0])
    put_picture(tmp_path / 'gt/plain.png', levels[..., ::-1])
    packed, = pack(tmp_path, lq=None)
    assert said == ['folder train: 3 files are turned into 8-bit RGB (2 of 16-bit RGB, 1 of 8-bit grey)']
    assert read_manifest(packed).details['converted'] == {'16-bit RGB': 2, '8-bit grey': 1}
    source = LmdbSource(packed)
    for key in ('deep', 'other', 'plain'):
        np.testing.assert_array_equal(source.read(key), levels)
    np.testing.assert_array_equal(source.read('grey'), np.repeat(levels[..., :1], 3, axis=2))


def test_pictures_smaller_than_the_crop_are_kept_and_said(pair_folders, said):
    packed, = pack(pair_folders, lq=None, settings=PackSettings(crop=Crop(36, 18), workers=1))
    assert said == ['folder train: 3 files are smaller than --crop 36; they are not cut along that side']
    assert LmdbSource(packed).sizes == {f'{name}_s00{number}': (32, 36) for name in 'abc' for number in (1, 2)}


def test_what_is_there_is_left_alone_when_it_is_the_same_and_refused_when_it_is_not(pair_folders):
    first = pack_folder(pair_folders / 'gt', pair_folders / 'out', settings=ONE)
    inode = (first[0].path / 'data.mdb').stat().st_ino
    second = pack_folder(pair_folders / 'gt', pair_folders / 'out', settings=ONE)
    assert first[0].now and not second[0].now and (first[0].path / 'data.mdb').stat().st_ino == inode
    with pytest.raises(UserError, match="is there already and differs \\(encoding is 'png', not 'raw'\\)"):
        pack(pair_folders, lq=None, settings=PackSettings(encoding='raw', workers=1))
    file = pair_folders / 'gt/b.png'
    os.utime(file, ns=(0, (first[0].path / 'manifest.json').stat().st_mtime_ns + 1))
    with pytest.raises(UserError, match='is there already and older than .*gt/b.png'):
        pack(pair_folders, lq=None)
    (pair_folders / 'gt/c.png').unlink()
    with pytest.raises(UserError, match="differs \\(sources is '[0-9a-f]{16}', not '[0-9a-f]{16}'\\)"):
        pack(pair_folders, lq=None)
    (first[0].path / 'manifest.json').unlink()
    with pytest.raises(UserError, match='was packed by another tool'):
        pack(pair_folders, lq=None)


@pytest.mark.parametrize(('options', 'match'), [
    ({'--workers': '0'}, '--workers: expected at least 1'),
    ({'--step': '8'}, '--step: needs --crop'),
    ({'--crop': '1'}, '--crop: expected at least 2'),
    ({'--crop': '8', '--step': '9'}, '--step: expected 1 to 8'),
    ({'--shard': '4/3'}, "--shard: expected i/n .* found '4/3'"),
    ({'--shard': 'one'}, "--shard: expected i/n .* found 'one'"),
    ({'--gt': 'there.lmdb'}, '--gt: there.lmdb is a packed set already'),
])
def test_the_command_says_in_one_line_what_is_wrong(pair_folders, capsys, options, match):
    given = {'--gt': str(pair_folders / 'gt'), '--out': str(pair_folders / 'out'), **options}
    assert cli.main(['pack', 'folder', *(word for option in given.items() for word in option)]) == 2
    error = capsys.readouterr().err
    assert error.startswith('glowdeblur: ') and error.count('\n') == 1
    with pytest.raises(UserError, match=match):
        raise UserError(error)
    assert not (pair_folders / 'out').exists()


def test_the_command_packs_pairs_and_shows_progress(pair_folders, capsys):
    folders = {f'--{side}': str(pair_folders / side) for side in ('lq', 'gt', 'out')}
    arguments = ['pack', 'folder', *(word for option in folders.items() for word in option), '--workers', '1']
    assert cli.main(arguments) == 0
    shown = capsys.readouterr()
    assert 'folder train: packed 6 of 6, 0:00 left' in map(str.rstrip, shown.err.splitlines())
    assert shown.out == ''.join(f'{pair_folders}/out/train_{side}.lmdb: packed\n' for side in ('lq', 'gt'))


def test_a_link_to_a_folder_above_is_refused_and_one_aside_is_followed(tmp_path):
    (tmp_path / 'gt' / 'a').mkdir(parents=True)
    (tmp_path / 'other').mkdir()
    cv2.imwrite(str(tmp_path / 'other' / 'x.png'), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / 'gt' / 'b').symlink_to(tmp_path / 'other')
    assert picture_files(tmp_path / 'gt', '--gt') == {'b/x': 'b/x.png'}
    (tmp_path / 'gt' / 'a' / 'loop').symlink_to(tmp_path / 'gt')
    with pytest.raises(UserError, match='--gt: .*gt/a/loop: links back to .*gt, which holds it'):
        pack_folder(tmp_path / 'gt', tmp_path / 'out')


@pytest.mark.skipif(os.geteuid() == 0, reason='nothing is unreadable for root')
def test_an_unreadable_folder_is_named(tmp_path):
    (tmp_path / 'gt' / 'a').mkdir(parents=True, mode=0)
    with pytest.raises(UserError, match='--gt: .*gt/a: cannot be read'):
        pack_folder(tmp_path / 'gt', tmp_path / 'out')


def test_names_that_are_no_text_are_packed_under_clean_keys(tmp_path):
    (tmp_path / 'gt').mkdir()
    picture = np.full((8, 8, 3), 7, np.uint8)
    data = cv2.imencode('.png', picture)[1].tobytes()
    (tmp_path / 'gt' / os.fsdecode(b'caf\xe9.png')).write_bytes(data)
    pack_folder(tmp_path / 'gt', tmp_path / 'out', settings=PackSettings(workers=1))
    np.testing.assert_array_equal(LmdbSource(tmp_path / 'out' / 'train_gt.lmdb').read('caf_'), picture)
