"""How far an estimated blur tensor is from the true one."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def calculate_motion_error(estimate: Tensor, truth: Tensor) -> float:
    """Mean Euclidean length, in pixels, of the difference between blur tensors (N, 3, h, w) and (N, 3, H, W), the truth averaged
    over the cells."""
    difference = estimate - F.adaptive_avg_pool2d(truth, estimate.shape[-2:])
    return float(difference.square().sum(dim=1).sqrt().mean())


def calculate_angle_error(estimate: Tensor, truth: Tensor) -> float:
    """Mean angle in degrees, 0 to 90, between estimated and true directions of blur, weighted by the true D = L - L_minor.

    Takes blur tensors (N, 3, h, w) and (N, 3, H, W), the truth averaged over the cells. An estimate without direction counts as
    45 degrees, what a random one has in the mean. NaN where nothing has a direction.
    """
    truth = F.adaptive_avg_pool2d(truth, estimate.shape[-2:])
    (cosine, sine), (true_cosine, true_sine) = (tensor[:, :2].double().unbind(dim=1) for tensor in (estimate, truth))
    doubled = torch.atan2(cosine * true_sine - sine * true_cosine, cosine * true_cosine + sine * true_sine).abs()
    angle = doubled.where((cosine != 0) | (sine != 0), torch.full_like(doubled, math.pi / 2)) / 2
    weight = torch.hypot(true_cosine, true_sine)
    return math.degrees(float((angle * weight).sum() / weight.sum()))
