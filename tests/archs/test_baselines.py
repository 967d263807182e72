"""NAFNet and Restormer: the authors' sizes, names and file forms."""

import inspect
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from safetensors.torch import save_file
from torch import nn

import glowdeblur_plugin.archs.nafnet_arch
import glowdeblur_plugin.archs.restormer_arch  # noqa: F401
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.checkpoints import load_weights, read_weights
from glowdeblur_plugin.options import convert

SMALL = {
    'NAFNet': {'width': 4, 'enc_blk_nums': [1, 1], 'middle_blk_num': 1, 'dec_blk_nums': [1, 1]},
    'Restormer': {'dim': 8, 'num_blocks': [1, 1, 1, 1], 'heads': [1, 2, 4, 8], 'num_refinement_blocks': 1},
}
FULL = {
    'NAFNet': ({'width': 32, 'enc_blk_nums': [1, 1, 1, 28], 'middle_blk_num': 1, 'dec_blk_nums': [1, 1, 1, 1]}, 17.1, 16,
               'encoders.3.27.sca.1.weight'),
    'Restormer': ({'num_blocks': [4, 6, 6, 8], 'heads': [1, 2, 4, 8]}, 26.1, 8, 'encoder_level3.5.attn.qkv_dwconv.weight'),
}


def _network(name: str) -> nn.Module:
    return ARCH_REGISTRY.get(name)(**SMALL[name])


@pytest.mark.parametrize('name', SMALL)
def test_official_size_and_names(name: str) -> None:
    settings, millions, multiple, key = FULL[name]
    with torch.device('meta'):
        network = ARCH_REGISTRY.get(name)(**settings)
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
    assert network.size_multiple == multiple
    assert key in network.state_dict()


@pytest.mark.parametrize('name', SMALL)
def test_every_argument_can_be_checked(name: str) -> None:
    maker = ARCH_REGISTRY.get(name)
    assert maker.__name__ == name
    hints = typing.get_type_hints(maker)
    assert set(inspect.signature(maker).parameters) == set(hints) - {'return'}
    assert set(SMALL[name]) < set(hints)


def _prefixed(state: dict) -> dict:
    return {f'module.{key}': value for key, value in state.items()}


FORMS: dict[str, Callable[[dict, Path], object]] = {
    'params': lambda state, path: torch.save({'params': state}, path),
    'params_ema': lambda state, path: torch.save({'params_ema': state}, path),
    'state_dict': lambda state, path: torch.save({'epoch': 3, 'state_dict': _prefixed(state)}, path),
    'module': lambda state, path: torch.save({'params': _prefixed(state)}, path),
    'plain': lambda state, path: torch.save(state, path),
    'old format': lambda state, path: torch.save({'params': state}, path, _use_new_zipfile_serialization=False),
    'safetensors': lambda state, path: save_file(state, path),
}


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('name', SMALL)
def test_official_checkpoint_forms_load(name: str, form: str, tmp_path) -> None:
    source, target = _network(name), _network(name)
    for parameter in source.parameters():
        nn.init.normal_(parameter, std=0.1)
    path = tmp_path / ('weights.safetensors' if form == 'safetensors' else 'weights.pth')
    FORMS[form](source.state_dict(), path)
    load_weights(target, read_weights(path), path)
    assert all(torch.equal(value, target.state_dict()[key]) for key, value in source.state_dict().items())


def test_weights_of_the_other_baseline_are_refused(tmp_path) -> None:
    path = tmp_path / 'restormer.pth'
    torch.save({'params': _network('Restormer').state_dict()}, path)
    with pytest.raises(UserError, match=r'not one of this NAFNet.*missing \(intro\.weight.*in the network \(patch_embed'):
        load_weights(_network('NAFNet'), read_weights(path), path)


@pytest.mark.parametrize('name, library', [
    ('NAFNet', 'spandrel.architectures.NAFNet'), ('Restormer', 'spandrel_extra_arches.architectures.Restormer')])
def test_a_missing_library_names_the_extra(name: str, library: str, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf'{name} needs spandrel.*pip install "glowdeblur_plugin\[baselines\]"'):
        _network(name)


@pytest.mark.parametrize('name, change, message', [
    ('NAFNet', {'dec_blk_nums': [1]}, 'network_g:dec_blk_nums: 1 levels, but enc_blk_nums has 2'),
    ('Restormer', {'num_blocks': [1, 1]}, 'need 4 entries each'),
    ('Restormer', {'heads': [1, 2, 5, 8]}, r'network_g:heads\[2\]: 5 does not divide the 32 channels'),
])
def test_sizes_that_do_not_fit_are_refused(name: str, change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ARCH_REGISTRY.get(name)(**{**SMALL[name], **change})


@pytest.mark.parametrize('name, key, value', [
    ('NAFNet', 'width', 0), ('NAFNet', 'enc_blk_nums', [1, -1]), ('Restormer', 'dim', 0), ('Restormer', 'heads', [1, 0, 4, 8]),
    ('Restormer', 'ffn_expansion_factor', -1.0),
])
def test_sizes_out_of_range_are_refused_by_their_option(name: str, key: str, value: object) -> None:
    hint = typing.get_type_hints(ARCH_REGISTRY.get(name), include_extras=True)[key]
    with pytest.raises(UserError, match=rf'network_g:{key}.* is out of range, must be at least'):
        convert(value, hint, f'network_g:{key}')
