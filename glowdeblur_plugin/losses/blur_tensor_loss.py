"""Supervision of the motion estimator."""

from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F


@LOSS_REGISTRY.register()
class BlurTensorLoss(nn.Module):
    """Absolute error of estimated blur tensors against the simulator's truth (our choice).

    The truth (N, 3, H, W) in pixels is averaged over the cells of the estimate (N, 3, h, w), which the blur tensor allows.
    Samples whose motion is not known do not count; with none known the loss is zero.

    Args:
        loss_weight: factor on the result.
        unit: pixels that count as an error of 1.
    """

    def __init__(self, loss_weight: float = 1.0, unit: float = 8.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.unit = unit

    def forward(self, estimate: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """Loss; `known` is a bool tensor (N,)."""
        error = (estimate - F.adaptive_avg_pool2d(truth, estimate.shape[-2:])).abs().mean(dim=(1, 2, 3)) / self.unit
        known = known.to(error.dtype)
        return self.loss_weight * (error * known).sum() / known.sum().clamp(min=1)
