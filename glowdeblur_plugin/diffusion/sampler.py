"""Sampling: from noise to a latent along the learnt flow."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from glowdeblur_plugin.diffusion.consistency import sample_consistency
from glowdeblur_plugin.diffusion.flow import add_noise, sampling_sigmas
from glowdeblur_plugin.diffusion.solvers import build_solver

Velocity = Callable[[Tensor, Tensor], Tensor]
SolverName = Literal['euler', 'dpm', 'scm']


def sample_flow(velocity: Velocity, noise: Tensor, steps: int, start: float = 1.0, guess: Tensor | None = None,
                solver: SolverName = 'euler', generators: Sequence[torch.Generator] = ()) -> Tensor:
    """Integrate dz/ds = v(z, s) from s = `start` to 0 on the levels of `sampling_sigmas`, or jump as consistency models do.

    Args:
        velocity: gives v (N, C, h, w) for a latent (N, C, h, w) and levels (N,).
        noise: standard normal (N, C, h, w).
        steps: number of velocity evaluations.
        start: noise level to start at; below 1 a `guess` of the latent is needed and the start holds noise of exactly that
            level.
        guess: latent (N, C, h, w) to start around, for example the aligned feature.
        solver: `euler` (order 1) or `dpm` (DPM-Solver++, order 2), see diffusion/solvers.py; `scm` is for backbones that were
            distilled for it (SANA-Sprint), see `sample_consistency`.
        generators: for `scm`, one a picture; they advance.

    Returns:
        The sampled latent (N, C, h, w).
    """
    if start < 1 and guess is None:
        raise ValueError('a start below sigma 1 needs a guess of the latent')
    if solver == 'scm':
        return sample_consistency(velocity, noise, steps, generators, start, guess)
    levels = sampling_sigmas(steps, start)[:-1]
    scheduler = build_solver(solver, levels, noise.device)
    latent = noise
    if guess is not None:
        latent = add_noise(guess, noise, torch.full((len(noise),), start, device=noise.device))
    for timestep, sigma in zip(scheduler.timesteps, torch.tensor(levels, device=noise.device)):
        latent = scheduler.step(velocity(latent, sigma.expand(len(noise))), timestep, latent, return_dict=False)[0]
    return latent
