"""Any picture size for networks that want multiples."""

from torch import Tensor
from torch.nn import functional as F


def pad_to_multiple(picture: Tensor, multiple: int) -> Tensor:
    """A picture (N, C, H, W) extended at the right and the bottom to multiples of `multiple`: mirrored, and repeated where too
    small for it."""
    bottom, right = -picture.shape[-2] % multiple, -picture.shape[-1] % multiple
    mode = 'reflect' if bottom < picture.shape[-2] and right < picture.shape[-1] else 'replicate'
    return F.pad(picture, (0, right, 0, bottom), mode=mode) if bottom or right else picture
