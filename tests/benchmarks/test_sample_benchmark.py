"""The benchmark of sampling: what it times is what validation does, and its floor is what its parts need."""

import json
from pathlib import Path

import pytest
import torch

from glowdeblur_plugin.benchmarks.__main__ import main
from glowdeblur_plugin.benchmarks.machine_rates import Rates
from glowdeblur_plugin.benchmarks.restoring import restored_bytes
from glowdeblur_plugin.benchmarks.sample_benchmark import MeasuredGLOWDeblur, floor_seconds
from glowdeblur_plugin.models.glowdeblur_evaluation import RestorationSettings, evaluate
from glowdeblur_plugin.models.sampling_cost import Cost, UntrainedGLOWDeblur, count_sampling, sampling_uses
from glowdeblur_plugin.models.seeds import picture_generator


def _network() -> MeasuredGLOWDeblur:
    torch.manual_seed(0)
    net = MeasuredGLOWDeblur(variant='nano').eval()
    for part in (net.backbone.proj_out.weight, net.null_text, net.prereconstruction.head.weight):
        torch.nn.init.normal_(part, std=0.3)
    return net


@pytest.mark.parametrize('text_once', [True, False])
def test_the_timed_way_is_that_of_validation(text_once: bool) -> None:
    net, blurry = _network(), torch.randint(256, (1, 3, 30, 45), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    net.text_once = text_once
    with torch.inference_mode():
        expected = evaluate(net, {'lq': blurry / 255}, picture_generator(0, 0), RestorationSettings(steps=3), False)['restored']
    restored = restored_bytes(net, blurry, steps=3)
    assert restored.dtype == torch.uint8 and restored.shape == blurry.shape
    assert (restored.float() - 255 * expected).abs().max() < 0.51
    assert 20 < restored.float().std() and not torch.equal(restored, restored_bytes(net, blurry, steps=2))


def test_the_text_can_be_read_at_every_step() -> None:
    net, reads = _network(), []
    net.backbone.caption_projection.register_forward_pre_hook(lambda module, inputs: reads.append(inputs[0].numel() > 0))
    for net.text_once, expected in ((True, [True, False, False]), (False, [True, True])):
        restored_bytes(net, torch.zeros(1, 3, 32, 32, dtype=torch.uint8), steps=2)
        assert reads == expected
        reads.clear()


def test_a_part_is_bound_by_its_arithmetic_or_by_its_bytes() -> None:
    costs = {'arithmetic': Cost(macs=500, weights=3, inputs=1, outputs=1),
             'bytes': Cost(macs=1, weights=30, inputs=5, outputs=5)}
    rates = Rates(flops=100.0, bytes=8.0)
    assert floor_seconds(costs, {'arithmetic': 1, 'bytes': 0}, rates, 2) == pytest.approx(10)
    assert floor_seconds(costs, {'arithmetic': 2, 'bytes': 3}, rates, 2) == pytest.approx(2 * 10 + 3 * 10)
    assert floor_seconds(costs, {'arithmetic': 0, 'bytes': 1}, rates, 4) == pytest.approx(20)


def test_the_floor_of_the_large_network_is_the_one_computed_by_hand() -> None:
    """At 790 TFLOP/s and 4.3 TB/s: 1024x1024 in 4 steps takes 2 x (255 + 2590 + 10 + 17 + 4 x 1182 + 4184) GMAC."""
    with torch.device('meta'):
        net = UntrainedGLOWDeblur(variant='s1600m')
    floor = floor_seconds(count_sampling(1024, 1024, variant='s1600m'), sampling_uses(net, 4), Rates(790e12, 4.3e12), 2)
    assert floor == pytest.approx(2 * 11784e9 / 790e12, rel=0.01)


def test_figures_of_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['sample', '--size', '40x24', '--steps', '1', '3', '--rounds', '2', '--device', 'cpu', '--json',
                 str(tmp_path / 'found.json')]) == 0
    found = {name: values['median'] for name, values in json.loads((tmp_path / 'found.json').read_text()).items()}
    assert set(found) == {'matrix_fp32_tflops', 'copy_gb_per_s'} | {
        f'nano_40x24_{steps}steps_{what}' for steps in (1, 3)
        for what in ('s', 'peak_mib', 'floor_s', 'times_floor', 'text_once_vs_plain')}
    for steps in (1, 3):
        assert found[f'nano_40x24_{steps}steps_times_floor'] == pytest.approx(
            found[f'nano_40x24_{steps}steps_s'] / found[f'nano_40x24_{steps}steps_floor_s'])
    costs = count_sampling(32, 48, variant='nano')
    rates = Rates(found['matrix_fp32_tflops'] * 1e12, found['copy_gb_per_s'] * 1e9)
    assert found['nano_40x24_3steps_floor_s'] - found['nano_40x24_1steps_floor_s'] == pytest.approx(
        floor_seconds(costs, {'step': 2}, rates, 4))
    assert 'nano_40x24_3steps_times_floor' in capsys.readouterr().out


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--size', '512'], "--size: expected width x height such as 1280x720, found '512'"),
    (['--size', '0x64'], "--size: expected width x height such as 1280x720, found '0x64'"),
    (['--steps', '4', '0'], '--steps[1]: 0 is out of range, must be at least 1'),
    (['--variant', 'tiny'], "--variant[0]: 'tiny' is not one of nano, s600m, s1600m"),
    (['--precision', 'fp16'], "--precision: 'fp16' is not one of fp32, bf16"),
    (['--device', 'gpu'], "--device: 'gpu' cannot be used here ("),
    (['--device', 'cuda:99'], "--device: 'cuda:99' cannot be used here ("),
    (['--rounds', '0'], '--rounds: 0 is out of range, must be at least 1'),
])
def test_bad_arguments_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['sample', '--device', 'cpu', *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f'benchmarks: {message}') and error.count('\n') == 1
