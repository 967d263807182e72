"""Frozen parts stay out of checkpoints and are named in them by place and hash."""

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from glowdeblur_plugin.archs.sana_backbone import VARIANTS
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.frozen_parts import read_frozen
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from tiny_parts import SHAPE, tiny_autoencoder, tiny_transformer
from toy_model import resume, toy_options, train

SMALL = {'type': 'PreReconstruction', 'width': 4, 'encoder_blocks': [1], 'middle_blocks': 1, 'decoder_blocks': [1]}
WEIGHTS = 'diffusion_pytorch_model.safetensors'


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Of a tiny GLOWDeblur whose backbone and codec lie in `transformer` and `vae`."""
    monkeypatch.setitem(VARIANTS, 's600m', SHAPE)
    tiny_transformer(tmp_path / 'transformer')
    tiny_autoencoder(tmp_path / 'vae', stages=6)
    network = {'type': 'GLOWDeblur', 'variant': 's600m', 'prereconstruction': SMALL,
               'backbone': str(tmp_path / 'transformer'), 'codec': str(tmp_path / 'vae')}
    return {**toy_options(tmp_path, ema_decay=0.9), 'model_type': 'GLOWDeblurModel', 'network_g': network, 'val': {}}


def _trained(options: dict[str, Any]) -> Path:
    """The checkpoint of a model after one step."""
    model = GLOWDeblurModel(options)
    train(model, {'lq': torch.rand(1, 3, 32, 32), 'gt': torch.rand(1, 3, 32, 32), 'lq_path': ['made']})
    model.save(0, 1)
    return Path(options['path']['models']) / 'net_g_1.pth'


def _beside(options: dict[str, Any], checkpoint: Path, codec: Path, **path: Any) -> GLOWDeblurModel:
    path = {**options['path'], 'pretrain_network_g': str(checkpoint), **path}
    return GLOWDeblurModel({**options, 'network_g': {**options['network_g'], 'codec': str(codec)}, 'path': path})


def test_checkpoints_hold_trained_parts_and_name_the_frozen_one(tmp_path, options: dict[str, Any]) -> None:
    checkpoint = _trained(options)
    expected = {'codec': {'source': str(tmp_path / 'vae'),
                          'sha256': hashlib.sha256((tmp_path / 'vae' / WEIGHTS).read_bytes()).hexdigest()}}
    content = torch.load(checkpoint, weights_only=True)
    assert set(content) == {'params', 'params_ema', 'frozen_parts'}
    model = GLOWDeblurModel(options)
    trained = {name for name, _ in model.net_g.named_parameters()}
    for weights in (content['params'], content['params_ema'], load_file(checkpoint.with_suffix('.safetensors'))):
        assert set(weights) == trained
        assert not any('codec' in name or 'encoder.conv_in' in name for name in weights)
    for path in (checkpoint, checkpoint.with_suffix('.safetensors')):
        assert read_frozen(path) == expected
    assert json.loads(checkpoint.with_suffix('.json').read_text())['frozen_parts'] == expected


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_other_frozen_weights_are_refused_and_the_same_ones_elsewhere_are_not(tmp_path, options: dict[str, Any], suffix: str,
                                                                              caplog: pytest.LogCaptureFixture) -> None:
    checkpoint = _trained(options).with_suffix(suffix)
    shutil.copytree(tmp_path / 'vae', tmp_path / 'moved')
    model = _beside(options, checkpoint, tmp_path / 'moved')
    assert torch.equal(model.net_g.null_text, torch.load(checkpoint.with_suffix('.pth'), weights_only=True)[
        'params' if suffix == '.pth' else 'params_ema']['null_text'])
    tiny_autoencoder(tmp_path / 'other', seed=1, stages=6)
    old, new = (hashlib.sha256((tmp_path / name / WEIGHTS).read_bytes()).hexdigest()[:12] for name in ('vae', 'other'))
    line = (rf"network_g:codec: '{tmp_path}/other' \(sha256 {new}\) is not what checkpoint '{checkpoint}' was trained with, "
            rf"'{tmp_path}/vae' \(sha256 {old}\)")
    with pytest.raises(UserError, match=f'^{line}; give that one'):
        _beside(options, checkpoint, tmp_path / 'other')
    with caplog.at_level(logging.WARNING, 'basicsr'):
        logging.getLogger('basicsr').propagate = True
        _beside(options, checkpoint, tmp_path / 'other', strict_load_g=False)
    assert any(message.startswith(f"network_g:codec: '{tmp_path}/other'") for message in caplog.messages)


def test_a_run_is_not_resumed_beside_other_frozen_weights(tmp_path, options: dict[str, Any]) -> None:
    _trained(options)
    tiny_autoencoder(tmp_path / 'vae', seed=1, stages=6)
    resumed, _ = resume(options, 1)
    with pytest.raises(UserError, match='network_g:codec: .* is not what checkpoint .*net_g_1.pth'):
        GLOWDeblurModel({**resumed, 'path': {**resumed['path'], 'strict_load_g': False}})


def test_a_checkpoint_that_names_no_frozen_parts_loads(tmp_path, options: dict[str, Any]) -> None:
    checkpoint = _trained(options)
    content = torch.load(checkpoint, weights_only=True)
    torch.save({'params': content['params']}, tmp_path / 'old.pth')
    tiny_autoencoder(tmp_path / 'other', seed=1, stages=6)
    model = _beside(options, tmp_path / 'old.pth', tmp_path / 'other')
    assert torch.equal(model.net_g.null_text, content['params']['null_text'])
