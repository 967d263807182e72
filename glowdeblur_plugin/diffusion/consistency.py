"""Sampling of consistency models in one to four steps: each step predicts the latent, the next adds fresh noise to it."""

import math
from collections.abc import Callable, Sequence

import torch
from diffusers import SCMScheduler
from torch import Tensor

from glowdeblur_plugin.diffusion.flow import TIMESTEPS, add_noise
from glowdeblur_plugin.diffusion.noise import picture_noise

# SANA-Sprint's: the angle of pure noise, a hair above a right one, and that of the second of two steps.
FIRST_ANGLE, SECOND_ANGLE = 1.5708, 1.3


def sample_consistency(velocity: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int,
                       generators: Sequence[torch.Generator], start: float = 1.0, guess: Tensor | None = None) -> Tensor:
    """Sample as SANA-Sprint does (Chen et al. 2025; sCM, Lu and Song 2025) at the angles of diffusers' `SCMScheduler`.

    It works on x = cos(a) z0 + sin(a) e, with the angle a of tan(a) = s / (1 - s); the flow's latent at level s is
    z = q x with q = sqrt(s^2 + (1 - s)^2), and its velocity gives dx/da = ((1 - 2 s) z + q^2 v) / q. Latents have unit scale
    here; SANA's `sigma_data` cancels out. The scheduler's own step would draw each noise where the generators are, on the
    host, and wait for it; here all of it is drawn and moved before the first step.

    Args:
        velocity, noise, start, guess: as for `sample_flow`.
        steps: predictions of the latent, at evenly spaced angles; two from pure noise at SANA-Sprint's.
        generators: N of them, one a picture, which give the fresh noise of each step; they advance.

    Returns:
        The latent (N, C, h, w) of the last prediction.
    """
    scheduler = SCMScheduler(num_train_timesteps=TIMESTEPS, prediction_type='trigflow', sigma_data=1.0)
    first = FIRST_ANGLE if start == 1 else math.atan2(start, 1 - start)
    scheduler.set_timesteps(steps, device=noise.device, max_timesteps=first,
                            intermediate_timesteps=SECOND_ANGLE if start == 1 and steps == 2 else None)
    drawn = [picture_noise(generators, noise.shape[1:]) for _ in range(steps - 1)]
    # The last angle is 0, where a state is the latent alone.
    fresh = torch.stack([*drawn, torch.zeros(noise.shape)]).to(noise.device)
    state = noise
    if guess is not None:
        level = torch.full((len(noise),), start, device=noise.device)
        state = add_noise(guess, noise, level) / math.hypot(start, 1 - start)
    for angle, following, added in zip(scheduler.timesteps[:-1], scheduler.timesteps[1:], fresh):
        sigma = angle.sin() / (angle.cos() + angle.sin())
        scale = torch.hypot(sigma, 1 - sigma)
        noised = state * scale
        slope = ((1 - 2 * sigma) * noised + scale.square() * velocity(noised, sigma.expand(len(noise)))) / scale
        latent = angle.cos() * state - angle.sin() * slope
        state = following.cos() * latent + following.sin() * added
    return state
