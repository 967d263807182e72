"""Weights saved by diffusers, loaded through `network_g`: with the new columns at zero all is as in diffusers' pipelines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel
from torch import Tensor

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.sana_backbone import VARIANTS, build_backbone
from glowdeblur_plugin.diffusion.flow import sampling_sigmas
from glowdeblur_plugin.diffusion.noise import picture_noise
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.glowdeblur_evaluation import restore
from tiny_parts import CHANNELS, SHAPE, SPRINT, tiny_autoencoder, tiny_texts, tiny_transformer

SMALL = {'type': 'PreReconstruction', 'width': 4, 'encoder_blocks': [1], 'middle_blocks': 1, 'decoder_blocks': [1]}


@pytest.fixture(autouse=True)
def _tiny_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, 's600m', SHAPE)


def _network(folder: Path) -> GLOWDeblur:
    net = GLOWDeblur('s600m', backbone=str(folder / 'transformer'), codec=str(folder / 'vae'), prereconstruction=SMALL)
    torch.nn.init.normal_(net.motion.head.weight, std=0.1, generator=torch.Generator().manual_seed(6))
    return net.eval()


def _inputs(net: GLOWDeblur) -> dict[str, Tensor]:
    generator, side = torch.Generator().manual_seed(1), 2 * net.size_multiple
    return {
        'lq': torch.rand(2, 3, side, side, generator=generator),
        'noise': torch.randn(2, CHANNELS, side // 32, side // 32, generator=generator),
        'sigma': torch.tensor([0.6, 0.1])
    }


@pytest.mark.parametrize('config', [{}, {'timestep_scale': 0.001, 'qk_norm': 'rms_norm_across_heads'}, SPRINT],
                         ids=['sana', 'sana 1.5', 'sprint'])
def test_the_velocity_is_that_of_the_saved_backbone(tmp_path, config: dict[str, Any]) -> None:
    """Called as `SanaPipeline` and, for a backbone with embedded guidance, `SanaSprintPipeline` call it."""
    saved = tiny_transformer(tmp_path / 'transformer', **config)
    tiny_autoencoder(tmp_path / 'vae', stages=6)
    net = _network(tmp_path)
    inputs = _inputs(net)
    sigma, (text, mask) = inputs['sigma'], tiny_texts().values()
    called = {'timestep': sigma * 1000 * config.get('timestep_scale', 1.0)}
    if 'guidance_embeds' in config:
        called = {'timestep': sigma, 'guidance': torch.full((2,), 2.5 * 0.1)}
    with torch.no_grad():
        condition = net.condition(inputs['lq'])
        velocity = net.velocity(inputs['noise'], sigma, condition, text, mask, embedded_guidance=2.5)
        expected = saved(inputs['noise'], text, encoder_attention_mask=mask, **called).sample
    assert condition.aligned.abs().max() > 0.01 and condition.motion_map.abs().max() > 0.01
    assert torch.allclose(velocity, expected, atol=1e-6)


def test_embedded_guidance_changes_only_backbones_that_have_it(tmp_path) -> None:
    tiny_autoencoder(tmp_path / 'vae', stages=6)
    for config, differs in (({}, False), (SPRINT, True)):
        tiny_transformer(tmp_path / 'transformer', **config)
        net = _network(tmp_path)
        inputs = _inputs(net)
        with torch.no_grad():
            condition = net.condition(inputs['lq'])
            first, second = (net.velocity(inputs['noise'], inputs['sigma'], condition, embedded_guidance=scale)
                             for scale in (1.0, 4.5))
        assert ((first - second).abs().max() > 1e-4) == differs


def _sana(autoencoder: AutoencoderDC, transformer: SanaTransformer2DModel, steps: int) -> tuple[Any, dict[str, Any]]:
    from diffusers import FlowMatchEulerDiscreteScheduler, SanaPipeline
    pipeline = SanaPipeline(None, None, autoencoder, transformer, FlowMatchEulerDiscreteScheduler(shift=1.0))
    return pipeline, {'sigmas': sampling_sigmas(steps)[:-1], 'guidance_scale': 1.0}


def _sprint(autoencoder: AutoencoderDC, transformer: SanaTransformer2DModel, steps: int) -> tuple[Any, dict[str, Any]]:
    from diffusers import SanaSprintPipeline, SCMScheduler
    scheduler = SCMScheduler(prediction_type='trigflow', sigma_data=0.5)
    return SanaSprintPipeline(None, None, autoencoder, transformer, scheduler), {'guidance_scale': 4.5}


@pytest.mark.parametrize('config, solver, steps, pipe', [
    ({}, 'euler', 3, _sana), ({'timestep_scale': 0.001, 'qk_norm': 'rms_norm_across_heads'}, 'euler', 2, _sana),
    (SPRINT, 'scm', 2, _sprint)], ids=['sana', 'sana 1.5', 'sprint'])
def test_restored_pictures_are_those_of_the_pipeline(tmp_path, config: dict[str, Any], solver: str, steps: int,
                                                     pipe: Callable[..., Any]) -> None:
    pytest.importorskip('transformers', reason="diffusers' pipelines need it")
    transformer = tiny_transformer(tmp_path / 'transformer', **config)
    autoencoder = tiny_autoencoder(tmp_path / 'vae', stages=6)
    net, texts = _network(tmp_path), tiny_texts()
    lq = _inputs(net)['lq']
    side, seeds = lq.shape[-1], (3, 4)
    fresh = [torch.Generator().manual_seed(seed) for seed in seeds]
    noise = picture_noise(fresh, (CHANNELS, side // 32, side // 32))
    pipeline, settings = pipe(autoencoder, transformer, steps)
    pipeline.set_progress_bar_config(disable=True)
    with torch.no_grad():
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        restored = restore(net, net.condition(lq), generators, steps, solver=solver, text=texts['prompt_embeds'],
                           text_mask=texts['prompt_attention_mask'])
        expected = pipeline(**texts, **settings, latents=noise, generator=fresh, num_inference_steps=steps, height=side,
                            width=side, use_resolution_binning=False, output_type='pt').images
    assert torch.allclose(restored.clamp(0, 1), expected, atol=1e-5)
    assert expected.std() > 0.01


def test_files_in_half_precision_are_trained_in_float32(tmp_path) -> None:
    saved = tiny_transformer(tmp_path).bfloat16()
    saved.save_pretrained(tmp_path)
    loaded = build_backbone('s600m', CHANNELS, str(tmp_path))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert torch.equal(loaded.proj_out.weight, saved.proj_out.weight.float())


def test_missing_backbone_is_named(tmp_path) -> None:
    with pytest.raises(UserError, match='network_g:backbone: no SanaTransformer2DModel in .*nowhere'):
        build_backbone('s600m', 32, str(tmp_path / 'nowhere'))


@pytest.mark.parametrize('variant, config, message', [
    ('s1600m', {}, 'is no s1600m: num_layers is 2 there and 20 here'),
    ('s600m', {'in_channels': 5}, 'takes latents of 5 channels, those of the codec have 4'),
    ('s600m', {'out_channels': 8}, 'gives latents of 8 channels, those of the codec have 4'),
])
def test_backbone_of_another_shape_is_refused(tmp_path, variant: str, config: dict[str, int], message: str) -> None:
    tiny_transformer(tmp_path / 'transformer', **config)
    with pytest.raises(UserError, match=f'network_g:backbone: .*transformer.* {message}'):
        build_backbone(variant, CHANNELS, str(tmp_path / 'transformer'))
