"""Networks of ours in mmengine's registry, and weights of ours in spandrel."""

from pathlib import Path
from typing import Any

import pytest
import spandrel_extra_arches
import torch
from basicsr.archs import build_network
from mmengine.registry import MODELS
from spandrel import MAIN_REGISTRY, ModelLoader
from torch import nn
from torch.nn import functional as F

from glowdeblur_plugin import mmengine_bridge, spandrel_bridge
from glowdeblur_plugin.models.checkpoints import save_network_files

SECTIONS: dict[str, dict[str, Any]] = {
    'NAFNet': {'type': 'NAFNet', 'width': 4, 'enc_blk_nums': [1, 2], 'middle_blk_num': 1, 'dec_blk_nums': [1, 1]},
    'Restormer': {'type': 'Restormer', 'dim': 8, 'num_blocks': [1, 1, 1, 2], 'heads': [1, 2, 2, 4], 'num_refinement_blocks': 1},
    'PreReconstruction': {'type': 'PreReconstruction', 'width': 6, 'encoder_blocks': [1, 0, 2], 'middle_blocks': 0,
                          'decoder_blocks': [2, 1, 0], 'patch': 2},
}


def network(name: str, seed: int = 0) -> nn.Module:
    """One in eval mode with random weights."""
    built = build_network(SECTIONS[name])
    generator = torch.Generator().manual_seed(seed)
    for parameter in built.parameters():
        nn.init.normal_(parameter, std=0.2, generator=generator)
    return built.eval()


@pytest.mark.parametrize('name', SECTIONS)
def test_mmengine_builds_the_same_network(name: str) -> None:
    section, ours, picture = SECTIONS[name], network(name), torch.rand(1, 3, 32, 48)
    built = MODELS.build({**section, 'type': f'glowdeblur.{name}'}).eval()
    assert type(built) is type(ours)
    built.load_state_dict(ours.state_dict())
    assert torch.equal(built(picture), ours(picture))


def test_mmengine_knows_ours_and_only_ours() -> None:
    names = set(mmengine_bridge.NETWORKS.module_dict)
    assert {'GLOWDeblur', 'MotionEstimator', *SECTIONS} <= names
    assert 'RRDBNet' not in names
    built = MODELS.build(dict(type='glowdeblur.GLOWDeblur', variant='nano', align='conv'))
    expected = build_network(dict(type='GLOWDeblur', variant='nano', align='conv'))
    assert built.state_dict().keys() == expected.state_dict().keys()


@pytest.fixture(scope='module')
def spandrel_installed() -> None:
    spandrel_extra_arches.install(ignore_duplicates=True)
    spandrel_bridge.install()
    spandrel_bridge.install()
    assert 'PreReconstruction' in MAIN_REGISTRY


@pytest.mark.parametrize('kept', ['params', 'params_ema'])
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize('name', SECTIONS)
def test_spandrel_restores_as_the_trained_network(name: str, suffix: str, kept: str, tmp_path: Path,
                                                  spandrel_installed: None) -> None:
    """Out of the files that a training run writes, with a moving average, which is taken, and without."""
    expected = network(name)
    weights = {'params': network(name, 1).state_dict(), kept: expected.state_dict()}
    save_network_files(tmp_path, 'net_g_latest', weights, {})
    loaded = ModelLoader().load_from_file(tmp_path / f'net_g_latest.{suffix}')
    assert loaded.architecture.id == name and (loaded.scale, loaded.input_channels, loaded.output_channels) == (1, 3, 3)
    picture = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        assert torch.equal(loaded(picture), expected(picture).clamp(0, 1))


def test_spandrel_pads_pictures_for_the_pre_reconstruction(tmp_path: Path, spandrel_installed: None) -> None:
    expected, picture = network('PreReconstruction'), torch.rand(1, 3, 21, 30)
    save_network_files(tmp_path, 'net', {'params': expected.state_dict()}, {})
    loaded = ModelLoader().load_from_file(tmp_path / 'net.pth')
    assert loaded.size_requirements.multiple_of == expected.size_multiple == 16
    with torch.inference_mode():
        whole = expected(F.pad(picture, (0, 2, 0, 11), mode='reflect'))[..., :21, :30].clamp(0, 1)
        assert torch.equal(loaded(picture), whole)
