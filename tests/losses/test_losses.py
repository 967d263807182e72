"""Losses against closed forms in float64."""

import math

import pytest
import torch

from glowdeblur_plugin.losses.blur_tensor_loss import BlurTensorLoss
from glowdeblur_plugin.losses.frequency_loss import FrequencyL1Loss
from glowdeblur_plugin.losses.psnr_loss import PSNRLoss


def test_psnr_loss_is_minus_the_mean_psnr_of_the_pictures() -> None:
    target = torch.zeros(2, 3, 8, 8, dtype=torch.float64)
    picture = torch.stack([target[0] + 0.1, target[1] + 0.01])
    assert PSNRLoss(0.5)(picture, target).item() == pytest.approx(0.5 * -(20 + 40) / 2, abs=1e-3)


@pytest.mark.parametrize('size', [(8, 8), (6, 10)])
def test_frequency_loss_of_a_wave_counts_its_two_coefficients(size: tuple[int, int]) -> None:
    """A constant c has one orthonormal coefficient c sqrt(HW), real; rfft2 keeps H x (W/2 + 1) coefficients of two parts each."""
    height, width = size
    difference = torch.full((1, 1, height, width), 0.25)
    expected = 0.25 * math.sqrt(height * width) / (height * (width // 2 + 1) * 2)
    assert FrequencyL1Loss(2.0)(difference, torch.zeros_like(difference)).item() == pytest.approx(2 * expected, rel=1e-5)


def test_frequency_loss_of_a_shift_is_not_blind_to_phase() -> None:
    picture = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert FrequencyL1Loss()(picture, picture.roll(1, dims=-1)) > 0.1


def test_blur_tensor_loss_averages_truth_over_cells_and_known_samples() -> None:
    truth = torch.zeros(3, 3, 4, 4)
    truth[0, :, :, :2], truth[1] = 4.0, 8.0
    estimate = torch.zeros(3, 3, 1, 1)
    loss = BlurTensorLoss(loss_weight=3.0, unit=2.0)
    known = torch.tensor([True, True, False])
    assert loss(estimate, truth, known).item() == pytest.approx(3 * (2.0 + 8.0) / 2 / 2)
    assert loss(estimate, truth, torch.zeros(3, dtype=torch.bool)).item() == 0


def test_samples_of_unknown_motion_give_no_gradient() -> None:
    estimate = torch.ones(2, 3, 1, 1, requires_grad=True)
    BlurTensorLoss()(estimate, torch.zeros(2, 3, 2, 2), torch.tensor([True, False])).backward()
    assert estimate.grad[0].abs().min() > 0 and estimate.grad[1].abs().max() == 0
