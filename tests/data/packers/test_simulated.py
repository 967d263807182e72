"""Simulated pairs are packed as the data set gives them, with their motion, and go on after a stop."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from miniature import content

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_store import read_manifest
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers import simulated
from glowdeblur_plugin.data.packers.plan import BEFORE_LAST_PART
from glowdeblur_plugin.data.packers.simulated import Simulation, pack_simulated
from glowdeblur_plugin.data.packers.split_unpaired import split_unpaired
from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.side_data import MotionSource, cell_means
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset
from glowdeblur_plugin.errors import UserError


def frozen(out: Path, **changes: object) -> PairedLMDBDataset:
    section = {'name': 'frozen', 'type': 'PairedLMDBDataset', 'phase': 'val', 'dtype': 'uint8'}
    return PairedLMDBDataset({**section, **{f'dataroot_{side}': str(out / f'val_{side}.lmdb') for side in ('lq', 'gt', 'motion')},
                              **changes})


def live(gt: Path, blurs: int, seed: int) -> SimulatedBlurDataset:
    return SimulatedBlurDataset({'name': 'live', 'type': 'SimulatedBlurDataset', 'phase': 'val', 'dataroot_gt': str(gt),
                                 'domain': 'gentle', 'draws_per_picture': blurs, 'seed': seed, 'dtype': 'uint8'})


def test_pairs_and_motion_are_those_of_the_simulated_set(photographs_folder: Path, tmp_path: Path) -> None:
    simulation = Simulation(gt=photographs_folder, domain='gentle', blurs=2, seed=5, cell=1, encoding='zstd')
    pack_simulated(simulation, tmp_path, workers=1)
    packed, drawn = frozen(tmp_path), live(photographs_folder, 2, 5)
    assert len(packed) == len(drawn) == 18
    for draw in range(len(drawn)):
        expected = drawn[draw]
        key = f'{drawn.keys[draw % 9]}_{draw // 9}'
        found = packed[packed.keys.index(key)]
        for side in ('lq', 'gt'):
            np.testing.assert_array_equal(found[side], expected[side])
        np.testing.assert_allclose(found['motion'], expected['motion'], rtol=1e-3, atol=1e-4)
    details = {'split': 'val', 'domain': 'gentle', 'blurs': 2, 'seed': 5, 'side': 'motion', 'cell': 1}
    assert read_manifest(tmp_path / 'val_motion.lmdb').details == {**details, 'simulated': drawn.fingerprint()}


def test_motion_is_kept_by_cells(photographs_folder: Path, tmp_path: Path) -> None:
    pack_simulated(Simulation(gt=photographs_folder, domain='gentle', cell=8), tmp_path, workers=1)
    expected = live(photographs_folder, 1, 0)[3]['motion'].numpy()
    source = MotionSource(tmp_path / 'val_motion.lmdb')
    assert source.cell == 8
    np.testing.assert_allclose(source.read('3_0'), cell_means(expected, 8), rtol=1e-3, atol=1e-4)


def test_means_over_cells_that_the_border_cuts() -> None:
    motion = np.random.default_rng(0).normal(size=(3, 11, 7))
    means = cell_means(motion, 4)
    assert means.shape == (3, 3, 2)
    np.testing.assert_allclose(means[:, 2, 1], motion[:, 8:11, 4:7].mean(axis=(1, 2)))
    np.testing.assert_allclose(means[:, 0, 0], motion[:, :4, :4].mean(axis=(1, 2)))


def test_a_stopped_run_goes_on(photographs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(gt=photographs_folder, domain='gentle')

    def stop(task: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_simulated(simulation, tmp_path / 'out', workers=1, progress=stop)
    rendered = []
    render = simulated._render
    monkeypatch.setattr(simulated, '_render', lambda task: rendered.append(task[1]) or render(task))
    pack_simulated(simulation, tmp_path / 'out', workers=1)
    assert rendered == [4, 5, 6, 7, 8]
    pack_simulated(simulation, tmp_path / 'whole', workers=1)
    for side in simulated.SIDES:
        for name in ('meta_info.txt', 'checksums.txt', 'manifest.json'):
            first, second = ((tmp_path / folder / f'val_{side}.lmdb' / name).read_text() for folder in ('out', 'whole'))
            assert first == second


def test_a_run_killed_between_its_sets_goes_on_and_a_finished_one_is_left_alone(photographs_folder: Path, tmp_path: Path,
                                                                               capsys: pytest.CaptureFixture[str]) -> None:
    simulation = Simulation(gt=photographs_folder, domain='gentle')
    pack_simulated(simulation, tmp_path, workers=1)
    motion, kept = tmp_path / 'val_motion.lmdb', (tmp_path / 'val_lq.lmdb' / 'data.mdb').stat().st_mtime_ns
    whole = (motion / 'checksums.txt').read_text()
    shutil.rmtree(motion)
    packed = pack_simulated(simulation, tmp_path, workers=1)
    assert [(one.path.name, one.now) for one in packed] == [('val_lq.lmdb', False), ('val_gt.lmdb', False),
                                                           ('val_motion.lmdb', True)]
    assert (motion / 'checksums.txt').read_text() == whole
    assert (tmp_path / 'val_lq.lmdb' / 'data.mdb').stat().st_mtime_ns == kept
    assert not any(one.now for one in pack_simulated(simulation, tmp_path, workers=1))
    shutil.rmtree(motion)
    with pytest.raises(UserError, match='val_lq.lmdb: is there already and differs .*seed is 0, not 1'):
        pack_simulated(dataclasses.replace(simulation, seed=1), tmp_path)
    assert not motion.exists()


@pytest.mark.parametrize('published', [('motion',), ('gt', 'motion')])
def test_sides_that_were_published_before_a_kill_are_kept(photographs_folder: Path, tmp_path: Path, published: tuple[str, ...],
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """The sets are published one after the other; between two of them the work of the others still lies in hidden folders."""
    def publish(writer: LmdbWriter) -> None:
        if writer.path.stem.split('_')[1] not in published:
            raise KeyboardInterrupt
        publish_one(writer)

    publish_one = LmdbWriter._publish
    simulation = Simulation(gt=photographs_folder, domain='gentle')
    pack_simulated(simulation, tmp_path / 'whole', workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(LmdbWriter, '_publish', publish)
        with pytest.raises(KeyboardInterrupt):
            pack_simulated(simulation, tmp_path / 'out', workers=1)
    assert {path.name for path in (tmp_path / 'out').glob('[!.]*')} == {f'val_{side}.lmdb' for side in published}
    monkeypatch.setattr(simulated, '_render', None)
    packed = pack_simulated(simulation, tmp_path / 'out', workers=1)
    assert [one.now for one in packed] == [side not in published for side in simulated.SIDES]
    for one in packed:
        assert content(one.path) == content(tmp_path / 'whole' / one.path.name)


def test_a_picture_that_changed_is_noticed(photographs_folder: Path, tmp_path: Path) -> None:
    gt = Path(shutil.copytree(photographs_folder, tmp_path / 'gt'))
    simulation = Simulation(gt=gt, domain='gentle')
    pack_simulated(simulation, tmp_path / 'out', workers=1)
    packed = (tmp_path / 'out/val_lq.lmdb/manifest.json').stat().st_mtime_ns
    os.utime(gt / '4.png', ns=(0, packed + 1))
    with pytest.raises(UserError, match='val_lq.lmdb: is there already and older than .*gt/4.png'):
        pack_simulated(simulation, tmp_path / 'out', workers=1)
    (gt / '4.png').rename(gt / '9.png')
    with pytest.raises(UserError, match='val_lq.lmdb: is there already and differs \\(simulated is '):
        pack_simulated(simulation, tmp_path / 'out', workers=1)


def test_a_stopped_run_begins_anew_where_a_picture_was_replaced(photographs_folder: Path, tmp_path: Path) -> None:
    """By another one of its size, while nothing was published."""
    gt = Path(shutil.copytree(photographs_folder, tmp_path / 'gt'))
    simulation = Simulation(gt=gt, domain='gentle')

    def stop(task: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_simulated(simulation, tmp_path / 'out', workers=1, progress=stop)
    shutil.copy(gt / '8.png', gt / '0.png')
    out, whole = (pack_simulated(simulation, tmp_path / name, workers=1) for name in ('out', 'whole'))
    assert [content(one.path) for one in out] == [content(one.path) for one in whole]


def test_scenes_are_those_of_the_sharp_set(tmp_path: Path) -> None:
    """Frames of two clips, each blurred twice."""
    rng = np.random.default_rng(0)
    with LmdbWriter(tmp_path / 'sharp.lmdb', 'reds', encoding='raw', details={'scene': BEFORE_LAST_PART}) as writer:
        for key in ('000_01', '000_02', '001_01', '001_02'):
            writer.put(key, rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    pack_simulated(Simulation(gt=tmp_path / 'sharp.lmdb', domain='gentle', blurs=2), tmp_path / 'set', 'train', workers=1)
    split_unpaired(tmp_path / 'set', tmp_path / 'halves', sharp_share=0.5)
    for half in ('sharp', 'blurry'):
        keys = (tmp_path / 'halves' / f'train_{half}.txt').read_text().split()
        assert len(keys) == 4 and len({key.split('_')[0] for key in keys}) == 1


def test_the_command_and_its_refusals(photographs_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ['pack', 'simulated', '--gt', str(photographs_folder), '--domain', 'gentle', '--out', str(tmp_path / 'out')]
    assert cli.main([*arguments, '--workers', '1']) == 0
    assert f'{tmp_path / "out" / "val_motion.lmdb"}: packed' in capsys.readouterr().out
    for more, message in ((['--seed', '3'], 'val_lq.lmdb: is there already and differs'),
                          (['--blurs', '0'], '--blurs: expected at least 1, found 0'),
                          (['--workers', '0'], '--workers: expected at least 1, found 0'),
                          (['--seed', '-1'], '--seed: expected at least 0, found -1'),
                          (['--split', 'a.b'], "--split: expected letters, digits, '_' and '-', such as train, found 'a.b'"),
                          (['--out', 'x.lmdb'], '--out: x.lmdb has the name of a packed set'),
                          (['--gt', ''], 'an argument that should be a file or folder is empty')):
        assert cli.main([*arguments, *more]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count('\n') == 1
    with pytest.raises(UserError, match='--gt: .*nothing does not exist'):
        pack_simulated(Simulation(gt=tmp_path / 'nothing', domain='gopro'), tmp_path / 'other')
