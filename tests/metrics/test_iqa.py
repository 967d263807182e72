"""Metrics of the optional package pyiqa: what is said where it or its weights are missing, and that they work where it is."""

import importlib.util
from pathlib import Path

import pytest
import torch
from photographs import degraded, sharp

from glowdeblur_plugin.metrics.catalogue import MetricUnavailable, open_metric
from glowdeblur_plugin.metrics.iqa import FrechetDistance, Quality
from glowdeblur_plugin.metrics.weights import IQA_FILES, require_weights

IS_THERE = importlib.util.find_spec('pyiqa') is not None
CPU = torch.device('cpu')


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's hub folder and that of huggingface_hub, empty."""
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'hub'))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'hub'


@pytest.mark.skipif(IS_THERE, reason='pyiqa is installed')
@pytest.mark.parametrize('name', IQA_FILES)
def test_without_pyiqa_the_extra_is_named(name: str) -> None:
    with pytest.raises(MetricUnavailable, match=rf'^{name}: needs pyiqa \(No module named .pyiqa.\); pip install '
                                                r'"glowdeblur_plugin\[iqa\]", which brings opencv-python-headless .* PolyForm'):
        open_metric(name)


@pytest.mark.parametrize('name', IQA_FILES)
def test_each_missing_file_is_named_with_its_place(name: str, hub: Path) -> None:
    places = [hub / file for file in IQA_FILES[name] if not file.startswith('hub:')]
    with pytest.raises(MetricUnavailable) as refused:
        require_weights(name)
    for place in places:
        assert f' {place.name} into {place.parent} ($TORCH_HOME/hub/{place.parent.name})' in str(refused.value)
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    if name == 'maniqa':
        with pytest.raises(MetricUnavailable, match='put model.safetensors of timm/vit_base_patch8_224.augreg2_in21k_ft_in1k '
                                                    "into the hub's cache .hf download timm/vit_base.* or set download"):
            require_weights(name)
    else:
        require_weights(name)


def test_fid_of_few_pictures_is_refused() -> None:
    distance = FrechetDistance(None)
    with pytest.raises(MetricUnavailable, match='^fid: needs at least 2048 pictures, the set has 2047'):
        distance([Path(f'{number}.png') for number in range(2047)], [Path(f'{number}.png') for number in range(3000)])


@pytest.mark.skipif(not IS_THERE, reason='needs pyiqa')
def test_pyiqa_agrees() -> None:
    truth = sharp(160, 160)
    restored = degraded(truth).clip(0, 1)
    for theirs, ours in (('psnr', 'psnr'), ('ssimc', 'ssim-2d')):
        assert Quality(theirs, CPU, download=True)(restored, truth) == pytest.approx(
            open_metric(ours, 'rgb-float')(restored, truth), abs=1e-4)


@pytest.mark.skipif(not IS_THERE, reason='needs pyiqa')
@pytest.mark.parametrize('name', IQA_FILES)
def test_damaged_weights_are_refused(name: str, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('pyiqa.utils.download_util.DEFAULT_CACHE_DIR', str(hub / 'pyiqa'))
    monkeypatch.setattr('glowdeblur_plugin.metrics.iqa.require_weights', lambda name: None)
    for file in IQA_FILES[name]:
        if not file.startswith('hub:'):
            (hub / file).parent.mkdir(parents=True, exist_ok=True)
            (hub / file).write_bytes(b'no weights')
    with pytest.raises(MetricUnavailable, match=f'^{name}: pyiqa cannot make it here: '):
        open_metric(name)
