"""Training adapters: only they and the trained parts change and are saved, and the base is known by its hash."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from glowdeblur_plugin import cli
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.sana_backbone import VARIANTS
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.inference.network_of_weights import build_trained, find_network
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from tiny_parts import SHAPE, tiny_autoencoder, tiny_transformer
from toy_model import resume, same, toy_options, train
from toy_run import write_options

pytest.importorskip('peft', reason='adapters need it')

SMALL = {'type': 'PreReconstruction', 'width': 4, 'encoder_blocks': [1], 'middle_blocks': 1, 'decoder_blocks': [1]}
SIDE = 32


def _batch(seed: int) -> dict[str, Any]:
    lq, gt = torch.rand(2, 1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    return {'lq': lq, 'gt': gt, 'lq_path': ['made']}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A checkpoint of a whole nano network; its moving average differs from its weights."""
    torch.manual_seed(1)
    net = GLOWDeblur('nano', prereconstruction=SMALL)
    torch.nn.init.normal_(net.backbone.proj_out.weight, std=0.1)
    weights = net.state_dict()
    average = {name: value * 0.5 if value.is_floating_point() else value for name, value in weights.items()}
    torch.save({'params': weights, 'params_ema': average}, tmp_path / 'base.pth')
    return tmp_path / 'base.pth'


@pytest.fixture
def options(tmp_path: Path, base: Path) -> dict[str, Any]:
    """Of adapters on `base`."""
    toy = toy_options(tmp_path, ema_decay=0.9)
    network = {'type': 'GLOWDeblur', 'variant': 'nano', 'prereconstruction': SMALL, 'lora': {'rank': 2}}
    return {**toy, 'model_type': 'GLOWDeblurModel', 'network_g': network, 'val': {},
            'path': {**toy['path'], 'pretrain_network_base': str(base)}}


def _saved(options: dict[str, Any], *seeds: int) -> tuple[GLOWDeblurModel, Path]:
    model = GLOWDeblurModel(options)
    train(model, *map(_batch, seeds))
    model.save(0, model.iteration)
    return model, Path(options['path']['models']) / f'net_g_{model.iteration}.pth'


def _frozen(net: torch.nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in net.named_parameters() if '.base_layer.' in name or
            name.startswith('backbone.') and '.lora_' not in name and 'patch_embed' not in name}


def test_only_trained_parts_change_and_are_saved(options: dict[str, Any], base: Path) -> None:
    model = GLOWDeblurModel(options)
    average = torch.load(base, weights_only=True)['params_ema']
    before, trained = _frozen(model.bare_net), {name: value.clone() for name, value in model.bare_net.state_dict().items()}
    assert all(torch.equal(value, average[name.replace('.base_layer.', '.')]) for name, value in before.items())
    assert len(before) + sum('.lora_' not in name for name in trained) == len(average)
    train(model, _batch(1), _batch(2))
    model.save(0, 2)
    assert same(before, _frozen(model.bare_net))
    changed = [name for name, value in model.bare_net.state_dict().items() if not torch.equal(value, trained[name])]
    assert len([name for name in changed if '.lora_B.' in name]) == 40 and 'backbone.patch_embed.proj.weight' in changed
    assert {name.split('.')[0] for name in changed} >= {'backbone', 'null_text', 'prereconstruction', 'motion', 'alignment'}
    content = torch.load(Path(options['path']['models']) / 'net_g_2.pth', weights_only=True)
    assert content['params'].keys() == content['params_ema'].keys() == trained.keys()
    expected = {'source': str(base), 'sha256': hashlib.sha256(base.read_bytes()).hexdigest()}
    assert content['frozen_parts'] == {'backbone': expected}


def test_the_moving_average_shares_the_frozen_weights(options: dict[str, Any]) -> None:
    model = GLOWDeblurModel(options)
    own, averaged = (dict(net.named_parameters()) for net in (model.bare_net, model.net_g_ema))
    shared = {name for name in own if own[name] is averaged[name]}
    assert shared == _frozen(model.bare_net).keys()
    train(model, _batch(1))
    assert not torch.equal(own['null_text'], averaged['null_text'])


def test_resuming_is_exact(options: dict[str, Any]) -> None:
    straight = GLOWDeblurModel(options)
    train(straight, *map(_batch, range(4)))
    _saved(options, 0, 1)
    resumed, state = resume(options, 2)
    model = GLOWDeblurModel(resumed)
    model.resume_training(state)
    train(model, _batch(2), _batch(3))
    for name in ('net_g', 'net_g_ema'):
        first, second = (dict(getattr(each, name).named_parameters()) for each in (straight, model))
        assert same(first, second)


def test_another_base_is_refused(options: dict[str, Any], base: Path, tmp_path: Path) -> None:
    model, checkpoint = _saved(options, 0)
    content = torch.load(base, weights_only=True)
    torch.save({'params': content['params']}, tmp_path / 'other.pth')
    path = {**options['path'], 'pretrain_network_base': str(tmp_path / 'other.pth'), 'pretrain_network_g': str(checkpoint)}
    with pytest.raises(UserError, match=rf"^network_g:backbone: '{tmp_path}/other.pth' .* is not what checkpoint "
                                        rf"'{checkpoint}' was trained with, '{base}'"):
        GLOWDeblurModel({**options, 'path': path})

    found = build_trained(find_network(checkpoint), checkpoint)  # restoring takes the base that the checkpoint names
    assert same(found.state_dict(), model.net_g_ema.state_dict()) and same(_frozen(found), _frozen(model.net_g_ema))
    torch.save({'params': content['params']}, base)
    with pytest.raises(UserError, match=f"^network_g:backbone: '{base}' .* is not what checkpoint '{checkpoint}'"):
        build_trained(find_network(checkpoint), checkpoint)


@pytest.mark.parametrize('lora, base_given, start, message', [
    (True, False, None, 'network_g:lora: its adapters need trained weights to go on; give .* in path:pretrain_network_base'),
    (False, True, None, "path:pretrain_network_base: '.*base.pth' is for adapters, and there are none"),
    (True, True, 'base.pth', "path:pretrain_network_g: '.*base.pth' is no checkpoint with adapters; a whole network"),
    (False, False, 'models/net_g_1.pth', "checkpoint '.*net_g_1.pth' lacks most weights of backbone, which had adapters"),
])
def test_weights_that_do_not_go_together(options: dict[str, Any], tmp_path: Path, lora: bool, base_given: bool,
                                         start: str | None, message: str) -> None:
    _saved(options, 0)
    network = {key: value for key, value in options['network_g'].items() if lora or key != 'lora'}
    path = {key: value for key, value in options['path'].items() if base_given or key != 'pretrain_network_base'}
    path |= {} if start is None else {'pretrain_network_g': str(tmp_path / start)}
    with pytest.raises(UserError, match=f'^{message}'):
        GLOWDeblurModel({**options, 'network_g': network, 'path': path})


def test_a_part_is_not_given_twice(options: dict[str, Any], base: Path) -> None:
    path = {**options['path'], 'pretrain_network_prereconstruction': str(base)}
    with pytest.raises(UserError, match='^path:pretrain_network_prereconstruction: pretrain_network_base holds this part too'):
        GLOWDeblurModel({**options, 'path': path})


def test_adapters_on_a_pretrained_backbone(tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints hold none of its weights and name the folder; a test beside other weights is refused."""
    monkeypatch.setitem(VARIANTS, 's600m', SHAPE)
    tiny_transformer(tmp_path / 'transformer')
    tiny_autoencoder(tmp_path / 'vae', stages=6)
    network = {**options['network_g'], 'variant': 's600m', 'backbone': str(tmp_path / 'transformer'),
               'codec': str(tmp_path / 'vae')}
    path = {key: value for key, value in options['path'].items() if key != 'pretrain_network_base'}
    options = {**options, 'network_g': network, 'path': path}
    model, checkpoint = _saved(options, 0)
    content = torch.load(checkpoint, weights_only=True)
    assert content['frozen_parts']['backbone']['source'] == str(tmp_path / 'transformer')
    numbers = {name: value.numel() for name, value in content['params'].items() if name.startswith('backbone.')}
    assert numbers.keys() == {f'backbone.{name}' for name in model.bare_net.backbone.state_dict()}
    whole = sum(parameter.numel() for parameter in model.bare_net.backbone.parameters())
    frozen = sum(value.numel() for value in _frozen(model.bare_net).values())
    assert sum(numbers.values()) == whole - frozen
    tiny_transformer(tmp_path / 'transformer', seed=1)
    with pytest.raises(UserError, match='^network_g:backbone: .*transformer.* is not what checkpoint'):
        GLOWDeblurModel({**options, 'path': {**path, 'pretrain_network_g': str(checkpoint)}})


def test_the_command_makes_one_whole_checkpoint(tmp_path: Path, options: dict[str, Any], pairs: Path,
                                                monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    model, checkpoint = _saved(options, 0, 1)
    datasets = {'test': {'name': 'pairs', 'type': 'PairedLMDBDataset', 'dataroot_lq': str(pairs / 'lq'),
                         'dataroot_gt': str(pairs / 'gt')}}
    file = write_options(tmp_path / 'test.yml', {
        'name': 'toy', 'model_type': 'GLOWDeblurModel', 'num_gpu': 0, 'datasets': datasets, 'network_g': options['network_g'],
        'path': {'pretrain_network_base': options['path']['pretrain_network_base'], 'param_key_g': 'params_ema'},
        'val': {'save_img': False, 'precision': 'bf16'}})
    monkeypatch.chdir(tmp_path)
    arguments = ['merge', '-opt', str(file), '--out', 'whole/net.pth']
    assert cli.main(arguments) == 2 and 'path:pretrain_network_g: is missing' in capsys.readouterr().err
    assert cli.main([*arguments, '--weights', str(checkpoint)]) == 0
    merged = torch.load(tmp_path / 'whole/net.pth', weights_only=True)
    assert 'frozen_parts' not in merged
    assert not any(value.dtype == torch.bfloat16 for value in merged['params'].values())
    network = json.loads((tmp_path / 'whole/net.json').read_text())['network_g']
    net = GLOWDeblur(**{key: value for key, value in network.items() if key != 'type'}).eval()
    net.load_state_dict(merged['params'])
    batch, noise = _batch(5), torch.randn(1, net.latent_channels, SIDE // net.compression, SIDE // net.compression)
    with torch.no_grad():
        first, second = (each.eval()(batch['lq'], batch['gt'], noise, torch.tensor([0.5]))['flow_error']
                         for each in (net, model.net_g_ema))
    assert torch.allclose(first, second, atol=1e-5) and first.std() > 0.1
