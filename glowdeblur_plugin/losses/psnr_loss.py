"""The loss that NAFNet is trained with."""

from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn


@LOSS_REGISTRY.register()
class PSNRLoss(nn.Module):
    """Negative PSNR in dB, averaged over the pictures (NAFNet, Chen et al. 2022): every picture counts by its relative error,
    however hard it is.

    Args:
        loss_weight: factor on the result.
        floor: mean square error below which nothing more is gained.
    """

    def __init__(self, loss_weight: float = 1.0, floor: float = 1e-8) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.floor = floor

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Loss of pictures (N, C, H, W) in [0, 1] against their targets."""
        error = (pred - target).float().square().mean(dim=(1, 2, 3))
        return self.loss_weight * 10 * (error + self.floor).log10().mean()
