"""Difference of spectra, which keeps a pixel loss from settling for blur."""

import torch
from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn


@LOSS_REGISTRY.register()
class FrequencyL1Loss(nn.Module):
    """Mean absolute difference of the real and imaginary parts of the orthonormal 2-D Fourier transforms (MIMO-UNet, Cho et al.
    2021; the orthonormal scaling, which makes the weight independent of the crop's size, is our choice).

    Args:
        loss_weight: factor on the result.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Loss of pictures (N, C, H, W) against their targets; computed in float32 whatever autocast says."""
        with torch.autocast(pred.device.type, enabled=False):
            difference = torch.fft.rfft2((pred - target).float(), norm='ortho')
            return self.loss_weight * torch.view_as_real(difference).abs().mean()
