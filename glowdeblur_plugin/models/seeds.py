"""Random numbers of training steps and of validation pictures, never taken from the global stream."""

import numpy as np
import torch

_STEP, _PICTURE = 0, 1


def step_generator(seed: int, iteration: int, rank: int) -> torch.Generator:
    """CPU generator of all random numbers that rank `rank` uses in iteration `iteration` of a run with `manual_seed` `seed`."""
    return _generator(_STEP, seed, iteration, rank)


def picture_generator(seed: int, index: int) -> torch.Generator:
    """CPU generator of the random numbers with which validation restores picture `index`, whatever rank does it."""
    return _generator(_PICTURE, seed, index)


def _generator(*words: int) -> torch.Generator:
    state = np.random.SeedSequence(words).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state))
