"""Whether what a network gave is a picture at all."""

import numpy as np

from glowdeblur_plugin.errors import UserError

FARTHEST_MEAN = 0.2  # deblurring moves light about and hardly changes how much there is; our choice


def refuse_implausible(picture: np.ndarray, restored: np.ndarray) -> None:
    """Refuse a result that no deblurring gives, as of weights that are not trained.

    Args:
        picture, restored: float RGB (H, W, 3) in [0, 1].

    Raises:
        UserError: a mean level that differs by more than 0.2.
    """
    levels = float(picture.mean()), float(restored.mean())
    if abs(levels[1] - levels[0]) > FARTHEST_MEAN:
        raise UserError(f'the network gave no restored picture: its mean level is {levels[1]:.2f}, that of the photograph '
                        f'{levels[0]:.2f}; are these weights trained, and for this network?')
