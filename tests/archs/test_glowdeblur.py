"""GLOWDeblur as one network: what it starts as, where gradients go, what the conditions do."""

import copy

import pytest
import torch

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.linear_attention import LinearAttention
from glowdeblur_plugin.archs.sana_backbone import build_backbone, widen_input
from glowdeblur_plugin.errors import UserError
from tiny_parts import tiny_transformer

PARAMETERS = {'s600m': 591_747_872, 's1600m': 1_604_462_752}


def _network(target: str = 'plain', seed: int = 0) -> GLOWDeblur:
    torch.manual_seed(seed)
    return GLOWDeblur('nano', target=target)


def _randomise_output(net: GLOWDeblur) -> None:
    torch.nn.init.normal_(net.backbone.proj_out.weight, std=0.1, generator=torch.Generator().manual_seed(5))


def _inputs(net: GLOWDeblur, count: int = 2, side: int = 32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    cells = side // net.compression
    return {
        'lq': torch.rand(count, 3, side, side, generator=generator),
        'gt': torch.rand(count, 3, side, side, generator=generator),
        'noise': torch.randn(count, net.latent_channels, cells, cells, generator=generator),
        'sigma': torch.tensor([0.3, 0.8])[:count]
    }


def test_a_new_network_predicts_what_its_backbone_alone_predicts() -> None:
    net = _network()
    _randomise_output(net)
    plain = copy.deepcopy(net.backbone)
    plain.patch_embed.proj = torch.nn.Conv2d(net.latent_channels, plain.patch_embed.proj.out_channels, 1)
    with torch.no_grad():
        plain.patch_embed.proj.weight.copy_(net.backbone.patch_embed.proj.weight[:, :net.latent_channels])
        plain.patch_embed.proj.bias.copy_(net.backbone.patch_embed.proj.bias)
        inputs = _inputs(net)
        _move_motion(net)
        velocity = net.velocity(inputs['noise'], inputs['sigma'], net.condition(inputs['lq']))
        expected = plain(inputs['noise'], encoder_hidden_states=net.null_text.expand(2, -1, -1),
                         timestep=inputs['sigma'] * 1000).sample
    assert velocity.abs().max() > 0.01
    assert torch.allclose(velocity, expected, atol=1e-6)


def _move_motion(net: GLOWDeblur) -> None:
    """Give the estimator something to say (its head starts at zero)."""
    torch.nn.init.normal_(net.motion.head.weight, std=0.1, generator=torch.Generator().manual_seed(6))


def _step(net: GLOWDeblur, text: torch.Tensor | None = None, rate: float = 0.05) -> dict[str, torch.Tensor]:
    """One step of gradient descent on the flow loss alone; returns the gradients by name."""
    net.zero_grad()
    net(**_inputs(net), text=text)['flow_error'].square().mean().backward()
    gradients = {name: parameter.grad.clone() for name, parameter in net.named_parameters() if parameter.grad is not None}
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.grad is not None:
                parameter -= rate * parameter.grad
    return gradients


def test_new_columns_get_gradient_and_then_each_condition_changes_the_output() -> None:
    net = _network()
    _randomise_output(net)
    _move_motion(net)
    columns = _step(net)['backbone.patch_embed.proj.weight'][:, net.latent_channels:, 0, 0]
    assert (columns.abs().sum(dim=0) > 0).all()
    inputs = _inputs(net)
    with torch.no_grad():
        condition = net.condition(inputs['lq'])
        velocity = net.velocity(inputs['noise'], inputs['sigma'], condition)
        for part in ('aligned', 'motion_map'):
            changed = copy.copy(condition)
            setattr(changed, part, getattr(condition, part) + 1)
            assert (net.velocity(inputs['noise'], inputs['sigma'], changed) - velocity).abs().max() > 1e-4, part


def test_text_gets_gradient_after_the_first_step_and_changes_the_output() -> None:
    net, text = _network(), torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(2))
    assert not any(gradient.abs().max() > 0 for name, gradient in _step(net, text).items() if 'caption' in name)
    assert all(gradient.abs().max() > 0 for name, gradient in _step(net, text).items() if 'caption_projection' in name)
    inputs = _inputs(net)
    with torch.no_grad():
        condition = net.condition(inputs['lq'])
        difference = net.velocity(inputs['noise'], inputs['sigma'], condition, text) - net.velocity(
            inputs['noise'], inputs['sigma'], condition, -text)
    assert difference.abs().max() > 0


def test_masked_text_does_not_count() -> None:
    net, inputs = _network(), None
    _randomise_output(net)
    inputs = _inputs(net)
    generator = torch.Generator().manual_seed(3)
    text, mask = torch.randn(2, 4, 32, generator=generator), torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0]])
    other = text.clone()
    other[:, 2:] = torch.randn(2, 2, 32, generator=generator)
    with torch.no_grad():
        condition = net.condition(inputs['lq'])
        first, second = (net.velocity(inputs['noise'], inputs['sigma'], condition, states, mask) for states in (text, other))
    assert torch.allclose(first, second, atol=1e-6)


def test_only_the_motion_loss_trains_the_estimator() -> None:
    net = _network()
    _randomise_output(net)
    _move_motion(net)
    _step(net)
    output = net(**_inputs(net))
    others = sum(output[name].square().mean() for name in ('flow_error', 'prereconstruction', 'aligned'))
    net.zero_grad()
    others.backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in net.motion.parameters())
    output['motion'].square().mean().backward()
    assert any(parameter.grad.abs().max() > 0 for parameter in net.motion.parameters())


def test_dropped_motion_equals_a_zero_map() -> None:
    net = _network()
    _randomise_output(net)
    _move_motion(net)
    _step(net)
    inputs = _inputs(net)
    with torch.no_grad():
        kept, dropped = (net(**inputs, keep_motion=torch.full((2,), keep))['flow_error'] for keep in (1.0, 0.0))
        assert (kept - dropped).abs().max() > 1e-5
        torch.nn.init.zeros_(net.motion.head.weight)
        assert torch.allclose(net(**inputs)['flow_error'], dropped, atol=1e-6)


def test_several_draws_of_one_picture_equal_separate_passes() -> None:
    net = _network('around')
    _randomise_output(net)
    net.eval()
    inputs = _inputs(net)
    generator = torch.Generator().manual_seed(9)
    noise, sigma = torch.randn(4, *inputs['noise'].shape[1:], generator=generator), torch.rand(4, generator=generator)
    with torch.no_grad():
        together = net(inputs['lq'], inputs['gt'], noise, sigma)['flow_error']
        apart = torch.cat(
            [net(inputs['lq'], inputs['gt'], noise[part], sigma[part])['flow_error'] for part in (slice(0, 2), slice(2, 4))])
    assert torch.allclose(together, apart, atol=1e-5)


def test_around_target_starts_as_the_pre_reconstruction_through_the_codec() -> None:
    from glowdeblur_plugin.models.glowdeblur_evaluation import restore
    net, lq = _network('around').eval(), torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        condition = net.condition(lq)
        restored = restore(net, condition, [torch.Generator()], steps=1)
        assert torch.allclose(restored, net.decode(net.encode(condition.prereconstruction)), atol=1e-5)
        assert torch.allclose(condition.prereconstruction, lq)


def test_frozen_codec_is_no_parameter_no_weight_and_shared_by_a_copy() -> None:
    net = _network()
    assert not any('codec' in name for name in net.state_dict()) and not any('codec' in name
                                                                             for name, _ in net.named_parameters())
    assert copy.deepcopy(net).codec.held is net.codec.held
    assert net.double().encode(torch.zeros(1, 3, 16, 16, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize('variant', PARAMETERS)
def test_full_size_backbones_have_the_published_shape(variant: str) -> None:
    with torch.device('meta'):
        backbone = build_backbone(variant, 32, None)
        assert sum(parameter.numel() for parameter in backbone.parameters()) == PARAMETERS[variant]
        width = backbone.patch_embed.proj.out_channels
        widen_input(backbone, 35)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == PARAMETERS[variant] + 35 * width
    assert backbone.config.in_channels == 67


@pytest.mark.parametrize('arguments, message', [
    ({'variant': 's600m'}, 'network_g:codec: the s600m variant needs'),
    ({'variant': 'nano', 'codec': 'somewhere'}, 'network_g:codec: the nano variant has its own codec'),
])
def test_wrong_parts_are_named(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GLOWDeblur(**arguments)


def test_linear_attention_equals_that_of_diffusers_and_keeps_float32_sums_under_autocast(tmp_path) -> None:
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    attention = tiny_transformer(tmp_path).transformer_blocks[0].attn1
    tokens, theirs = torch.randn(2, 400, 16, generator=generator), attention.processor
    with torch.no_grad():
        reference = theirs(attention, tokens)
        assert torch.allclose(LinearAttention()(attention, tokens), reference, atol=1e-6)
        for projection in (attention.to_q, attention.to_k, attention.to_v, attention.to_out[0]):
            projection.to(torch.bfloat16)
        low = tokens.bfloat16()
        parts = [
            projection(low).float().unflatten(-1, (2, -1)).transpose(1, 2).double()
            for projection in (attention.to_q, attention.to_k, attention.to_v)
        ]
        query, key, value = parts[0].relu(), parts[1].relu(), parts[2]
        exact = query @ (key.transpose(-1, -2) @ value) / (query @ key.sum(dim=-2).unsqueeze(-1) + 1e-15)
        exact = attention.to_out[0](exact.transpose(1, 2).flatten(2).bfloat16()).float()
        with torch.autocast('cpu', torch.bfloat16):
            ours, stock = (processor(attention, low).float() for processor in (LinearAttention(), theirs))
    assert (ours - exact).abs().mean() < 0.2 * (stock - exact).abs().mean()
