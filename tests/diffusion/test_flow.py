"""The flow's algebra against closed forms in float64."""

import pytest
import torch

from glowdeblur_plugin.diffusion.flow import (AroundTarget, PlainTarget, add_noise, sampling_sigmas, shift_time, training_sigmas,
                                              unshift_time)
from glowdeblur_plugin.diffusion.sampler import sample_flow


@pytest.mark.parametrize('steps, expected', [(1, [1, 0]), (2, [1, 0.75, 0]), (4, [1, 0.9, 0.75, 0.5, 0]),
                                             (8, [3 * t / (1 + 2 * t) for t in (1, .875, .75, .625, .5, .375, .25, .125, 0)])])
def test_sampling_sigmas(steps: int, expected: list[float]) -> None:
    assert sampling_sigmas(steps) == pytest.approx(expected)


def test_sampling_sigmas_from_a_start_are_evenly_spaced_in_time() -> None:
    times = [unshift_time(sigma) for sigma in sampling_sigmas(4, start=0.5)]
    assert times == pytest.approx([0.25, 0.1875, 0.125, 0.0625, 0])


def test_shift_and_its_inverse() -> None:
    assert [unshift_time(shift_time(time)) for time in (0.0, 0.3, 0.9, 1.0)] == pytest.approx([0, 0.3, 0.9, 1])


def test_training_sigmas_are_shifted_logit_normal() -> None:
    sigmas = training_sigmas(200_000, torch.Generator().manual_seed(0)).double()
    normal = torch.logit(sigmas / (3 - 2 * sigmas))
    assert normal.mean().item() == pytest.approx(0, abs=0.01)
    assert normal.std().item() == pytest.approx(1, abs=0.01)


def _around(variance: torch.Tensor) -> AroundTarget:
    target = AroundTarget(len(variance)).double()
    target.residual_variance.copy_(variance.view(1, -1, 1, 1))
    return target


@pytest.mark.parametrize('sigma', [1.0, 0.7, 0.2, 1e-6])
def test_around_target_is_the_gaussian_posterior(sigma: float) -> None:
    """v_lin and c against the posterior of a Gaussian z0 written out: mean a + k (z - (1-s) a), variance r^2 s^2 / ((1-s)^2 r^2 +
    s^2)."""
    generator = torch.Generator().manual_seed(2)
    aligned, noised, output = (torch.randn(1, 2, 3, 3, generator=generator, dtype=torch.float64) for _ in range(3))
    variance = torch.tensor([0.3, 2.0], dtype=torch.float64)
    target, level = _around(variance), torch.tensor([sigma], dtype=torch.float64)
    r2 = variance.view(1, 2, 1, 1)
    total = (1 - sigma) ** 2 * r2 + sigma ** 2
    mean = aligned + (1 - sigma) * r2 / total * (noised - (1 - sigma) * aligned)
    deviation = (r2 * sigma ** 2 / total).sqrt() / sigma
    expected = (noised - mean) / sigma + deviation * output
    assert torch.allclose(target.velocity(output, noised, level, aligned), expected, atol=1e-9 / sigma)
    assert torch.allclose(target.deviation(level), deviation)


def test_around_target_with_zero_output_gives_the_aligned_feature_in_one_step() -> None:
    generator = torch.Generator().manual_seed(3)
    aligned, noise = (torch.randn(2, 4, 3, 3, generator=generator) for _ in range(2))
    target = AroundTarget(4)
    result = sample_flow(lambda z, s: target.velocity(torch.zeros_like(z), z, s, aligned), noise, steps=1)
    assert torch.allclose(result, aligned, atol=1e-6)


def test_around_target_feeds_unit_variance_and_asks_for_unit_variance() -> None:
    generator = torch.Generator().manual_seed(4)
    variance = torch.tensor([0.2, 1.5], dtype=torch.float64)
    target = _around(variance)
    aligned, residual, noise = (torch.randn(64, 2, 32, 32, generator=generator, dtype=torch.float64) for _ in range(3))
    latent, sigma = aligned + residual * variance.sqrt().view(1, 2, 1, 1), torch.rand(64,
                                                                                      generator=generator,
                                                                                      dtype=torch.float64)
    noised = add_noise(latent, noise, sigma)
    wanted = (noise - latent - target.velocity(torch.zeros_like(noised), noised, sigma, aligned)) / target.deviation(sigma)
    assert target.network_input(noised, sigma, aligned).var().item() == pytest.approx(1, abs=0.02)
    assert wanted.var(dim=(0, 2, 3)).tolist() == pytest.approx([1, 1], abs=0.02)


def test_residual_variance_is_the_running_mean_of_squares() -> None:
    target, latent = AroundTarget(1), torch.zeros(2, 1, 4, 4)
    for size in (1.0, 2.0, 3.0):
        target.observe(latent + size, latent)
    assert target.residual_variance.item() == pytest.approx((1 + 4 + 9) / 3)


def test_plain_target_changes_nothing() -> None:
    target, z = PlainTarget(), torch.randn(1, 2, 3, 3)
    sigma = torch.tensor([0.5])
    assert target.network_input(z, sigma, z + 1) is z
    assert target.velocity(z, z + 1, sigma, z + 2) is z
