"""Blur from the frames of a high-speed camera."""

from collections.abc import Sequence

import numpy as np

from glowdeblur_plugin.data.simulate.camera import Response, expose, linear_table
from glowdeblur_plugin.errors import UserError


def average_frames(frames: Sequence[np.ndarray], response: Response) -> tuple[np.ndarray, np.ndarray]:
    """The picture of an exposure as long as all the frames, and the frame at its centre.

    The frames are averaged in linear light, the recipe of the GoPro set (Nah et al., CVPR 2017): 255 mean((I / 255)^2.2)^(1 /
    2.2) for its gamma version (`gamma22`), a plain mean for the other (`none`).

    Args:
        frames: consecutive frames, uint8 RGB (H, W, 3) of one size; an odd number, so that one lies at the centre.
        response: through which the frames were taken, and the new picture is.

    Returns:
        lq and gt, uint8 RGB (H, W, 3).

    Raises:
        UserError: an even number of frames, or frames of different sizes.
    """
    if len(frames) % 2 == 0:
        raise UserError(f'averaging needs an odd number of frames, so that one lies at the centre; found {len(frames)}')
    sizes = sorted({frame.shape for frame in frames})
    if len(sizes) > 1:
        raise UserError(f'frames of one burst differ in size: {sizes[0]} and {sizes[1]}')
    table = linear_table(response)
    total = np.zeros(sizes[0], np.float32)
    for frame in frames:
        total += table[frame]
    return expose(total / np.float32(len(frames)), response), frames[len(frames) // 2]
