"""Sub-images, shards and their merging, unpaired halves."""

import json
import shutil
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest
from miniature import Miniature, content, gopro, pixels

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.packers.bsd import Bsd
from glowdeblur_plugin.data.packers.crop import Crop
from glowdeblur_plugin.data.packers.dvd import Dvd
from glowdeblur_plugin.data.packers.engine import pack_plans
from glowdeblur_plugin.data.packers.folder import pack_folder
from glowdeblur_plugin.data.packers.frames import SCENE as FRAMES_SCENE
from glowdeblur_plugin.data.packers.gopro import GoPro
from glowdeblur_plugin.data.packers.gsblur import GsBlur
from glowdeblur_plugin.data.packers.hide import Hide
from glowdeblur_plugin.data.packers.lsdir import Lsdir
from glowdeblur_plugin.data.packers.plan import BEFORE_LAST_PART
from glowdeblur_plugin.data.packers.realblur import RealBlur
from glowdeblur_plugin.data.packers.reds import Reds
from glowdeblur_plugin.data.packers.rsblur import RsBlur
from glowdeblur_plugin.data.packers.settings import PackSettings, Shard
from glowdeblur_plugin.data.packers.shards import merge_shards
from glowdeblur_plugin.data.packers.split_unpaired import scenes_of, split_keys, split_unpaired
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.errors import UserError

SIDES = ('lq', 'gt')


def test_boxes_are_those_of_the_field():
    boxes = [(window.top, window.left, window.height, window.width) for window in Crop(512, 256).windows(720, 1280)]
    assert boxes == [(top, left, 512, 512) for top in (0, 208) for left in (0, 256, 512, 768)]


@pytest.mark.parametrize(('size', 'step', 'height', 'width'), [
    (7, 3, 20, 31), (8, 8, 24, 32), (5, 5, 6, 5), (16, 1, 17, 16), (9, 4, 5, 30)])
def test_boxes_cover_a_picture_stay_inside_and_differ(size, step, height, width):
    windows = Crop(size, step).windows(height, width)
    covered = np.zeros((height, width), int)
    for window in windows:
        assert (window.height, window.width) == (min(size, height), min(size, width))
        assert window.cut(covered).shape == (window.height, window.width)
        window.cut(covered)[...] += 1
    assert covered.all() and len(set(windows)) == len(windows)


def test_sub_images_of_both_sides_are_cut_alike(tmp_path):
    tree = gopro(tmp_path / 'root')
    settings = PackSettings(encoding='zstd', crop=Crop(16, 8), workers=1)
    packed = pack_plans(tree.packer.plans(tree.root, ['test']), tmp_path / 'out', settings)
    for one, side in zip(packed, SIDES, strict=True):
        source = LmdbSource(one.path)
        assert len(source.sizes) == 2 * 2 * 3
        for key, files in tree.expected['test'].items():
            picture = pixels(files[side])
            for number, (top, left) in enumerate([(top, left) for top in (0, 8) for left in (0, 8, 16)], start=1):
                np.testing.assert_array_equal(source.read(f'{key}_s{number:03d}'), picture[top:top + 16, left:left + 16])


def shards(tree: Miniature, out: Path, of: int, **settings: object) -> None:
    for number in range(1, of + 1):
        pack_plans(tree.packer.plans(tree.root), out, PackSettings(shard=Shard(number, of), workers=1, **settings))


@pytest.mark.parametrize('of', [1, 3, 7])
def test_merged_shards_equal_an_undivided_packing(tmp_path, of):
    """With seven shards of two to four pictures, some are empty."""
    tree = gopro(tmp_path / 'root')
    settings = {'encoding': 'zstd', 'crop': Crop(20, 10)}
    pack_plans(tree.packer.plans(tree.root), tmp_path / 'whole', PackSettings(workers=1, **settings))
    shards(tree, tmp_path / 'out', of, **settings)
    merged = merge_shards(tmp_path / 'out')
    assert all(one.now for one in merged)
    assert {one.path.name for one in merged} == {f'{split}_{side}.lmdb' for split in tree.expected for side in SIDES}
    for one in merged:
        assert content(one.path) == content(tmp_path / 'whole' / one.path.name)
    assert not any(one.now for one in merge_shards(tmp_path / 'out'))


def test_shards_share_the_pictures(tmp_path):
    tree = gopro(tmp_path / 'root')
    shards(tree, tmp_path, 3)
    keys = [list(LmdbSource(tmp_path / f'train_lq.shard-{number}-of-3.lmdb').sizes) for number in (1, 2, 3)]
    assert [len(found) for found in keys] == [2, 1, 1]
    assert sorted(sum(keys, [])) == sorted(tree.expected['train'])


def break_details(out: Path, **details: object) -> None:
    file = out / 'train_gt.shard-2-of-3.lmdb' / 'manifest.json'
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, 'details': {**manifest['details'], **details}}))


@pytest.mark.parametrize(('damage', 'match'), [
    (lambda out: shutil.rmtree(out / 'train_lq.shard-2-of-3.lmdb'), 'train_lq: 1 of 3 shards are not complete yet: 2'),
    (lambda out: shutil.copytree(out / 'train_lq.shard-2-of-3.lmdb', out / 'train_lq.shard-2-of-4.lmdb'),
     'shards of 3 and of 4'),
    (lambda out: break_details(out, sources='0' * 16),
     "shard-2-of-3.lmdb and .*shard-1-of-3.lmdb do not belong together: .*sources is '0{16}'"),
    (lambda out: break_details(out, blur='blur'), "do not belong together: in the first, blur is 'blur', not 'blur_gamma'"),
    (lambda out: (out / 'train_gt.shard-2-of-3.lmdb/checksums.txt').unlink(), 'was not packed by this version'),
    (lambda out: [shutil.rmtree(path) for path in out.iterdir()], 'holds no <split>_<side>.shard-i-of-n.lmdb'),
])
def test_shards_that_do_not_belong_together_are_refused(tmp_path, damage, match):
    shards(gopro(tmp_path / 'root'), tmp_path / 'out', 3)
    damage(tmp_path / 'out')
    with pytest.raises(UserError, match=match):
        merge_shards(tmp_path / 'out')
    assert not [path for path in (tmp_path / 'out').iterdir() if '.shard-' not in path.name]


def test_a_damaged_record_is_not_copied(tmp_path):
    shards(gopro(tmp_path / 'root'), tmp_path / 'out', 2, encoding='raw')
    shard = tmp_path / 'out/train_lq.shard-1-of-2.lmdb'
    key = next(iter(LmdbSource(shard).sizes))
    with lmdb.open(str(shard), lock=False) as environment, environment.begin(write=True) as transaction:
        data = transaction.get(key.encode())
        transaction.put(key.encode(), data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(UserError, match=f'shard-1-of-2.lmdb/{key}: the record is damaged'):
        merge_shards(tmp_path / 'out')
    assert not (tmp_path / 'out/train_lq.lmdb').exists()


def test_halves_are_disjoint_complete_and_keep_scenes_whole():
    keys = [f'seq{scene}_{number:06d}_s{cut:03d}' for scene in range(20) for number in range(scene + 1) for cut in (1, 2)]
    scenes = scenes_of(keys, BEFORE_LAST_PART)
    assert scenes == {key: key.split('_')[0] for key in keys}
    sharp, blurry = split_keys(scenes, 0.6, seed=0)
    assert not set(sharp) & set(blurry) and sorted([*sharp, *blurry]) == sorted(keys)
    assert not {scenes[key] for key in sharp} & {scenes[key] for key in blurry}
    assert abs(len(sharp) - 0.6 * len(keys)) <= 20
    assert split_keys(dict(reversed(scenes.items())), 0.6, seed=0) == (sharp, blurry) != split_keys(scenes, 0.6, seed=1)


def test_sub_images_of_a_picture_stay_together():
    scenes = scenes_of([f'a_{number}_s{cut:03d}' for number in range(10) for cut in (1, 2)], '.+')
    sharp, blurry = split_keys(scenes, 0.6, seed=0)
    assert (len(sharp), len(blurry)) == (12, 8)
    assert not {key[:-5] for key in sharp} & {key[:-5] for key in blurry}


@pytest.mark.parametrize('rule, scene, keys', [
    (GoPro.scene, 'GOPR0372', ['GOPR0372_07_00_000047', 'GOPR0372_07_01_000048_s001']),
    (Hide.scene, 'GOPR1096', ['1fromGOPR1096', '100fromGOPR1096_MP4', '100fromGOPR1096_MP4_s002']),
    (Reds.scene, 'train_017', ['train_017_00000000', 'train_017_00000099_s003']),
    (RealBlur.scene, 'j_scene244', ['j_scene244_1', 'j_scene244_reflect_21', 'j_scene244_21_s001']),
    (Bsd.scene, '000', ['1ms8ms_train_000_00000001', '3ms24ms_train_000_00000007_s002']),
    (RsBlur.scene, '0001', ['0001_000001', '0001_000002']),
    (GsBlur.scene, '12', ['12_07_r2_0_5_1', 'part_12_11_r4_0_75_3', 'part_12_07_dy_r3_1_0', '12_dy_07_r3_1_0_s002']),
    (Dvd.scene, '720p_240fps_2', ['720p_240fps_2_00001']),
    (Lsdir.scene, 'train_0000001', ['train_0000001', 'train_0000001_s001']),
    (FRAMES_SCENE, 'videos_a1', ['videos_a1_000004_7f', 'videos_a1_000013_11f_s001']),
    (FRAMES_SCENE, 'clip2_frame', ['clip2_frame0004_7f', 'clip2_frame1013_9f']),
    (FRAMES_SCENE, '', ['0004_7f', '1013_9f']),
])
def test_scenes_of_every_packers_keys(rule, scene, keys):
    """As they are, and with the number that a simulated blur adds to them."""
    assert set(scenes_of(keys, rule).values()) == {scene}
    blurs = [f'{key}_{blur}' for key in keys for blur in (0, 12)]
    assert set(scenes_of(blurs, rule, blurs=True).values()) == {scene}


def test_what_is_no_scene_is_said(tmp_path):
    for rule, message in (('(', 'is no regular expression'), ('^x', "finds no scene in the key 'a_1'")):
        with pytest.raises(UserError, match=f'--scene: .* {message}'):
            scenes_of(['a_1'], rule)
    own, out = tmp_path / 'own', str(tmp_path / 'halves')
    own.mkdir()
    for name in ('a_1', 'a_2', 'b_1'):
        cv2.imwrite(str(own / f'{name}.png'), np.zeros((8, 8, 3), np.uint8))
    pack_folder(own, tmp_path / 'set', own, settings=PackSettings(workers=1))
    with pytest.raises(UserError, match='train_gt.lmdb: does not say which pictures show one scene.*give --scene'):
        split_unpaired(tmp_path / 'set', tmp_path / 'halves')
    assert cli.main(['pack', 'split-unpaired', str(tmp_path / 'set'), '--out', out, '--scene', BEFORE_LAST_PART]) == 0
    assert (tmp_path / 'halves/train_sharp.txt').read_text().split() == ['a_1', 'a_2']
    with pytest.raises(UserError, match='--seed: expected at least 0, found -1'):
        split_unpaired(tmp_path / 'set', tmp_path / 'halves', seed=-1)


def test_unpaired_halves_are_sets_of_their_own_with_their_lists(tmp_path):
    tree = gopro(tmp_path / 'root')
    pack_plans(tree.packer.plans(tree.root), tmp_path / 'set', PackSettings(encoding='webp', workers=1))
    assert cli.main(['pack', 'split-unpaired', str(tmp_path / 'set'), '--out', str(tmp_path / 'halves'), '--seed', '3']) == 0
    names = {'train_sharp_gt.lmdb', 'train_blurry_lq.lmdb', 'train_sharp.txt', 'train_blurry.txt'}
    assert {path.name for path in (tmp_path / 'halves').iterdir()} == names
    all_keys = []
    for half, side in (('sharp', 'gt'), ('blurry', 'lq')):
        source = LmdbSource(tmp_path / 'halves' / f'train_{half}_{side}.lmdb')
        keys = (tmp_path / 'halves' / f'train_{half}.txt').read_text().split()
        assert list(source.sizes) == keys and len({key.rsplit('_', 1)[0] for key in keys}) == 1
        for key in keys:
            np.testing.assert_array_equal(source.read(key), pixels(tree.expected['train'][key][side]))
        assert source.manifest.details.items() >= {'half': half, 'seed': 3, 'sharp_share': 0.6, 'blur': 'blur_gamma'}.items()
        all_keys += keys
    assert sorted(all_keys) == sorted(tree.expected['train'])
    with pytest.raises(UserError, match='differs .*seed is 3, not 4'):
        split_unpaired(tmp_path / 'set', tmp_path / 'halves', seed=4)
    shutil.rmtree(tmp_path / 'set/train_lq.lmdb')
    with pytest.raises(UserError, match='train_lq.lmdb: does not exist'):
        split_unpaired(tmp_path / 'set', tmp_path / 'halves')
    with pytest.raises(UserError, match='--sharp-share: expected a number between 0 and 1, found 1.0'):
        split_unpaired(tmp_path / 'set', tmp_path / 'halves', sharp_share=1.0)
