"""Adapters on the backbone: W x + (alpha / rank) B A x beside frozen weights that no state dict holds."""

import copy
import sys

import pytest
import torch
from torch import Tensor, nn

from glowdeblur_plugin.archs.adapters import TRAINED_WHOLE, has_adapters, merged, without_adapters
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.errors import UserError

pytest.importorskip('peft', reason='adapters need it')


def _pair(**lora: object) -> tuple[GLOWDeblur, GLOWDeblur]:
    """The same network without and with adapters; its last layer is not zero as a new network's is."""
    networks = []
    for adapters in ({}, {'lora': {'rank': 3, 'alpha': 6.0, **lora}}):
        torch.manual_seed(0)
        net = GLOWDeblur('nano', **adapters)
        torch.nn.init.normal_(net.backbone.proj_out.weight, std=0.1, generator=torch.Generator().manual_seed(1))
        networks.append(net.eval())
    return tuple(networks)


def _train_by_hand(net: nn.Module) -> None:
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if '.lora_' in name:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))


@torch.no_grad()
def _velocity(net: GLOWDeblur) -> Tensor:
    generator, side = torch.Generator().manual_seed(3), net.size_multiple
    lq = torch.rand(2, 3, side, side, generator=generator)
    cells = side // net.compression
    noise, sigma = torch.randn(2, net.latent_channels, cells, cells, generator=generator), torch.tensor([0.3, 0.8])
    return net.velocity(noise, sigma, net.condition(lq))


def test_new_adapters_change_nothing() -> None:
    plain, adapted = _pair()
    assert has_adapters(adapted) and not has_adapters(plain)
    expected = _velocity(plain)
    assert torch.equal(_velocity(adapted), expected) and expected.abs().max() > 0.1


def test_an_adapted_layer_is_the_formula() -> None:
    """In float64, for a linear layer and a 1x1 convolution."""
    _, net = _pair()
    _train_by_hand(net)
    net.double()
    block = net.backbone.transformer_blocks[1]
    for layer, shape in ((block.attn2.to_k, (5, 128)), (block.ff.conv_point, (1, 256, 4, 4))):
        inputs = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
        down, up = layer.lora_A['default'].weight.flatten(1), layer.lora_B['default'].weight.flatten(1)
        change = torch.einsum('or,ri->oi', up, down) * 6 / 3
        added = inputs @ change.T if inputs.ndim == 2 else torch.einsum('oi,nihw->nohw', change, inputs)
        with torch.no_grad():
            assert torch.allclose(layer(inputs), layer.base_layer(inputs) + added, atol=1e-12)
        assert added.abs().max() > 0.1


def test_what_is_trained_and_what_is_saved() -> None:
    plain, adapted = _pair()
    backbone = {name for name, parameter in adapted.backbone.named_parameters() if parameter.requires_grad}
    assert {name.split('.lora_')[0] if '.lora_' in name else name.rpartition('.')[0] for name in backbone} == {
        TRAINED_WHOLE, *(f'transformer_blocks.{block}.{layer}' for block in range(4)
                         for layer in (*(f'{attention}.{part}' for attention in ('attn1', 'attn2')
                                         for part in ('to_q', 'to_k', 'to_v', 'to_out.0')),
                                       'ff.conv_inverted', 'ff.conv_point'))}
    saved = adapted.state_dict()
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert trained <= saved.keys()
    assert {name for name in saved if name.startswith('backbone.')} == {f'backbone.{name}' for name in backbone}
    assert adapted.backbone.state_dict().keys() == backbone
    outside = {name for name in plain.state_dict() if not name.startswith('backbone.')}
    assert outside == {name for name in saved if not name.startswith('backbone.')}


def test_merged_weights_give_what_adapters_give() -> None:
    plain, adapted = _pair()
    _train_by_hand(adapted)
    before = copy.deepcopy(dict(adapted.named_parameters()))
    expected = _velocity(adapted)
    assert (expected - _velocity(plain)).abs().max() > 0.05
    whole = merged(adapted)
    assert not has_adapters(whole) and whole.state_dict().keys() == plain.state_dict().keys()
    fresh = GLOWDeblur('nano').eval()
    fresh.load_state_dict(whole.state_dict())
    for net in (whole, fresh):
        assert torch.allclose(_velocity(net), expected, atol=1e-5)
    assert has_adapters(adapted)
    assert all(torch.equal(before[name], parameter) for name, parameter in adapted.named_parameters())
    whole.backbone.proj_out.weight.data.zero_()
    assert torch.equal(_velocity(adapted), expected)


def test_the_view_without_adapters_is_the_same_memory() -> None:
    plain, adapted = _pair()
    _train_by_hand(adapted)
    view = without_adapters(adapted)
    assert torch.equal(_velocity(view), _velocity(plain)) and has_adapters(adapted)
    other = GLOWDeblur('nano')
    view.load_state_dict(other.state_dict())
    layer = 'backbone.transformer_blocks.0.attn1.to_q'
    assert torch.equal(adapted.get_submodule(layer).base_layer.weight, other.get_submodule(layer).weight)


def test_a_target_of_ones_own() -> None:
    _, adapted = _pair(targets=['attn1.to_q', 'linear_1'])
    changed = {name.split('.lora_')[0] for name in adapted.backbone.state_dict() if '.lora_' in name}
    assert {'transformer_blocks.3.attn1.to_q', 'caption_projection.linear_1'} <= changed
    assert not any('attn2' in name for name in changed)


@pytest.mark.parametrize('lora, message', [
    ({'targets': ['to_q', 'to_w']}, r"network_g:lora:targets: 'to_w' is no layer .* end in .*conv_point.*to_out\.0,"),
    ({'targets': ['conv_depth']}, "network_g:lora:targets: 'conv_depth' is no layer"),
    ({'targets': ['patch_embed.proj']}, "network_g:lora:targets: 'patch_embed.proj' is no layer"),
    ({'targets': ['_q']}, "network_g:lora:targets: '_q' is no layer"),
    ({'rank': 0}, 'network_g:lora:rank: 0 is out of range, must be at least 1'),
    ({'ranks': 4}, "network_g:lora: unknown key 'ranks'; did you mean 'rank'?"),
])
def test_bad_options(lora: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f'^{message}'):
        GLOWDeblur('nano', lora=lora)


def test_a_missing_peft_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'peft', None)
    with pytest.raises(UserError, match=r'^network_g:lora: needs peft .*; pip install "glowdeblur_plugin\[lora\]"$'):
        GLOWDeblur('nano', lora={})
