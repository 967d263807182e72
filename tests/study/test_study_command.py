"""`glowdeblur study` from trained networks to tables."""

import csv
import fcntl
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
import yaml
from basicsr.archs import build_network

from glowdeblur_plugin import cli
from glowdeblur_plugin.study.options import read_study
from glowdeblur_plugin.study.trainings import all_trainings


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def test_the_command_measures_what_is_trained_and_reports(section: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    section.update(seeds=[0, 1], smoke=True, diversity_pictures=4,
                   rows={name: section['rows'][name] for name in ('short_only', 'long_only')}, bpp=['short_only', 'long_only'])
    Path('study.yml').write_text(yaml.safe_dump(section))
    assert cli.main(['study', '-opt', 'study.yml', '--report']) == 2
    assert 'no seed has all rows yet' in capsys.readouterr().err
    for training in all_trainings(read_study(section)):
        torch.manual_seed(training.seed)
        shapes = build_network(dict(section['network_g'])).state_dict()
        weights = {name: torch.randn_like(value) * 0.05 for name, value in shapes.items()}
        training.weights.parent.mkdir(parents=True)
        torch.save({'params': {}, 'params_ema': weights}, training.weights)
    assert cli.main(['study', '-opt', 'study.yml']) == 0
    assert 'Smoke run' in capsys.readouterr().out
    folder = Path('results') / 'toy'
    pictures, matrix = rows_of(folder / 'per_picture.csv'), rows_of(folder / 'matrix.csv')
    assert len(pictures) == 2 * 9 * (1 + 2 * 2) and len(matrix) == 4
    for cell in matrix:
        means = []
        for row in (cell['row'], 'blurry'):
            psnr = [float(entry['psnr']) for entry in pictures if entry['row'] == row and entry['set'] == cell['set']]
            means.append(sum(psnr) / len(psnr))
        assert float(cell['gain']) == pytest.approx(means[0] - means[1], abs=1e-6) and means[0] != means[1]
    assert cv2.imread(str(folder / 'heat_map.png')).std() > 10
    before = {file: file.stat().st_mtime_ns for file in (folder / 'evaluation').rglob('*.csv')}
    assert cli.main(['study', '-opt', 'study.yml', '--report', '--force_yml', 'seeds=[1]']) == 0
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert {entry['seed'] for entry in rows_of(folder / 'per_picture.csv')} == {'', '1'}


def test_figures_of_a_removed_training_are_not_kept(section: dict[str, Any]) -> None:
    """Only the training that has to be run again loses them; here it stops at the log, which another process has."""
    section.update(seeds=[0], diversity_pictures=4, bpp=['short_only', 'long_only'],
                   rows={name: section['rows'][name] for name in ('short_only', 'long_only')})
    Path('study.yml').write_text(yaml.safe_dump(section))
    first, second = all_trainings(read_study(section))
    second.weights.parent.mkdir(parents=True)
    second.weights.touch()
    old = [Path('results/toy/evaluation') / training.name / f'{name}.csv' for training in (first, second)
           for name in ('short', 'long')]
    for file in old:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('picture,psnr,ssim\n')
    log = Path('results/toy/logs') / f'{first.name}.log'
    log.parent.mkdir()
    with log.open('ab') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert cli.main(['study', '-opt', 'study.yml']) == 2
    assert [file.exists() for file in old] == [False, False, True, True]
