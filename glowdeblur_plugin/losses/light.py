"""The camera response in torch, differentiable: pictures to linear light and back."""

from typing import Literal

from torch import Tensor

Response = Literal['srgb', 'gamma22', 'none']
SRGB_KNEE = 0.04045
GAMMA_KNEE = 1 / 255


def to_light(picture: Tensor, response: Response) -> Tensor:
    """Undo the camera response: values in [0, 1] to linear light in [0, 1], any shape (IEC 61966-2-1 for `srgb`, power 2.2 for
    `gamma22`, as they are for `none`)."""
    if response == 'srgb':
        return (picture / 12.92).where(picture <= SRGB_KNEE, ((picture.clamp(min=SRGB_KNEE) + 0.055) / 1.055) ** 2.4)
    if response == 'gamma22':
        return (picture * GAMMA_KNEE ** 1.2).where(picture <= GAMMA_KNEE, picture.clamp(min=GAMMA_KNEE) ** 2.2)
    return picture


def from_light(light: Tensor, response: Response) -> Tensor:
    """The inverse of `to_light`. The power of `gamma22`, whose slope has no bound at black, is a line up to level 1 of 255."""
    if response == 'srgb':
        knee = SRGB_KNEE / 12.92
        return (light * 12.92).where(light <= knee, 1.055 * light.clamp(min=knee) ** (1 / 2.4) - 0.055)
    if response == 'gamma22':
        knee = GAMMA_KNEE ** 2.2
        return (light / GAMMA_KNEE ** 1.2).where(light <= knee, light.clamp(min=knee) ** (1 / 2.2))
    return light
