"""Packers, the `prepare` section and the command line."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_store import read_manifest
from glowdeblur_plugin.data.packers import photograph_pairs, prepare
from glowdeblur_plugin.data.packers.folder import pack_folder
from glowdeblur_plugin.data.photographs import TRAIN, VALIDATION, training_photographs, validation_photographs
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.errors import UserError

PHOTOGRAPHS = {'set': 'photographs', 'out': 'sets/quickstart'}


def changed_at(root: Path) -> int:
    return (root / 'data.mdb').stat().st_ino


def test_photographs_are_packed_as_they_are(photographs):
    for split, expected in (('train', training_photographs()), ('val', validation_photographs())):
        source = LmdbSource(photographs / f'{split}.lmdb')
        assert set(source.sizes) == set(expected)
        for name, picture in expected.items():
            np.testing.assert_array_equal(source.read(name), picture)


def test_prepare_packs_once_and_again_when_the_version_differs(tmp_path):
    assert prepare(PHOTOGRAPHS, tmp_path)
    train, validation = (tmp_path / 'sets/quickstart' / f'{split}.lmdb' for split in ('train', 'val'))
    assert sorted(entry.name for entry in train.parent.iterdir()) == ['train.lmdb', 'val.lmdb']
    first = changed_at(train), changed_at(validation)
    assert not prepare(PHOTOGRAPHS, tmp_path)
    assert (changed_at(train), changed_at(validation)) == first
    manifest = json.loads((train / 'manifest.json').read_text())
    (train / 'manifest.json').write_text(json.dumps({**manifest, 'set_version': 0}))
    assert prepare(PHOTOGRAPHS, tmp_path)
    assert changed_at(train) != first[0] and changed_at(validation) == first[1]
    assert read_manifest(train).count == len(TRAIN)


@pytest.mark.parametrize(('section', 'match'), [
    ({'set': 'photograph', 'out': 'x'}, 'prepare:set.*photographs, photograph_pairs'),
    ({'set': 'photographs'}, "prepare: key 'out' is missing"),
])
def test_prepare_refuses_a_wrong_section(tmp_path, section, match):
    with pytest.raises(UserError, match=match):
        prepare(section, tmp_path)


def test_pairs_of_the_stand_in_domains_keep_the_split_and_come_out_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(photograph_pairs, 'SPLITS', {'val': photograph_pairs.SPLITS['val']})
    seen = []
    for out in ('first', 'second'):
        assert prepare({'set': 'photograph_pairs', 'out': out}, tmp_path, lambda *counts: seen.append(counts))
    assert seen[:3] == [('pairs_realblur_val: packed', done, 2) for done in range(3)]
    assert not prepare({'set': 'photograph_pairs', 'out': 'first'}, tmp_path)
    for domain in ('realblur', 'rsblur'):
        lq, gt = (LmdbSource(tmp_path / 'first' / f'pairs_{domain}_val_{side}.lmdb') for side in ('lq', 'gt'))
        assert lq.sizes == gt.sizes and {key.rsplit('_', 1)[0] for key in lq.sizes} == set(VALIDATION)
        again = LmdbSource(tmp_path / 'second' / lq.root.name)
        for key in lq.sizes:
            np.testing.assert_array_equal(lq.read(key), again.read(key))
            assert np.abs(lq.read(key).astype(int) - gt.read(key)).mean() > 2


def test_own_pairs_are_packed_with_clean_keys(pair_folders):
    for side in ('lq', 'gt'):
        (pair_folders / side / 'scene 0.5').mkdir()
        (pair_folders / side / 'a.png').rename(pair_folders / side / 'scene 0.5' / 'a.png')
    seen = []
    lq, gt = pack_folder(pair_folders / 'gt', pair_folders / 'out', pair_folders / 'lq', 'test',
                         lambda *counts: seen.append(counts))
    assert (lq.name, gt.name) == ('test_lq.lmdb', 'test_gt.lmdb')
    assert seen[-7:] == [('packed', done, 6) for done in range(7)]
    assert {task for task, _, _ in seen[:-7]} == {f'{pair_folders / side}: checked' for side in ('lq', 'gt')}
    source = LmdbSource(gt)
    assert list(source.sizes) == ['b', 'c', 'scene_0_5_a']
    expected = cv2.cvtColor(cv2.imread(str(pair_folders / 'gt/scene 0.5/a.png')), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(source.read('scene_0_5_a'), expected)
    with pytest.raises(UserError, match='is there already'):
        pack_folder(pair_folders / 'gt', pair_folders / 'out', pair_folders / 'lq', 'test')


def test_damaged_pictures_are_named_together_and_nothing_is_published(pair_folders):
    for name in ('lq/a.png', 'gt/c.png'):
        file = pair_folders / name
        file.write_bytes(file.read_bytes()[:700])
    with pytest.raises(UserError, match='2 pictures are damaged, nothing was packed: .*lq/a.png.*gt/c.png'):
        pack_folder(pair_folders / 'gt', pair_folders / 'out', pair_folders / 'lq')
    assert not list((pair_folders / 'out').iterdir())


def test_odd_folders_are_refused_before_anything_is_written(pair_folders):
    cv2.imwrite(str(pair_folders / 'gt' / 'd.png'), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match='only on the sharp side: d'):
        pack_folder(pair_folders / 'gt', pair_folders / 'out', pair_folders / 'lq')
    for name in ('x y', 'x_y'):
        cv2.imwrite(str(pair_folders / 'gt' / f'{name}.png'), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match="would both get the key 'x_y'"):
        pack_folder(pair_folders / 'gt', pair_folders / 'out')
    assert not (pair_folders / 'out').exists()


def test_the_command_packs_and_says_in_one_line_what_is_wrong(pair_folders, capsys):
    folders = {f'--{side}': str(pair_folders / side) for side in ('lq', 'gt', 'out')}
    arguments = ['pack', 'folder', *(word for option in folders.items() for word in option)]
    assert cli.main(arguments) == 0
    assert 'packed 6 of 6, 0:00 left' in map(str.rstrip, capsys.readouterr().err.splitlines())
    assert (pair_folders / 'out' / 'train_lq.lmdb').is_dir()
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith('glowdeblur: ') and error.count('\n') == 1 and 'is there already' in error
    assert cli.main(['pack', 'photographs', '--out', str(pair_folders / 'sample')]) == 0
    assert 'packed' in capsys.readouterr().out
