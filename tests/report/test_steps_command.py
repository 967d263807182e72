"""The study of steps as files, and the command that makes them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from skimage import data

from glowdeblur_plugin import cli
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.side_data import encode_embedding
from glowdeblur_plugin.report import charts
from glowdeblur_plugin.report.step_study import as_csv, as_table, steps_chart

ROWS: list[dict[str, Any]] = [
    {'way': 'blurry', 'steps': None, 'psnr': 20.0, 'ssim': 0.5},
    {'way': 'euler from 1', 'steps': 1, 'psnr': 30.0, 'ssim': 0.75},
    {'way': 'euler from 1', 'steps': 4, 'psnr': 25.0, 'ssim': 0.5},
    {'way': 'dpm from 1', 'steps': 1, 'psnr': 20.0, 'ssim': 0.5},
    {'way': 'dpm from 1', 'steps': 4, 'psnr': 21.0, 'ssim': 0.6},
]


def test_csv_and_table_hold_the_rows() -> None:
    read = list(csv.DictReader(as_csv(ROWS).splitlines()))
    assert [{key: value for key, value in row.items() if value} for row in read] == [
        {key: str(value) for key, value in row.items() if value is not None} for row in ROWS
    ]
    lines = as_table(ROWS).splitlines()
    assert lines[0].split() == ['way', 'steps', 'psnr', 'ssim', 'niqe', 'gradient']
    assert lines[1].split() == ['blurry', '20.00', '0.5000']
    assert lines[3].split() == ['euler', 'from', '1', '4', '25.00', '0.5000']


def test_the_chart_draws_each_way_at_its_heights() -> None:
    """Two panels; in the first, the first way falls from the top and the second rises a little from the bottom."""
    chart = steps_chart(ROWS)
    panel = chart[70:320, 70:490]
    heights = []
    for colour in charts.COLOURS[:2]:
        rows, columns = np.nonzero((panel == colour).all(axis=2))
        heights.append([rows[columns < 150].mean(), rows[columns > 270].mean()])
    (first, last), (low, risen) = heights
    assert first < last < risen < low
    assert not (chart[390:, :] == charts.COLOURS[0]).all(axis=2)[:-30].any() and chart.shape[0] == 390 + 30


@pytest.fixture
def option_file(tmp_path: Path) -> Path:
    """A test of a new nano network on one picture of 64x48 pixels."""
    import cv2
    picture = data.astronaut()[:48, :64, ::-1]
    for side, pixels in (('gt', picture), ('lq', cv2.blur(picture, (5, 5)))):
        (tmp_path / side).mkdir()
        cv2.imwrite(str(tmp_path / side / 'a.png'), pixels)
    torch.manual_seed(0)
    torch.save({'params': GLOWDeblur('nano', target='around').state_dict()}, tmp_path / 'net.pth')
    roots = {f'dataroot_{side}': str(tmp_path / side) for side in ('lq', 'gt')}
    options = {
        'name': 'study', 'model_type': 'GLOWDeblurModel', 'num_gpu': 0, 'manual_seed': 0,
        'datasets': {'test': {'name': 'one', 'type': 'PairedLMDBDataset', **roots}},
        'network_g': {'type': 'GLOWDeblur', 'variant': 'nano', 'target': 'around'},
        'path': {'strict_load_g': True},
        'val': {'save_img': False},
    }
    (tmp_path / 'study.yml').write_text(yaml.safe_dump(options))
    return tmp_path / 'study.yml'


def test_the_command_writes_table_and_chart(option_file: Path, capsys: pytest.CaptureFixture) -> None:
    """A new network predicts nothing beside its condition: one step from pure noise gives the blurry picture through the codec,
    whatever the solver."""
    out = option_file.parent / 'out'
    arguments = ['steps', '-opt', str(option_file), '--weights', str(option_file.parent / 'net.pth'), '--out', str(out)]
    assert cli.main([*arguments, '--steps', '1,2', '--solvers', 'euler,dpm,scm', '--starts', '1']) == 0
    rows = list(csv.DictReader((out / 'steps.csv').read_text().splitlines()))
    assert [row['way'] for row in rows[:4]] == ['sharp', 'codec', 'blurry', 'prereconstruction']
    ways = [(f'{solver} from 1', steps) for solver in ('euler', 'dpm', 'scm') for steps in ('1', '2')]
    assert [(row['way'], row['steps']) for row in rows[4:]] == ways
    assert rows[4]['psnr'] == rows[6]['psnr'] and float(rows[4]['psnr']) == pytest.approx(float(rows[8]['psnr']), abs=0.01)
    assert rows[2]['psnr'] == rows[3]['psnr']
    assert (out / 'steps.png').read_bytes()[1:4] == b'PNG'
    assert 'dpm from 1' in capsys.readouterr().out


def test_a_file_that_tests_in_bf16_is_studied_in_bf16(option_file: Path) -> None:
    folder, options, tables = option_file.parent, yaml.safe_load(option_file.read_text()), []
    weights = torch.load(folder / 'net.pth')
    torch.nn.init.normal_(weights['params']['backbone.proj_out.weight'], std=0.3)
    torch.save(weights, folder / 'net.pth')
    for precision in ('fp32', 'bf16'):
        option_file.write_text(yaml.safe_dump({**options, 'val': {'save_img': False, 'precision': precision}}))
        assert cli.main(['steps', '-opt', str(option_file), '--weights', str(folder / 'net.pth'), '--out', str(folder / 'out'),
                         '--steps', '1', '--solvers', 'euler', '--starts', '1']) == 0
        tables.append(list(csv.DictReader((folder / 'out' / 'steps.csv').read_text().splitlines())))
    exact, rounded = tables
    assert exact[:3] == rounded[:3]
    assert 0 < abs(float(exact[4]['psnr']) - float(rounded[4]['psnr'])) < 0.05


def test_several_files_share_a_table(option_file: Path) -> None:
    """What does not depend on the network stands once; the rest is named after its file."""
    other = option_file.with_name('other.yml')
    weights = torch.load(option_file.parent / 'net.pth')
    weights['params']['backbone.proj_out.bias'] += 1
    torch.save(weights, option_file.parent / 'other.pth')
    for file, name in ((option_file, 'net'), (other, 'other')):
        options = yaml.safe_load(option_file.read_text())
        options |= {'name': name, 'path': {'pretrain_network_g': str(option_file.parent / f'{name}.pth')}}
        file.write_text(yaml.safe_dump(options))
    out = option_file.parent / 'out'
    assert cli.main(['steps', '-opt', str(option_file), str(other), '--out', str(out), '--steps', '1', '--solvers', 'euler',
                     '--starts', '1']) == 0
    rows = list(csv.DictReader((out / 'steps.csv').read_text().splitlines()))
    assert [row['way'] for row in rows] == ['sharp', 'codec', 'blurry', 'prereconstruction', 'net: euler from 1',
                                            'other: euler from 1']
    assert rows[4]['psnr'] != rows[5]['psnr']


def test_a_text_counts_where_the_blurry_picture_gave_it(option_file: Path, capsys: pytest.CaptureFixture) -> None:
    folder, options, figures = option_file.parent, yaml.safe_load(option_file.read_text()), {}
    weights = torch.load(folder / 'net.pth')
    torch.nn.init.normal_(weights['params']['backbone.proj_out.weight'], std=0.3)
    torch.save(weights, folder / 'net.pth')
    options['network_g'] |= {'semantic': 'cache', 'text_length': 4}
    options['datasets']['test'] |= {'dataroot_embedding': str(folder / 'test_embedding.lmdb'), 'text_length': 4}
    option_file.write_text(yaml.safe_dump(options))
    arguments = ['steps', '-opt', str(option_file), '--weights', str(folder / 'net.pth'), '--out', str(folder / 'out'),
                 '--steps', '1', '--solvers', 'euler', '--starts', '1']
    for name, origin, level in (('sharp', 'sharp', 3.0), ('other sharp', 'sharp', -3.0), ('blurry', 'blurry', 3.0)):
        with LmdbWriter(folder / 'test_embedding.lmdb', 'one', encoding='embedding', details={'origin': origin}) as writer:
            states = np.random.default_rng(0).normal(size=(4, 32))
            writer.put_encoded('a', encode_embedding(level * states))
        assert cli.main(arguments) == 0
        figures[name] = (folder / 'out' / 'steps.csv').read_text()
    assert figures['sharp'] == figures['other sharp'] != figures['blurry']
    option_file.write_text(yaml.safe_dump({**options, 'val': {**options['val'], 'oracle_guidance': True}}))
    assert cli.main(arguments) == 2
    assert 'val:oracle_guidance: steps are measured without it' in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize('arguments, message', [
    (['--steps', '0'], '--steps: 0 is out of range, must be at least 1'),
    (['--steps', '4,many'], "--steps: expected a whole number, found 'many'"),
    (['--solvers', 'euler,dmp'], "--solvers: 'dmp' is not one of euler, dpm, scm"),
    (['--starts', '2'], '--starts: 2 is out of range, must be from 0.001 to 1'),
    (['--weights', 'missing.pth'], "missing.pth' does not exist"),
])
def test_bad_input_is_one_line(option_file: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(['steps', '-opt', str(option_file), '--out', str(option_file.parent / 'out'), *arguments]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (option_file.parent / 'out').exists()


def test_files_of_one_name_are_refused(option_file: Path, capsys: pytest.CaptureFixture) -> None:
    other = option_file.with_name('other.yml')
    other.write_text(option_file.read_text())
    assert cli.main(['steps', '-opt', str(option_file), str(other), '--out', str(option_file.parent / 'out')]) == 2
    assert f'-opt: {option_file} and {other} both have the name' in capsys.readouterr().err.splitlines()[-1]
