"""The sample sets and the `prepare` section of an option file."""

import json
from pathlib import Path

import numpy as np
import pytest

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_store import read_manifest
from glowdeblur_plugin.data.packers import photograph_pairs
from glowdeblur_plugin.data.packers.prepare import prepare
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


def test_the_command_packs_the_photographs(tmp_path, capsys):
    for said in ('packed', 'is packed already'):
        assert cli.main(['pack', 'photographs', '--out', str(tmp_path / 'sample')]) == 0
        assert capsys.readouterr().out == f'{tmp_path}/sample: {said}\n'
    assert set(LmdbSource(tmp_path / 'sample/val.lmdb').sizes) == set(VALIDATION)
