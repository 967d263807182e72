"""`glowdeblur complexity`: networks in their published sizes, and option files of the repository, where none of the pretrained
parts can be reached."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from glowdeblur_plugin import cli
from glowdeblur_plugin.models.variants import VARIANTS

OPTIONS = Path(__file__).parent.parent / 'options'


def rows(text: str) -> dict[str, list[str]]:
    """Numbers of each line by what stands before them."""
    found = {}
    for line in text.splitlines():
        match = re.match(r'(.*?) {2,}([\d., ]+)$', line)
        if match:
            found[match[1].strip()] = match[2].split()
    return found


def test_stage_one_is_counted_with_the_known_shapes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The wider input adds 35 columns of 2240 to SANA-1600M, and the null embedding does not count as a part."""
    assert cli.main(['complexity', '-opt', str(OPTIONS / 'bpp.yml'), '--json', str(tmp_path / 'found.json'), '--force_yml',
                     'datasets:train:batch_size_per_gpu=1', 'train:gradient_checkpointing=false']) == 0
    text = capsys.readouterr().out
    found = rows(text)
    assert found['backbone, one step'][:2] == [f'{1_604_462_752 + 35 * 2240:,}'] * 2
    assert found['codec, encoder'][1] == found['codec, decoder'][1] == '0'
    memory = {name: float(numbers[0]) for name, numbers in found.items() if len(numbers) == 1}
    assert memory['optimizer (two moments of AdamW)'] == pytest.approx(2 * memory['gradients'], abs=0.02)
    assert memory.pop('sum') == pytest.approx(sum(memory.values()), abs=0.05)
    row, = json.loads((tmp_path / 'found.json').read_text())['rows']
    assert f'{row["parts"]["step"]["parameters"]:,}' == found['backbone, one step'][0] and row['crops'] == 1
    assert {name: round(value / 2**30, 2) for name, value in row['training_bytes'].items()} == memory
    assert 'counted with the shape of the variant' in text and 'counted with the shape of dc-ae-f32c32-sana-1.0' in text


def test_a_test_file_is_counted_at_each_size(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(['complexity', '-opt', str(OPTIONS / 'quickstart_test.yml'), '--json', str(tmp_path / 'found.json'),
                     '--size', '512x512', '1024x512', '1010x500']) == 0
    printed, found = capsys.readouterr().out, json.loads((tmp_path / 'found.json').read_text())['rows']
    assert [(row['width'], row['height'], row['steps']) for row in found] == [(512, 512, 4), (1024, 512, 4), (1010, 500, 4)]
    for row in found:
        assert row['macs'] == sum(part['macs'] * (4 if name == 'step' else 1) for name, part in row['parts'].items())
        assert f'{row["width"]}x{row["height"]}     4{row["macs"] / 1e9:11,.1f}' in printed
    first, second, third = (row['parts']['prereconstruction']['macs'] for row in found)
    assert second == pytest.approx(2 * first, rel=0.01) and third == second


@pytest.fixture(scope='module')
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int | None], dict[str, Any]]:
    """The rows at 256x256 by network and steps."""
    file = tmp_path_factory.mktemp('complexity') / 'found.json'
    assert cli.main(['complexity', '--network', 'NAFNet-w64', 'Restormer', 'GLOWDeblur-s1600m', '--size', '256x256',
                     '--json', str(file)]) == 0
    return {(row['network'], row['steps']): row for row in json.loads(file.read_text())['rows']}


@pytest.mark.parametrize(('name', 'millions', 'gmacs'), [('NAFNet-w64', 67.89, 63.1), ('Restormer', 26.13, 154.9)])
def test_baselines_have_their_published_sizes(published: dict[tuple[str, int | None], dict[str, Any]], name: str,
                                              millions: float, gmacs: float) -> None:
    """Restormer's 141 GMAC in its paper are those of its convolutions; products of its attention are the rest."""
    row = published[name, None]
    assert row['parameters'] == pytest.approx(millions * 1e6, rel=1e-3) and row['macs'] == pytest.approx(gmacs * 1e9, rel=1e-3)
    assert row['weight_bytes'] == 4 * row['parameters'] and row['measured'] == {}


def test_a_step_of_the_large_backbone_with_a_text_of_300_tokens_is_that_of_sana(
        published: dict[tuple[str, int | None], dict[str, Any]]) -> None:
    """152 GMAC, and 1604.46 M parameters before the input was widened by 35 channels."""
    parts, cells, width, blocks, tokens = published['GLOWDeblur-s1600m', 4]['parts'], 64, 2240, 20, 300
    assert parts['step']['parameters'] == 1_604_462_752 + 35 * width
    crossed = blocks * cells * (2 * width**2 + 2 * tokens * width)
    assert round((parts['step']['macs'] + tokens * parts['text']['macs'] + crossed) / 1e9) == 152
    assert [round(parts[name]['macs'] / 1e9) for name in ('encoder', 'decoder')] == [162, 262]
    assert parts['encoder']['parameters'] + parts['decoder']['parameters'] == 312_250_275
    assert not parts['encoder']['trained'] and not parts['decoder']['trained']


def test_only_steps_cost_more_with_more_steps(published: dict[tuple[str, int | None], dict[str, Any]]) -> None:
    many, few = (published['GLOWDeblur-s1600m', steps] for steps in (20, 4))
    assert many['macs'] - few['macs'] == 16 * many['parts']['step']['macs']
    assert few['macs'] == sum(part['macs'] for part in few['parts'].values()) + 3 * few['parts']['step']['macs']
    assert {key: value for key, value in many.items() if key not in ('steps', 'macs')} == {
        key: value for key, value in few.items() if key not in ('steps', 'macs')}


def test_the_smaller_variants_have_their_published_parameters() -> None:
    with torch.device('meta'):
        counts = {name: sum(value.numel() for value in VARIANTS[name]().parameters()) for name in ('NAFNet-w32', 'Restormer')}
        backbone = VARIANTS['GLOWDeblur-s600m']().backbone
    assert counts == {'NAFNet-w32': 17_111_907, 'Restormer': 26_126_644}
    assert sum(value.numel() for value in backbone.parameters()) == pytest.approx(591.75e6 + 35 * 1152, rel=1e-5)


def test_latency_stands_beside_what_was_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A picture of a million pixels a side finds no memory, and the others are measured all the same."""
    assert cli.main(['complexity', '--network', 'GLOWDeblur-nano', '--size', '40x24', '1000000x1000000', '--steps', '1', '25',
                     '--latency', '--device', 'cpu', '--precision', 'bf16', 'fp32', '--rounds', '2', '--json',
                     str(tmp_path / 'found.json')]) == 0
    printed, found = capsys.readouterr().out, json.loads((tmp_path / 'found.json').read_text())
    assert found['torch'] == torch.__version__ and 'threads' in found['device'] and 'attention' in found['convention']
    once, often, *large = found['rows']
    for precision in ('bf16', 'fp32'):
        assert 1.5 * once['measured'][precision]['seconds'] < often['measured'][precision]['seconds'] < 60
        assert all(re.fullmatch(r'needs [\d.]+ GiB, [\d.]+ are free', row['measured'][precision]['why_not']) for row in large)
    full, half = (often['measured'][precision]['peak_bytes'] for precision in ('fp32', 'bf16'))
    assert full == pytest.approx(often['weight_bytes'] + often['live_bytes'], rel=0.05) and half < 0.7 * full
    assert printed.count('no memory') == 4
    assert 'GLOWDeblur-nano, 1000000x1000000, bf16: needs' in printed


def test_a_motion_estimator_without_loss_is_not_trained(capsys: pytest.CaptureFixture) -> None:
    trained = []
    for change in ([], ['--force_yml', 'train:motion_opt=none']):
        assert cli.main(['complexity', '-opt', str(OPTIONS / 'quickstart.yml'), *change]) == 0
        trained.append({name: numbers[1] for name, numbers in rows(capsys.readouterr().out).items() if len(numbers) == 3})
    assert trained[0].pop('motion estimator') == '256,227' and trained[1].pop('motion estimator') == '0'
    assert trained[0] == trained[1]


@pytest.mark.parametrize('file, arguments, message', [
    ('quickstart_test.yml', ['--size', '64'], "--size: expected width x height such as 1280x720, found '64'"),
    ('quickstart_test.yml', ['--network', 'Restormer'], '--network: goes without -opt'),
    ('quickstart.yml', ['--size', '64x64'], '--size: a training file is counted at its crops'),
    ('quickstart.yml', ['--latency'], '--latency: pictures are restored with a test file'),
    ('quickstart.yml', ['--force_yml', 'datasets:train:gt_size=84'], 'datasets:train:gt_size: 84 is not a multiple of 16'),
    ('quickstart.yml', ['--force_yml', 'train:total_itr=3'], "did you mean 'total_iter'?"),
])
def test_bad_input_is_one_line(file: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(['complexity', '-opt', str(OPTIONS / file), *arguments]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize('arguments, message', [
    (['--network', 'Uformer'], "--network[0]: 'Uformer' is not one of NAFNet-w32, NAFNet-w64, Restormer, GLOWDeblur-nano"),
    (['--force_yml', 'val:steps=3'], '--force_yml: changes an option file; give one with -opt'),
    (['--steps', '0'], '--steps[0]: 0 is out of range, must be at least 1'),
    (['--latency', '--device', 'gpu'], "--device: 'gpu' cannot be used here ("),
    (['--latency', '--precision', 'fp8'], "--precision[0]: 'fp8' is not one of fp32, bf16"),
])
def test_bad_arguments_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(['complexity', *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


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
        assert cli.main(['complexity', '-opt', str(tmp_path / 'test.yml'), '--size', '64x64', '--json',
                         str(tmp_path / 'found.json')]) == 0
        text = capsys.readouterr().out
        weights[name] = json.loads((tmp_path / 'found.json').read_text())['rows'][0]['weight_bytes']
    assert weights['gemma'] - weights['none'] == pytest.approx(2 * 3 * 32 * 10**6 * 4, rel=0.03)
    assert weights['nowhere'] == weights['none']
    assert 'network_g:text_encoder: no Config in' in text and 'counted without it.' in text
