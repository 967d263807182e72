"""What a benchmark reports of its rounds, and the pairs that the data benchmark reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from glowdeblur_plugin.benchmarks.__main__ import main
from glowdeblur_plugin.benchmarks.data_benchmark import SIZE, made_pairs
from glowdeblur_plugin.benchmarks.figures import figure, table, write_json


def test_median_and_spread_of_the_rounds(tmp_path: Path) -> None:
    figures = {'a_vs_b': figure([3.0, 1.0, 2.5, 8.0, 2.0], 'a note'), 'c': figure([4.0])}
    assert (figures['a_vs_b'].median, figures['a_vs_b'].spread) == (2.5, 7.0)
    write_json(tmp_path / 'found.json', figures)
    found = json.loads((tmp_path / 'found.json').read_text())
    assert found == {'a_vs_b': {'median': 2.5, 'spread': 7.0}, 'c': {'median': 4.0, 'spread': 0.0}}
    assert [entry.name for entry in tmp_path.iterdir()] == ['found.json']
    lines = table(figures).splitlines()
    assert lines[1].split() == ['a_vs_b', '2.5', '7', 'a', 'note'] and lines[2].split() == ['c', '4', '0']


def test_made_pairs_are_whole_different_and_blurred() -> None:
    pairs = made_pairs()
    assert all(picture.shape == (*SIZE, 3) for pair in pairs.values() for picture in pair)
    assert len({sharp.tobytes() for _, sharp in pairs.values()}) == len(pairs)
    for lq, gt in list(pairs.values())[:4]:
        across, down = (np.abs(np.diff(lq.astype(int), axis=axis)).mean() / np.abs(np.diff(gt.astype(int), axis=axis)).mean()
                        for axis in (1, 0))
        assert across < 0.5 * down


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--lq', 'x'], '--gt: is missing; give both folders or none'),
    (['--lq', 'x', '--gt', 'y'], '--lq: x does not exist'),
    (['--rounds', '0'], '--rounds: 0 is out of range, must be at least 1'),
    (['--seconds', '0'], '--seconds: 0.0 is out of range, must be at least 0.1'),
])
def test_bad_arguments_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['data', *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f'benchmarks: {message}') and error.count('\n') == 1
