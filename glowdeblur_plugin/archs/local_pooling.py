"""Means over windows as large as in training, where a network was trained on crops and is used on whole pictures."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW_RATIO = 1.5


class LocalAveragePool(nn.AdaptiveAvgPool2d):
    """Test-time local converter (TLC; Chu et al., arXiv 2112.04491): what a global average pool is replaced by.

    In training the mean over the whole map, (N, C, 1, 1). In eval mode, where a side is longer than `window`, the mean (N, C,
    H, W) over the window around each position; positions near the border, around which none fits, have the value of the nearest
    one where it does (as in NAFNet's `NAFNetLocal`). An even window reaches one position less towards the top and the left. Sums
    run in float32 at least, one axis after the other, so that none is over more than one axis; means have the input's type.

    Args:
        window: side of the window.
    """

    def __init__(self, window: int) -> None:
        super().__init__(1)
        self.window = window

    def forward(self, features: Tensor) -> Tensor:
        """The mean of features (N, C, H, W) of each channel, see the class."""
        if self.training or max(features.shape[-2:]) <= self.window:
            return super().forward(features)
        means = features.to(torch.promote_types(features.dtype, torch.float32))
        for axis in (-2, -1):
            means = _running_means(means, axis, min(self.window, features.shape[axis]))
        missing = [whole - part for whole, part in zip(features.shape[-2:], means.shape[-2:])]
        top, left = (length // 2 for length in missing)
        means = F.pad(means, (left, missing[1] - left, top, missing[0] - top), mode='replicate')
        return means.to(features.dtype)


def window_side(train_size: int, level: int) -> int:
    """Side of the window on the maps of `level`, each half as large as those before: 1.5 times what training has there."""
    return int(train_size * WINDOW_RATIO) >> level


def _running_means(values: Tensor, axis: int, window: int) -> Tensor:
    """Means over `window` neighbours along `axis`, which comes out shorter by window - 1."""
    count = values.shape[axis] - window + 1
    before = (0, 0, 1, 0) if axis == -2 else (1, 0)
    sums = F.pad(values, before).cumsum(axis)
    return (sums.narrow(axis, window, count) - sums.narrow(axis, 0, count)) / window
