"""`glowdeblur doctor`: what it tries, and what its exit status says."""

import re

import pytest
import torch

from glowdeblur_plugin import cli
from glowdeblur_plugin.commands import installation
from glowdeblur_plugin.metrics import availability, fidelity
from glowdeblur_plugin.metrics.catalogue import METRICS

CORE = {'psnr', 'ssim-2d', 'ssim-3d', 'niqe', 'reblur', 'reblur-gain'}


def lines(text: str) -> dict[str, str]:
    """What is said of each thing, by its kind and name."""
    pattern = r'^(metric|network|library|package) +(.+?) +((?:works|no)\b.*)$'
    return {' '.join(match.group(1, 2)): match[3] for match in re.finditer(pattern, text, re.MULTILINE)}


def test_all_is_tried_and_the_core_works(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks whose shapes alone are run take seconds, and are left to the tests of `complexity`."""
    monkeypatch.setattr(installation, '_shapes', lambda variant: 'left out')
    assert cli.main(['doctor']) == 0
    out = capsys.readouterr().out
    said = lines(out)
    assert {f'metric {name}' for name in METRICS} <= set(said)
    for name in (*(f'metric {name}' for name in CORE), 'metric psnr (realblur-aligned)', 'metric ssim-2d (rsblur)',
                 'network PreReconstruction', 'network MotionEstimator', 'network GLOWDeblur nano'):
        assert said[name] == 'works', name
    assert said['network GLOWDeblur s1600m'] == 'works: left out'
    assert said['library CUDA'].startswith('works' if torch.cuda.is_available() else 'no: RuntimeError: torch')
    assert f'torch {torch.__version__.split("+")[0]}' in out and out.endswith('All that needs no extra works.\n')


def test_a_broken_metric_of_the_core_is_status_1_and_one_of_an_extra_is_not(capsys: pytest.CaptureFixture,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli.main(['doctor', '--metrics']) == 0
    assert not any(name.startswith(('network', 'library')) for name in lines(capsys.readouterr().out))
    monkeypatch.setattr(fidelity, 'psnr', lambda restored, sharp: float('nan'))
    assert cli.main(['doctor', '--metrics']) == 1
    out = capsys.readouterr().out
    assert lines(out)['metric psnr'] == 'no: the value of this picture is not a number'
    assert out.endswith('Broken, though it needs no extra: psnr, psnr (rgb-u16), psnr (rgb-float), psnr (y).\n')


def test_a_package_that_cannot_be_imported_ends_it(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(installation.PACKAGES, 'lmdb', 'no_such_module')
    assert cli.main(['doctor']) == 1
    said = lines(capsys.readouterr().out)
    assert said == {'package lmdb': "no: ModuleNotFoundError: No module named 'no_such_module'"}


def test_pictures_that_metrics_are_tried_on_are_like_photographs() -> None:
    sharp, restored = availability.trial_pictures()
    assert sharp.shape == restored.shape == (224, 224, 3) and 0 <= restored.min() and restored.max() <= 1
    assert 25 < fidelity.psnr(restored, sharp) < 40 and sharp.std() > 0.1
