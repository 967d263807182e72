"""What the audit opens, and what it refuses."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.side_data import encode_motion
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.report.blur_set import chosen, open_set


def pack(root: Path, pictures: dict[str, np.ndarray]) -> Path:
    with LmdbWriter(root, 'test') as writer:
        for key, picture in pictures.items():
            writer.put(key, picture)
    return root


@pytest.fixture
def crops() -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(data.astronaut()[96 * index:96 * index + 96, :128]) for index, name in enumerate('abc')}


def test_a_folder_is_blurry_pictures_without_more(photographs_folder):
    opened = open_set(str(photographs_folder))
    assert (len(opened), opened.origin, opened.size(3)) == (9, 'estimated', (128, 128))
    shot = opened.read(3)
    assert shot.sharp is None and shot.motion is None
    np.testing.assert_array_equal(shot.picture, data.astronaut()[128:256, :128])
    assert opened.label == f'{photographs_folder.parent.name}/{photographs_folder.name}'


def test_the_sharp_side_is_found_beside_the_blurry_one(tmp_path, crops):
    lq = pack(tmp_path / 'test_lq.lmdb', {key: picture // 2 for key, picture in crops.items()})
    pack(tmp_path / 'test_gt.lmdb', crops)
    opened = open_set(str(lq))
    assert opened.origin == 'pairs' and opened.label == f'{tmp_path.name}/test_lq'
    np.testing.assert_array_equal(opened.read(1).sharp, crops['b'])
    assert open_set(str(tmp_path / 'test_gt.lmdb')).origin == 'estimated'


def test_sides_that_do_not_pair_are_refused(tmp_path, crops):
    lq = pack(tmp_path / 'test_lq.lmdb', crops)
    pack(tmp_path / 'test_gt.lmdb', {'a': crops['a']})
    with pytest.raises(UserError, match='2 pictures are only on the blurry side: b, c'):
        open_set(str(lq))


def test_the_motion_beside_a_set_goes_before_the_sharp_side(tmp_path, crops):
    lq = pack(tmp_path / 'test_lq.lmdb', crops)
    pack(tmp_path / 'test_gt.lmdb', crops)
    motion = np.random.default_rng(0).normal(0, 5, (3, 3, 4)).astype(np.float16)
    with LmdbWriter(tmp_path / 'test_motion.lmdb', 'test', encoding='motion', details={'cell': 32}) as writer:
        for key in crops:
            writer.put_encoded(key, encode_motion(motion))
    opened = open_set(str(lq))
    shot = opened.read(2)
    assert opened.origin == 'true' and shot.motion.shape == (3, 96, 128)
    np.testing.assert_array_equal(shot.sharp, crops['c'])
    np.testing.assert_array_equal(shot.motion[:, 15, 15], motion[:, 0, 0])
    assert open_set(str(tmp_path / 'test_gt.lmdb')).origin == 'estimated'
    with LmdbWriter(tmp_path / 'test_motion.lmdb', 'test', encoding='motion', details={'cell': 32}) as writer:
        writer.put_encoded('a', encode_motion(motion))
    with pytest.raises(UserError, match='test_motion.lmdb: has no motion for 2 pictures of .*test_lq.lmdb, such as b'):
        open_set(str(lq))
    with LmdbWriter(tmp_path / 'test_motion.lmdb', 'test', encoding='motion', details={'cell': 32}) as writer:
        for key in crops:
            writer.put_encoded(key, encode_motion(motion[:, :2]))
    with pytest.raises(UserError, match='test_motion.lmdb/a: has 4x2 cells, but a picture of 128x96 has 4x3 cells'):
        open_set(str(lq))


def test_a_domain_on_sharp_pictures_is_the_same_each_time_and_has_as_many_as_wanted(sharp_folder):
    text = f'gopro:{sharp_folder}'
    opened = open_set(text)
    assert opened.origin == 'true' and opened.label == f'gopro:{sharp_folder.parent.name}/photos' and len(opened) == 2
    wider = open_set(text, pictures=5)
    assert len(wider) == 6 and len(chosen(wider, 5)) == 5
    for index in (0, 1):
        one, other = opened.read(index), pickle.loads(pickle.dumps(wider)).read(index)
        assert one.motion.shape == (3, *one.picture.shape[:2]) and one.picture.shape[:2] == opened.size(index)
        np.testing.assert_array_equal(one.picture, other.picture)
        np.testing.assert_array_equal(one.motion, other.motion)
    assert not np.array_equal(wider.read(0).picture, wider.read(2).picture)


def test_pictures_are_chosen_evenly(photographs_folder):
    opened = open_set(str(photographs_folder))
    assert chosen(opened, None) == list(range(9))
    assert chosen(opened, 3) == [0, 3, 6] and chosen(opened, 4) == [0, 2, 4, 6]
    with pytest.raises(UserError, match='has 9 pictures, but 10 were asked for'):
        chosen(opened, 10)


@pytest.mark.parametrize(('text', 'parts'), [
    ('missing', 'SET: missing does not exist'),
    ('gopr:somewhere', "unknown key 'gopr'; did you mean 'gopro'"),
    ('gopro:nowhere', 'nowhere does not exist'),
    ('gopro:', 'gopro: names no sharp pictures; give gopro:PATH'),
    ('', 'the path is empty'),
])
def test_wrong_sets_are_named(text, parts):
    with pytest.raises(UserError, match=parts):
        open_set(text)


def test_empty_folders_and_pictures_below_a_cell_are_named(tmp_path):
    with pytest.raises(UserError, match='holds no picture'):
        open_set(str(tmp_path))
    cv2.imwrite(str(tmp_path / 'small.png'), np.zeros((31, 90, 3), np.uint8))
    with pytest.raises(UserError, match='small.png: 90x31 pixels are too few'):
        chosen(open_set(str(tmp_path)), None)
