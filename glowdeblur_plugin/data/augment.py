"""More pictures out of few: random magnification and colours of a sharp picture, before it is blurred."""

import cv2
import numpy as np

from glowdeblur_plugin.data.window import Window

GAIN_SPREAD = 0.15
BRIGHTNESS_SPREAD = 0.35


def magnified_window(size: tuple[int, int], side: int, zoom: tuple[float, float], rng: np.random.Generator) -> Window:
    """A random square window that becomes `side` pixels when magnified by a factor drawn evenly in its logarithm from `zoom`.

    A factor that would need more than the picture of `size` (height, width) has is raised until the window fits.
    """
    factor = np.exp(rng.uniform(*np.log(zoom)))
    length = min(round(side / factor), *size)
    return Window(int(rng.integers(size[0] - length + 1)), int(rng.integers(size[1] - length + 1)), length, length)


def magnify(picture: np.ndarray, side: int) -> np.ndarray:
    """A square uint8 picture brought to side x side pixels: area means downwards, cubic upwards."""
    if len(picture) == side:
        return picture
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA if len(picture) > side else cv2.INTER_CUBIC)


def change_colours(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A uint8 RGB picture with its channels in random order, each times a gain of its own and a common one (our choice)."""
    gains = np.exp(rng.uniform(-BRIGHTNESS_SPREAD, BRIGHTNESS_SPREAD)) * (1 + rng.uniform(-GAIN_SPREAD, GAIN_SPREAD, 3))
    table = np.clip(np.arange(256)[:, None] * gains + 0.5, 0, 255).astype(np.uint8)
    channels = [cv2.LUT(picture[..., source], table[:, target]) for target, source in enumerate(rng.permutation(3))]
    return np.stack(channels, axis=-1)
