"""The error of blur tensors."""

import math

import pytest
import torch

from glowdeblur_plugin.metrics.motion_metric import calculate_angle_error, calculate_motion_error


def test_error_is_the_mean_length_of_the_difference_per_cell() -> None:
    truth = torch.zeros(1, 3, 4, 8)
    truth[:, 0, :, :4], truth[:, 1, :, :4] = 3.0, 4.0
    assert calculate_motion_error(torch.zeros(1, 3, 1, 2), truth) == pytest.approx((5 + 0) / 2)
    estimate = torch.tensor([3.0, 4.0, 2.0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    assert calculate_motion_error(estimate, truth) == pytest.approx((2 + (9 + 16 + 4) ** 0.5) / 2)


@pytest.mark.parametrize('off', [0, 10, 45, 80, 90, 100, 175])
def test_angle_error_is_that_of_lines(off: float) -> None:
    """Lines at 20 and 20 + off degrees enclose min(off, 180 - off)."""
    first, second = (torch.tensor([math.cos(2 * math.radians(angle)), math.sin(2 * math.radians(angle)), 0.5])
                     for angle in (20, 20 + off))
    error = calculate_angle_error(3 * first.view(1, 3, 1, 1), 7 * second.view(1, 3, 1, 1))
    assert error == pytest.approx(min(off, 180 - off), abs=1e-4)


def test_angle_error_is_weighted_by_the_true_directed_length() -> None:
    """Of cells with D 6, 2 and 0: one right, one across, one that does not count; without direction is 45 degrees."""
    truth = torch.zeros(1, 3, 1, 3)
    truth[0, 0] = torch.tensor([6.0, 2.0, 0.0])
    estimate = torch.zeros(1, 3, 1, 3)
    estimate[0, 0] = torch.tensor([1.0, -1.0, 1.0])
    assert calculate_angle_error(estimate, truth) == pytest.approx(90 * 2 / 8)
    assert calculate_angle_error(torch.zeros(1, 3, 1, 3), truth) == pytest.approx(45)
    assert math.isnan(calculate_angle_error(estimate, torch.zeros(1, 3, 1, 3)))
