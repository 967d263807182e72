"""The consistency sampler against diffusers' SANA-Sprint pipeline and against closed forms."""

import copy
import math

import pytest
import torch
from tiny_parts import CHANNELS, tiny_autoencoder, tiny_texts, tiny_transformer

from glowdeblur_plugin.archs.linear_attention import use_float32_sums
from glowdeblur_plugin.archs.sana_backbone import widen_input
from glowdeblur_plugin.diffusion.flow import add_noise
from glowdeblur_plugin.diffusion.sampler import sample_flow

GUIDANCE, GUIDANCE_SCALE = 4.5, 0.1


def _generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in (3, 4)]


@pytest.mark.parametrize('steps', [1, 2, 4])
def test_sampling_equals_the_sprint_pipeline_with_conditions_at_zero_weight(steps: int) -> None:
    pytest.importorskip('transformers', reason="diffusers' pipelines need it")
    from diffusers import SanaSprintPipeline, SCMScheduler
    transformer, texts = tiny_transformer(qk_norm='rms_norm_across_heads', guidance_embeds=True, sample_size=32), tiny_texts()
    noise = torch.randn(2, CHANNELS, 4, 4, generator=torch.Generator().manual_seed(1))
    scheduler = SCMScheduler(prediction_type='trigflow', sigma_data=0.5)
    pipeline = SanaSprintPipeline(None, None, tiny_autoencoder(), copy.deepcopy(transformer), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(num_inference_steps=steps, intermediate_timesteps=1.3 if steps == 2 else None, guidance_scale=GUIDANCE,
                        latents=noise, generator=_generators(), height=32, width=32, use_resolution_binning=False,
                        output_type='latent', **texts).images
    use_float32_sums(transformer)
    widen_input(transformer, CHANNELS + 3)
    conditions = torch.randn(2, CHANNELS + 3, 4, 4)

    def velocity(z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return transformer(torch.cat([z, conditions], dim=1), texts['prompt_embeds'], sigma,
                           guidance=torch.full((2,), GUIDANCE * GUIDANCE_SCALE),
                           encoder_attention_mask=texts['prompt_attention_mask'], return_dict=False)[0]

    with torch.no_grad():
        result = sample_flow(velocity, noise, steps, solver='scm', generators=_generators())
    assert (result - noise).abs().max() > 0.1
    assert torch.allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize('steps, start', [(1, 1.0), (2, 1.0), (3, 1.0), (1, 0.4), (2, 0.4), (3, 0.4)])
def test_each_call_sees_the_prediction_before_with_noise_of_exactly_its_level(steps: int, start: float) -> None:
    """With a velocity that always predicts the same latent, what is left of the noised latent at each level is the fresh noise
    of that step, which the picture's own generator gives."""
    latent, noise = torch.full((2, 1, 3, 3), 2.0), torch.randn(2, 1, 3, 3)
    levels, fresh = [], []

    def velocity(z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        level = sigma.view(-1, 1, 1, 1)
        levels.append(sigma[0].item())
        fresh.append((z - (1 - level) * latent) / level)
        return (z - latent) / level

    result = sample_flow(velocity, noise, steps, start, latent if start < 1 else None, 'scm', _generators())
    first = 1.5708 if start == 1 else math.atan2(start, 1 - start)
    angles = [first, 1.3] if (steps, start) == (2, 1.0) else [first * (1 - step / steps) for step in range(steps)]
    assert levels == pytest.approx([math.tan(angle) / (1 + math.tan(angle)) for angle in angles], abs=1e-6)
    generators = _generators()
    drawn = [noise] + [torch.cat([torch.randn(1, 1, 3, 3, generator=generator) for generator in generators])
                       for _ in range(steps - 1)]
    assert all(torch.allclose(*pair, atol=1e-4) for pair in zip(fresh, drawn))
    assert torch.allclose(result, latent, atol=1e-5)


def test_the_first_call_is_at_the_start_itself() -> None:
    guess, noise, seen = torch.full((2, 1, 3, 3), 3.0), torch.randn(2, 1, 3, 3), []
    sample_flow(lambda z, s: seen.append((z, s)) or z, noise, 2, 0.4, guess, 'scm', _generators())
    assert torch.allclose(seen[0][0], add_noise(guess, noise, torch.full((2,), 0.4)), atol=1e-6)
    assert torch.allclose(seen[0][1], torch.full((2,), 0.4))
