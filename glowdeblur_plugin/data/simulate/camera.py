"""The camera's response: 8-bit pictures to linear light and back."""

from functools import lru_cache
from typing import Literal, get_args

import numpy as np

Response = Literal['srgb', 'gamma22', 'none']
RESPONSES: tuple[Response, ...] = get_args(Response)

LUMINANCE = (0.2126, 0.7152, 0.0722)
HIGHLIGHT_LEVEL = 0.95
INVERSE_LEVELS = 65536


def to_linear(values: np.ndarray, response: Response) -> np.ndarray:
    """Undo the camera response: [0, 1] to linear light in [0, 1] (IEC 61966-2-1 for `srgb`, power 2.2 for `gamma22`)."""
    if response == 'srgb':
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return values ** 2.2 if response == 'gamma22' else values


def from_linear(linear: np.ndarray, response: Response) -> np.ndarray:
    """Apply the camera response: linear light in [0, 1] to [0, 1]; the inverse of `to_linear`."""
    if response == 'srgb':
        return np.where(linear <= 0.04045 / 12.92, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return linear ** (1 / 2.2) if response == 'gamma22' else linear


@lru_cache
def linear_table(response: Response) -> np.ndarray:
    """Linear light of the 256 levels, float32 (256,) in [0, 1]."""
    return to_linear(np.linspace(0, 1, 256), response).astype(np.float32)


def highlight_start(response: Response) -> float:
    """Luminance in linear light from which on highlights are raised: that of a grey at 95 %."""
    return float(to_linear(np.float64(HIGHLIGHT_LEVEL), response))


def highlight_gain(luminance: np.ndarray, response: Response, highlights: float) -> np.ndarray:
    """Factor on the light of a pixel by its luminance: 1 up to `highlight_start` and from there smoothly up to `highlights`.

    A sharp 8-bit picture has lost how bright its lights were, and blur shows it. All channels take the same factor, so a light
    keeps its colour. Our choice.
    """
    start = highlight_start(response)
    return 1 + (highlights - 1) * (np.clip(luminance - start, 0, None) / (1 - start)) ** 2


def expose(linear: np.ndarray, response: Response) -> np.ndarray:
    """Clip linear light to [0, 1], apply the response and round to uint8; same shape.

    Looks the level up by the square root of the light in 65536 steps, which is at most 1/100 level off.
    """
    roots = np.sqrt(np.clip(linear, 0, 1))
    roots *= INVERSE_LEVELS - 1
    roots += 0.5
    return np.take(_levels(response), roots.astype(np.uint16))


@lru_cache
def _levels(response: Response) -> np.ndarray:
    linear = np.linspace(0, 1, INVERSE_LEVELS) ** 2
    return np.round(255 * from_linear(linear, response)).astype(np.uint8)
