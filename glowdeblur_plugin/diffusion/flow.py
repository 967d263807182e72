"""Flow matching: times, noising, and what the backbone is asked to predict.

Notation: z0 latent of the sharp picture, e standard normal noise, s in [0, 1] the noise level (sigma), z = (1 - s) z0 + s e the
noised latent, v = e - z0 the velocity (dz/ds).
"""

from typing import Literal

import torch
from torch import Tensor, nn

SHIFT = 3.0
TIMESTEPS = 1000
TargetName = Literal['plain', 'around']


def shift_time(time: Tensor | float) -> Tensor | float:
    """Noise level s = 3t / (1 + 2t) of a time t in [0, 1] (SANA's shift of 3)."""
    return SHIFT * time / (1 + (SHIFT - 1) * time)


def unshift_time(sigma: float) -> float:
    """Time t = s / (3 - 2s) of a noise level s in [0, 1]; the inverse of `shift_time`."""
    return sigma / (SHIFT - (SHIFT - 1) * sigma)


def training_sigmas(count: int, generator: torch.Generator) -> Tensor:
    """`count` noise levels (count,) in (0, 1): logit-normal times, shifted (SANA, Esser et al. 2024)."""
    normal = torch.randn(count, generator=generator, device=generator.device)
    return shift_time(torch.sigmoid(normal))


def sampling_sigmas(steps: int, start: float = 1.0) -> list[float]:
    """The noise levels of a sampler, `steps` + 1 of them, from `start` down to 0: evenly spaced times, shifted (our choice).

    Two steps from pure noise: 1, 0.75, 0; four: 1, 0.9, 0.75, 0.5, 0.
    """
    if steps < 1 or not 0 < start <= 1:
        raise ValueError(f'sampling needs at least 1 step and a start in (0, 1], found {steps} steps from {start}')
    first = unshift_time(start)
    return [shift_time(first * (1 - index / steps)) for index in range(steps + 1)]


def add_noise(latent: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """z = (1 - s) z0 + s e for latents and noise (N, C, h, w) and levels (N,)."""
    level = sigma.view(-1, 1, 1, 1)
    return (1 - level) * latent + level * noise


class PlainTarget(nn.Module):
    """The backbone predicts v itself from z (SANA; the start for pretrained weights)."""

    def network_input(self, noised: Tensor, sigma: Tensor, aligned: Tensor) -> Tensor:
        """What the backbone sees: z, unchanged."""
        return noised

    def velocity(self, output: Tensor, noised: Tensor, sigma: Tensor, aligned: Tensor) -> Tensor:
        """v-hat: the backbone's output."""
        return output

    def observe(self, latent: Tensor, aligned: Tensor) -> None:
        """Nothing is learnt from the aligned feature here."""


class AroundTarget(nn.Module):
    """The backbone predicts what the aligned feature does not explain (our choice, after the preconditioning of EDM, Karras et
    al. 2022).

    z0 is taken as Gaussian around the aligned feature a with deviation r per channel, r the running mean of (z0 - a)^2. Given z,
    the posterior mean of v is v_lin and its deviation is c = r / sqrt((1-s)^2 r^2 + s^2); the output f adds v = v_lin + c f. With
    f = 0, one step from s = 1 gives exactly a: the model starts as the pre-reconstruction seen through the codec.
    """

    def __init__(self, latent_channels: int) -> None:
        super().__init__()
        self.register_buffer('residual_variance', torch.ones(1, latent_channels, 1, 1))
        self.register_buffer('observations', torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def observe(self, latent: Tensor, aligned: Tensor) -> None:
        """Update r^2 from latents and aligned features (N, C, h, w): the plain mean at first, then a running one over about 100
        batches."""
        self.observations += 1
        weight = torch.clamp(1.0 / self.observations, min=0.01)
        current = (latent - aligned).float().square().mean(dim=(0, 2, 3), keepdim=True)
        self.residual_variance += weight * (current - self.residual_variance)

    def _level_and_variance(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        level = sigma.view(-1, 1, 1, 1)
        return level, (1 - level).square() * self.residual_variance + level.square()

    def network_input(self, noised: Tensor, sigma: Tensor, aligned: Tensor) -> Tensor:
        """z less its mean given a, at unit variance: (z - (1-s) a) / sqrt((1-s)^2 r^2 + s^2)."""
        level, variance = self._level_and_variance(sigma)
        return (noised - (1 - level) * aligned) / variance.sqrt()

    def velocity(self, output: Tensor, noised: Tensor, sigma: Tensor, aligned: Tensor) -> Tensor:
        """v-hat = v_lin + c f, with v_lin written so that it stays exact as s goes to 0."""
        level, variance = self._level_and_variance(sigma)
        residual = noised - (1 - level) * aligned
        linear = residual * (level - (1 - level) * self.residual_variance) / variance - aligned
        return linear + self.deviation(sigma) * output

    def deviation(self, sigma: Tensor) -> Tensor:
        """c, the deviation (N, C, 1, 1) of v given z and a."""
        return (self.residual_variance / self._level_and_variance(sigma)[1]).sqrt()


def build_target(name: TargetName, latent_channels: int) -> PlainTarget | AroundTarget:
    """The flow target of that name for latents of so many channels."""
    return PlainTarget() if name == 'plain' else AroundTarget(latent_channels)
