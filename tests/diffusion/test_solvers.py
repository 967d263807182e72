"""Euler and DPM-Solver++ on our noise levels: exact levels, orders of convergence, and diffusers' own steps."""

import math
from collections.abc import Callable

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler
from tiny_parts import CHANNELS, tiny_autoencoder, tiny_texts, tiny_transformer

from glowdeblur_plugin.diffusion.flow import add_noise, sampling_sigmas
from glowdeblur_plugin.diffusion.sampler import SolverName, sample_flow
from glowdeblur_plugin.diffusion.solvers import FlowDPMSolver

MEAN, DEVIATION = 0.7, math.sqrt(2)
LEVELS = {
    1: [1],
    2: [1, 0.75],
    4: [1, 0.9, 0.75, 0.5],
    8: [3 * t / (1 + 2 * t) for t in (1, .875, .75, .625, .5, .375, .25, .125)]
}
SOLVERS = pytest.mark.parametrize('solver', ['euler', 'dpm'])


def _recorded(velocity: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], **settings: object
              ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, float]]]:
    """The sampled latent, and the latent and level of each call."""
    calls = []

    def call(latent: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        calls.append((latent, sigma[0].item()))
        return velocity(latent, sigma)

    return sample_flow(call, **settings), calls


@SOLVERS
@pytest.mark.parametrize('steps', LEVELS)
def test_the_model_is_called_at_exactly_our_levels(solver: SolverName, steps: int) -> None:
    _, calls = _recorded(lambda z, s: z, noise=torch.ones(2, 1, 2, 2), steps=steps, solver=solver)
    assert [sigma for _, sigma in calls] == torch.tensor(LEVELS[steps]).tolist()


@SOLVERS
@pytest.mark.parametrize('steps, start', [(1, 0.3), (4, 0.5)])
def test_a_start_holds_noise_of_exactly_its_level(solver: SolverName, steps: int, start: float) -> None:
    noise, guess = torch.randn(2, 1, 3, 3), torch.full((2, 1, 3, 3), 3.0)
    result, calls = _recorded(lambda z, s: noise - guess, noise=noise, steps=steps, start=start, guess=guess, solver=solver)
    assert torch.allclose(calls[0][0], (1 - start) * guess + start * noise)
    assert [sigma for _, sigma in calls] == torch.tensor(sampling_sigmas(steps, start)[:-1]).tolist()
    assert torch.allclose(result, guess, atol=1e-5)


def _gaussian_error(solver: SolverName, steps: int, start: float) -> float:
    """Largest error of the sampled data of a Gaussian, whose flow maps its own quantiles on each other."""

    def velocity(z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        s = sigma.double().view(-1, 1, 1, 1)
        variance = (1 - s).square() * DEVIATION**2 + s.square()
        return (s - (1 - s) * DEVIATION**2) / variance * (z - (1 - s) * MEAN) - MEAN

    quantiles = torch.linspace(-2, 2, 9, dtype=torch.float64).view(1, 1, 1, 9)
    deviation = math.hypot((1 - start) * DEVIATION, start)
    first = (1 - start) * MEAN + deviation * quantiles
    guess, noise = torch.zeros_like(first), first / start
    result = sample_flow(velocity, noise, steps, start, guess, solver)
    return (result - MEAN - DEVIATION * quantiles).abs().max().item()


@pytest.mark.parametrize('start', [1.0, 0.5])
def test_orders_of_convergence_on_gaussian_data(start: float) -> None:
    """Euler's error falls with 1/n, DPM-Solver++'s with log(n)/n^2, as the steps in its own variable, the log signal-to-noise
    ratio, do not shrink at the ends."""
    euler, dpm = ({steps: _gaussian_error(solver, steps, start) for steps in (128, 256)} for solver in ('euler', 'dpm'))
    assert euler[128] / euler[256] == pytest.approx(2, rel=0.03)
    assert dpm[128] / dpm[256] == pytest.approx(4 * math.log(128) / math.log(256), rel=0.05)
    assert dpm[256] < 0.2 * euler[256]


@SOLVERS
@pytest.mark.parametrize('steps', [1, 2, 4])
def test_sampling_equals_diffusers_pipeline_on_the_same_levels(solver: SolverName, steps: int) -> None:
    pytest.importorskip('transformers', reason="diffusers' pipelines need it")
    from diffusers import SanaPipeline
    transformer, texts = tiny_transformer(), tiny_texts()
    noise = torch.randn(2, CHANNELS, 4, 4, generator=torch.Generator().manual_seed(1))
    scheduler = FlowDPMSolver() if solver == 'dpm' else FlowMatchEulerDiscreteScheduler(shift=1.0)
    pipeline = SanaPipeline(None, None, tiny_autoencoder(), transformer, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(sigmas=LEVELS[steps], latents=noise, guidance_scale=1.0, height=32, width=32,
                        use_resolution_binning=False, output_type='latent', **texts).images

    def velocity(z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return transformer(z, texts['prompt_embeds'], sigma * 1000, encoder_attention_mask=texts['prompt_attention_mask'],
                           return_dict=False)[0]

    with torch.no_grad():
        result = sample_flow(velocity, noise, steps, solver=solver)
    assert (result - noise).abs().max() > 0.1
    assert torch.allclose(result, expected, atol=1e-5)


def test_our_dpm_solver_takes_the_steps_of_diffusers_own_on_its_levels() -> None:
    """A velocity that only looks at the latent cannot tell the truncated timesteps from the exact ones."""
    theirs = DPMSolverMultistepScheduler(prediction_type='flow_prediction', use_flow_sigmas=True, flow_shift=3.0)
    theirs.set_timesteps(6)
    ours = FlowDPMSolver()
    ours.set_timesteps(theirs.sigmas[:-1].tolist())
    latents = [torch.linspace(-2, 2, 9)] * 2
    for timesteps in zip(theirs.timesteps, ours.timesteps):
        latents = [solver.step(latent.sin() - 0.3, timestep, latent).prev_sample
                   for solver, timestep, latent in zip((theirs, ours), timesteps, latents)]
        assert torch.equal(*latents)
    assert ours.timesteps.tolist() == (theirs.sigmas[:-1] * 1000).tolist()


@SOLVERS
def test_the_true_velocity_leads_to_the_latent(solver: SolverName) -> None:
    latent, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    result, calls = _recorded(lambda z, s: noise - latent, noise=noise, steps=5, solver=solver)
    assert all(torch.allclose(z, add_noise(latent, noise, torch.full((2,), s)), atol=1e-5) for z, s in calls)
    assert torch.allclose(result, latent, atol=1e-5)


@pytest.mark.parametrize('steps, start, same', [(3, 1.0, True), (4, 1.0, False), (2, 0.5, True), (3, 0.5, False)])
def test_few_steps_of_the_two_solvers_agree(steps: int, start: float, same: bool) -> None:
    noise, guess = torch.linspace(-2, 2, 9).view(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
    euler, dpm = (sample_flow(lambda z, s: z.sin() - 0.3, noise, steps, start, guess, solver) for solver in ('euler', 'dpm'))
    assert torch.allclose(euler, dpm, atol=1e-5) == same
