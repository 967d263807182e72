"""The error of blur tensors."""

import pytest
import torch

from glowdeblur_plugin.metrics.motion_metric import calculate_motion_error


def test_error_is_the_mean_length_of_the_difference_per_cell() -> None:
    truth = torch.zeros(1, 3, 4, 8)
    truth[:, 0, :, :4], truth[:, 1, :, :4] = 3.0, 4.0
    assert calculate_motion_error(torch.zeros(1, 3, 1, 2), truth) == pytest.approx((5 + 0) / 2)
    estimate = torch.tensor([3.0, 4.0, 2.0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    assert calculate_motion_error(estimate, truth) == pytest.approx((2 + (9 + 16 + 4) ** 0.5) / 2)
