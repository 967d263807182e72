"""`glowdeblur compare`, and the option files that come with it."""

import csv
from pathlib import Path

import pytest
import yaml
from toy_methods import psnr, toy_set, write_pictures

from glowdeblur_plugin import cli
from glowdeblur_plugin.comparison.options import read_comparison
from glowdeblur_plugin.option_file import read_option_file

OPTIONS = Path(__file__).parents[2] / 'options' / 'compare'


@pytest.mark.parametrize('path', sorted(OPTIONS.glob('*.yml')), ids=lambda path: path.stem)
def test_option_files_are_valid(path: Path) -> None:
    comparison = read_comparison(read_option_file(str(path)))
    assert comparison.top.folder == Path('results') / comparison.top.name == Path('results') / f'compare_{path.stem}'


@pytest.fixture
def option_file(tmp_path: Path) -> Path:
    for name, offset in (('near', 2), ('far', 5)):
        write_pictures(tmp_path / name / 'toy', 7, lambda _: offset)
    methods = {name: {'results': str(tmp_path / name / '{set}')} for name in ('near', 'far')}
    options = {'name': 'toy', 'out': str(tmp_path / 'out'), 'device': 'cpu', 'methods': methods,
               'sets': {'toy': toy_set(tmp_path, 7)},
               'published': {'near': {'toy': {'psnr': 40.0}}, 'other': {'toy': {'psnr': 41.0}}}, 'published_source': 'a paper'}
    (tmp_path / 'toy.yml').write_text(yaml.safe_dump(options))
    return tmp_path / 'toy.yml'


def test_the_command_writes_tables_and_page(option_file: Path, capsys: pytest.CaptureFixture) -> None:
    out = option_file.parent / 'out'
    assert cli.main(['compare', '-opt', str(option_file)]) == 0
    shown = capsys.readouterr()
    assert f'**{psnr(2):.2f}**' in shown.out and shown.out.splitlines()[-1] == str(out / 'index.html')
    assert '[3 of 3] near on toy 7 of 7' in shown.err
    assert {path.name for path in out.iterdir()} == {'index.html', 'summary.json', 'summary.md', 'summary.tex', 'summary.csv',
                                                     'per_picture.csv', 'pictures', 'parts'}
    rows = list(csv.DictReader((out / 'summary.csv').read_text().splitlines()))
    assert {row['method']: row['published'] for row in rows} == {'blurry': '', 'far': '', 'near': '40.0', 'other': '41.0'}
    assert '40.00' in (out / 'index.html').read_text() and '41.00' in (out / 'index.html').read_text()


def test_options_are_changed_on_the_command_line(option_file: Path, capsys: pytest.CaptureFixture) -> None:
    changes = ['--force_yml', 'sets:toy:first=6', 'methods:far=none', 'sets:toy:crop_border=1']
    assert cli.main(['compare', '-opt', str(option_file), *changes]) == 0
    shown = capsys.readouterr().out
    assert 'toy (first 6)' in shown and 'border 1' in shown or '1 pixels of border' in shown
    assert f'{psnr(5):.2f}' not in shown
    assert cli.main(['compare', '-opt', str(option_file), '--force_yml', 'sets:toy:protocol=rgb-u9']) == 2
    error, = capsys.readouterr().err.splitlines()
    assert error.startswith("glowdeblur: sets:toy:protocol: 'rgb-u9' is not one of rgb-u8, rgb-u16")
    assert cli.main(['compare', '-opt', str(option_file), '--force_yml', 'methods:fat=none']) == 2
    assert capsys.readouterr().err == "glowdeblur: --force_yml: methods: unknown key 'fat'; did you mean 'far'?\n"
