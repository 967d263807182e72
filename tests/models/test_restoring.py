"""Restoring with a whole nano network: guidance on the text, pictures that do not depend on their batch, colours."""

import copy
from typing import Any

import pytest
import torch

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.diffusion.colour import correct_colour
from glowdeblur_plugin.diffusion.noise import picture_noise
from glowdeblur_plugin.models.glowdeblur_evaluation import RestorationSettings, evaluate, restore
from glowdeblur_plugin.models.seeds import picture_generator
from glowdeblur_plugin.models.text_guidance import guided_velocity

Inputs = dict[str, torch.Tensor]


@pytest.fixture(scope='module')
def net() -> GLOWDeblur:
    """A nano network whose backbone, null embedding and alignment say something."""
    torch.manual_seed(0)
    net = GLOWDeblur('nano', target='around').eval()
    for part in (net.backbone.proj_out.weight, net.null_text, net.motion.head.weight):
        torch.nn.init.normal_(part, std=0.3)
    torch.nn.init.normal_(net.backbone.patch_embed.proj.weight[:, net.latent_channels:], std=0.05)
    return net


@pytest.fixture(scope='module')
def inputs(net: GLOWDeblur) -> Inputs:
    """Three blurry pictures, latents, levels, and texts of 6 states of which the last ones do not count everywhere."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([[6], [3], [1]])
    return {
        'lq': torch.rand(3, 3, 32, 48, generator=generator),
        'noised': torch.randn(3, net.latent_channels, 4, 6, generator=generator),
        'sigma': torch.tensor([0.9, 0.5, 0.2]),
        'text': 2 * torch.randn(3, 6, net.backbone.config.caption_channels, generator=generator),
        'text_mask': torch.arange(6) < lengths
    }


def _counted(net: GLOWDeblur, **settings: Any) -> tuple[torch.Tensor, list[int]]:
    """A guided velocity at one place, and how many latents the backbone got at each call."""
    sizes: list[int] = []
    hook = net.backbone.patch_embed.register_forward_pre_hook(lambda module, arguments: sizes.append(len(arguments[0])))
    noised, sigma = settings.pop('noised'), settings.pop('sigma')
    with torch.no_grad():
        velocity = guided_velocity(net, **settings)(noised, sigma)
    hook.remove()
    return velocity, sizes


@pytest.mark.parametrize('masked', [True, False])
@pytest.mark.parametrize('guidance', [0.0, 2.5])
def test_guidance_goes_from_the_null_text_through_the_text_in_one_call(net: GLOWDeblur, inputs: Inputs, guidance: float,
                                                                        masked: bool) -> None:
    place = {key: inputs[key] for key in ('noised', 'sigma')}
    mask = inputs['text_mask'] if masked else None
    with torch.no_grad():
        condition = net.condition(inputs['lq'])
        plain = net.velocity(**place, condition=condition)
        led = net.velocity(**place, condition=condition, text=inputs['text'], text_mask=mask)
    velocity, sizes = _counted(net, **place, condition=condition, text=inputs['text'], text_mask=mask, guidance=guidance)
    assert sizes == [6]
    assert (led - plain).abs().max() > 0.01
    assert torch.allclose(velocity, plain + guidance * (led - plain), atol=2e-5)


def test_without_a_text_or_at_one_nothing_is_added(net: GLOWDeblur, inputs: Inputs) -> None:
    place = {key: inputs[key] for key in ('noised', 'sigma')}
    texts = {key: inputs[key] for key in ('text', 'text_mask')}
    with torch.no_grad():
        condition = net.condition(inputs['lq'])
        for settings, expected in (({'guidance': 3.0}, {}), (texts, texts)):
            velocity, sizes = _counted(net, **place, condition=condition, **settings)
            assert sizes == [3]
            assert torch.allclose(velocity, net.velocity(**place, condition=condition, **expected), atol=2e-5)


@pytest.mark.parametrize('settings', [{'solver': 'euler'}, {'solver': 'dpm', 'steps': 4}, {'solver': 'dpm', 'start': 0.5},
                                      {'solver': 'scm'}, {'solver': 'scm', 'start': 0.5}])
def test_a_picture_is_the_same_in_any_batch_and_order(net: GLOWDeblur, inputs: Inputs, settings: dict[str, Any]) -> None:
    settings = {'steps': 3, 'guidance': 2.0, **settings}

    def restored(pictures: list[int]) -> torch.Tensor:
        texts = {key: inputs[key][pictures] for key in ('text', 'text_mask')}
        generators = [picture_generator(7, index) for index in pictures]
        return restore(net, net.condition(inputs['lq'][pictures]), generators, **settings, **texts)

    with torch.no_grad():
        together, turned = restored([0, 1, 2]), restored([2, 0, 1])
        apart = torch.cat([restored([index]) for index in range(3)])
    assert torch.allclose(together, apart, atol=2e-5)
    assert torch.allclose(turned, apart[[2, 0, 1]], atol=2e-5)


def test_the_noise_of_a_picture_comes_from_its_own_generator() -> None:
    noise = picture_noise([picture_generator(7, index) for index in range(3)], (2, 4, 4))
    assert torch.equal(noise[1:2], picture_noise([picture_generator(7, 1)], (2, 4, 4)))
    assert not torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[:1], picture_noise([picture_generator(8, 0)], (2, 4, 4)))


def test_restoring_leaves_the_generators_and_ignores_texts_in_the_batch(net: GLOWDeblur, inputs: Inputs) -> None:
    generator, settings = picture_generator(7, 0), RestorationSettings(steps=2)
    batch, texts = {'lq': inputs['lq'][:1]}, {key: inputs[key][:1] for key in ('text', 'text_mask')}
    with torch.no_grad():
        plain = evaluate(net, batch, generator, settings, full=False)['restored']
        assert torch.equal(plain, evaluate(net, {**batch, **texts}, generator, settings, full=False)['restored'])
        led = restore(net, net.condition(batch['lq']), [generator], 2, guidance=2.0, **texts)
        assert not torch.allclose(plain, led.clamp(0, 1), atol=1e-3)


@torch.no_grad()
def test_colours_go_towards_the_pre_reconstruction_and_leave_the_figures(net: GLOWDeblur, inputs: Inputs) -> None:
    lq = inputs['lq'][:1, :, :30, :45]
    batch = {'lq': lq, 'gt': lq.flip(-1)}
    settings = [RestorationSettings(steps=2, warm_steps=1, colour=colour) for colour in ('none', 'wavelet')]
    plain, corrected = (evaluate(net, batch, picture_generator(7, 0), setting, full=True) for setting in settings)
    assert corrected.keys() - plain.keys() == {'restored_colour', 'psnr_restored_colour', 'ssim_restored_colour'}
    assert all(torch.equal(torch.as_tensor(plain[name]), torch.as_tensor(corrected[name])) for name in plain)
    condition = net.condition(torch.nn.functional.pad(lq, (0, 3, 0, 2), mode='reflect'))
    whole = restore(net, condition, [picture_generator(7, 0)], steps=2)
    expected = correct_colour(whole, condition.prereconstruction)[..., :30, :45].clamp(0, 1)
    assert torch.allclose(corrected['restored_colour'], expected, atol=1e-6)
    assert (expected - plain['restored']).abs().max() > 0.01


def test_bf16_weights_restore_the_same_picture_in_half_the_memory(net: GLOWDeblur, inputs: Inputs) -> None:
    """Up to bf16's 8 bits; what the codec does alone stays exact."""
    light = copy.deepcopy(net)
    light.use_bf16_weights()
    sizes = [sum(value.nbytes for value in network.parameters()) for network in (net, light)]
    assert sizes[1] == sizes[0] / 2
    settings = RestorationSettings(steps=3)
    batch = {'lq': inputs['lq'][:1], 'gt': inputs['lq'][1:2]}
    with torch.inference_mode():
        exact = evaluate(net, batch, picture_generator(0, 0), settings, True)
        with torch.autocast('cpu', torch.bfloat16):
            rounded = evaluate(light, batch, picture_generator(0, 0), settings, True)
    assert 1e-5 < (rounded['restored'] - exact['restored']).abs().mean() < 0.01
    assert rounded['psnr_codec'] == exact['psnr_codec']
    assert light.target.residual_variance.dtype == torch.float32
