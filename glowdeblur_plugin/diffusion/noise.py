"""Noise that belongs to a picture, not to its place in a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor


def picture_noise(generators: Sequence[torch.Generator], shape: Sequence[int]) -> Tensor:
    """Standard normal numbers (N, *shape), the part of each picture from its own generator, on the generators' device.

    So a picture gets the same noise in any batch, whatever is restored beside it or before it.
    """
    return torch.stack([torch.randn(*shape, generator=generator, device=generator.device) for generator in generators])


def twin(generator: torch.Generator) -> torch.Generator:
    """A generator that will give the same numbers; the given one is left as it is."""
    return torch.Generator(generator.device).set_state(generator.get_state())
