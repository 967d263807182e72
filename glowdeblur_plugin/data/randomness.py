"""One random generator a draw."""

import zlib

import numpy as np


def draw_generator(seed: int, draw: int, purpose: str) -> np.random.Generator:
    """The random generator of one draw; `purpose` keeps the streams of different users apart."""
    return np.random.default_rng((zlib.crc32(purpose.encode()), seed, int(draw)))
