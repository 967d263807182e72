"""Sampling: from noise to a latent along the learnt flow."""

from collections.abc import Callable

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from glowdeblur_plugin.diffusion.flow import TIMESTEPS, add_noise, sampling_sigmas

Velocity = Callable[[Tensor, Tensor], Tensor]


def sample_flow(velocity: Velocity, noise: Tensor, steps: int, start: float = 1.0, guess: Tensor | None = None) -> Tensor:
    """Integrate dz/ds = v(z, s) from s = `start` to 0 with diffusers' Euler scheduler.

    Args:
        velocity: gives v (N, C, h, w) for a latent (N, C, h, w) and levels (N,).
        noise: standard normal (N, C, h, w).
        steps: number of velocity evaluations.
        start: noise level to start at; below 1 a `guess` of the latent is needed and the start holds noise of exactly that level.
        guess: latent (N, C, h, w) to start around, for example the aligned feature.

    Returns:
        The sampled latent (N, C, h, w).
    """
    if start < 1 and guess is None:
        raise ValueError('a start below sigma 1 needs a guess of the latent')
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=TIMESTEPS, shift=1.0)
    scheduler.set_timesteps(sigmas=sampling_sigmas(steps, start)[:-1], device=noise.device)
    latent = noise
    if guess is not None:
        latent = add_noise(guess, noise, torch.full((len(noise),), start, device=noise.device))
    for index, timestep in enumerate(scheduler.timesteps):
        sigma = scheduler.sigmas[index].expand(len(noise))
        latent = scheduler.step(velocity(latent, sigma), timestep, latent, return_dict=False)[0]
    return latent
