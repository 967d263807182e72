"""`glowdeblur complexity` on option files of the repository, where none of the pretrained parts can be reached."""

import json
import re
from pathlib import Path

import pytest
import yaml

from glowdeblur_plugin import cli

OPTIONS = Path(__file__).parent.parent / 'options'


def rows(text: str) -> dict[str, list[str]]:
    """Numbers of each line by what stands before them."""
    found = {}
    for line in text.splitlines():
        match = re.match(r'(.*?) {2,}([\d., ]+)$', line)
        if match:
            found[match[1].strip()] = match[2].split()
    return found


def test_stage_one_is_counted_with_the_known_shapes(capsys: pytest.CaptureFixture) -> None:
    """The wider input adds 35 columns of 2240 to SANA-1600M, and the null embedding does not count as a part."""
    assert cli.main(['complexity', '-opt', str(OPTIONS / 'bpp.yml'), '--force_yml', 'datasets:train:batch_size_per_gpu=1']) == 0
    text = capsys.readouterr().out
    found = rows(text)
    assert found['backbone, one step'][:2] == [f'{1_604_462_752 + 35 * 2240:,}'] * 2
    assert found['codec, encoder'][1] == found['codec, decoder'][1] == '0'
    memory = {name: float(numbers[0]) for name, numbers in found.items() if len(numbers) == 1}
    assert memory['optimizer (two moments of AdamW)'] == pytest.approx(2 * memory['gradients'], abs=0.02)
    assert memory.pop('sum') == pytest.approx(sum(memory.values()), abs=0.05)
    assert 'counted with the shape of the variant' in text and 'counted with the shape of dc-ae-f32c32-sana-1.0' in text


def test_a_test_file_is_counted_at_a_size(capsys: pytest.CaptureFixture) -> None:
    arguments = ['complexity', '-opt', str(OPTIONS / 'quickstart_test.yml'), '--size']
    totals = []
    for size in ('512x512', '1024x512', '1010x500'):
        assert cli.main([*arguments, size]) == 0
        text = capsys.readouterr().out
        found = rows(text)
        parts = {name: float(numbers[2].replace(',', '')) for name, numbers in found.items() if len(numbers) == 3}
        total = int(re.search(r'with 4 steps: ([\d,]+) GMAC', text)[1].replace(',', ''))
        assert total == pytest.approx(sum(parts.values()) + 3 * parts['backbone, one step'], abs=0.6)
        totals.append(parts['pre-reconstruction'])
    assert totals[1] == pytest.approx(2 * totals[0], rel=0.01) and totals[2] == totals[1]


def test_a_motion_estimator_without_loss_is_not_trained(capsys: pytest.CaptureFixture) -> None:
    trained = []
    for change in ([], ['--force_yml', 'train:motion_opt=none']):
        assert cli.main(['complexity', '-opt', str(OPTIONS / 'quickstart.yml'), *change]) == 0
        trained.append({name: numbers[1] for name, numbers in rows(capsys.readouterr().out).items() if len(numbers) == 3})
    assert trained[0].pop('motion estimator') == '256,227' and trained[1].pop('motion estimator') == '0'
    assert trained[0] == trained[1]


@pytest.mark.parametrize('file, arguments, message', [
    ('quickstart_test.yml', ['--size', '64'], "--size: expected width x height such as 1280x720, found '64'"),
    ('quickstart.yml', ['--size', '64x64'], '--size: a training file is counted at its crops'),
    ('quickstart.yml', ['--force_yml', 'datasets:train:gt_size=84'], 'datasets:train:gt_size: 84 is not a multiple of 16'),
    ('quickstart.yml', ['--force_yml', 'train:total_itr=3'], "did you mean 'total_iter'?"),
])
def test_bad_input_is_one_line(file: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(['complexity', '-opt', str(OPTIONS / file), *arguments]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_text_encoder_counts_where_its_config_is_there(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip('transformers')
    from tiny_language import tiny_gemma
    tiny_gemma(tmp_path / 'gemma')
    config = json.loads((tmp_path / 'gemma' / 'config.json').read_text())
    (tmp_path / 'gemma' / 'config.json').write_text(json.dumps({**config, 'intermediate_size': 10**6}))
    plain, weights = yaml.safe_load((OPTIONS / 'quickstart_test.yml').read_text()), {}
    for name in ('none', 'gemma', 'nowhere'):
        live = {} if name == 'none' else {'semantic': 'live', 'text_encoder': str(tmp_path / name)}
        (tmp_path / 'test.yml').write_text(yaml.safe_dump({**plain, 'network_g': {**plain['network_g'], **live}}))
        assert cli.main(['complexity', '-opt', str(tmp_path / 'test.yml'), '--size', '64x64']) == 0
        text = capsys.readouterr().out
        weights[name] = float(re.search(r'memory: ([\d.]+) GiB of weights', text)[1])
    assert weights['gemma'] - weights['none'] == pytest.approx(2 * 3 * 32 * 10**6 * 4 / 2**30, abs=0.02)
    assert weights['nowhere'] == weights['none']
    assert 'network_g:text_encoder: no Config in' in text and 'counted without it.' in text
