"""How far an estimated blur tensor is from the true one."""

from torch import Tensor
from torch.nn import functional as F


def calculate_motion_error(estimate: Tensor, truth: Tensor) -> float:
    """Mean Euclidean length, in pixels, of the difference between blur tensors (N, 3, h, w) and (N, 3, H, W), the truth averaged
    over the cells."""
    difference = estimate - F.adaptive_avg_pool2d(truth, estimate.shape[-2:])
    return float(difference.square().sum(dim=1).sqrt().mean())
