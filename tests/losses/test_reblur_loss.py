"""Re-blurring a sharp picture along a blur tensor, and what a loss of it teaches."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from skimage import data
from torch import Tensor

from glowdeblur_plugin.data.simulate import camera
from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.pipeline import simulate
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.losses.light import from_light, to_light
from glowdeblur_plugin.losses.reblur_loss import ReblurLoss, reblur


def _photograph(side: int = 64) -> Tensor:
    crop = data.astronaut()[20:20 + side, 190:190 + side]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].double() / 255


def _tensor(degrees: float, length: float, minor: float = 0.0, size: tuple[int, int] = (1, 1)) -> Tensor:
    doubled, directed = 2 * math.radians(degrees), length - minor
    values = torch.tensor([directed * math.cos(doubled), directed * math.sin(doubled), minor], dtype=torch.float64)
    return values.view(1, 3, 1, 1).expand(1, 3, *size).clone()


def _line_blur(picture: Tensor, degrees: float, length: float, points: int, response: camera.Response) -> Tensor:
    """The reference: pictures interpolated at `points` places along a line, averaged in light."""
    light = camera.to_linear(picture[0].numpy(), response)
    y, x = np.mgrid[:picture.shape[-2], :picture.shape[-1]].astype(np.float64)
    total = np.zeros_like(light)
    for index in range(points):
        place = length * ((index + 0.5) / points - 0.5)
        where = [y + place * math.sin(math.radians(degrees)), x + place * math.cos(math.radians(degrees))]
        total += np.stack([map_coordinates(plane, where, order=1) for plane in light]) / points
    return torch.from_numpy(camera.from_linear(total, response))[None]


@pytest.mark.parametrize('response', camera.RESPONSES)
def test_light_is_the_simulators(response: camera.Response) -> None:
    levels = torch.linspace(0, 1, 256, dtype=torch.float64)
    light = to_light(levels, response)
    assert torch.allclose(light, torch.from_numpy(camera.to_linear(levels.numpy(), response)), atol=1e-12)
    assert torch.allclose(from_light(light, response), levels, atol=1e-9)


@pytest.mark.parametrize('response', camera.RESPONSES)
@pytest.mark.parametrize('degrees, length', [(0, 9), (90, 5), (45, 9 * 2 ** 0.5), (-63, 11.3), (170, 7)])
def test_a_straight_uniform_tensor_is_a_line_blur(degrees: float, length: float, response: camera.Response) -> None:
    picture = _photograph()
    blurred = reblur(picture, _tensor(degrees, length, size=(4, 4)), response, points=9)
    expected = _line_blur(picture, degrees, length, 9, response)
    assert (blurred - expected)[..., 8:-8, 8:-8].abs().max() < 1e-5
    assert (picture - expected)[..., 8:-8, 8:-8].abs().max() > 0.1


def test_without_motion_the_picture_stays() -> None:
    picture = _photograph()
    assert (reblur(picture, torch.zeros(1, 3, 8, 8), 'srgb') - picture).abs().max() < 3e-3


@pytest.mark.parametrize('degrees', [0, 20, 45, 110])
def test_a_point_becomes_a_spot_with_the_tensors_moments_about_itself(degrees: float) -> None:
    """Interpolation adds at most a quarter of a square pixel along each axis."""
    length, minor, side = 24.0, 10.0, 61
    point = torch.zeros(1, 3, side, side, dtype=torch.float64)
    point[..., side // 2, side // 2] = 1
    spot = reblur(point, _tensor(degrees, length, minor), 'none', points=25)[0, 0]
    away = torch.arange(side, dtype=torch.float64) - side // 2
    turn = math.radians(degrees)
    along = away * math.cos(turn) + away[:, None] * math.sin(turn)
    across = away[:, None] * math.cos(turn) - away * math.sin(turn)
    assert spot.sum().item() == pytest.approx(1, abs=1e-6)
    assert abs((spot * along).sum()) < 1e-6 and abs((spot * across).sum()) < 1e-6
    assert (spot * along ** 2).sum().item() == pytest.approx(length ** 2 / 12, abs=0.35)
    assert (spot * across ** 2).sum().item() == pytest.approx(minor ** 2 / 12, abs=0.35)
    assert (spot * along * across).sum().item() == pytest.approx(0, abs=0.15)


def test_at_zero_the_gradient_is_finite_and_leads_downhill() -> None:
    picture = _photograph()
    blurry = _line_blur(picture, 20, 9, 9, 'srgb')
    loss, tensor = ReblurLoss({'lines': 'srgb'}), torch.zeros(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    start = loss(tensor, picture, blurry, ['lines'])
    start.backward()
    assert tensor.grad.isfinite().all() and tensor.grad[:, :2].abs().sum() > 1e-3 and tensor.grad[:, 2].abs().sum() > 1e-3
    step = -0.1 * tensor.grad / tensor.grad.abs().max()
    assert loss(step, picture, blurry, ['lines']) < start


def test_a_negative_minor_length_counts_as_zero_and_may_grow_again() -> None:
    picture = _photograph()
    loss, tensor = ReblurLoss({'wide': 'none'}, smooth=0.0), _tensor(0, 6).requires_grad_()
    negative = (tensor.detach() - torch.tensor([0.0, 0.0, 2.0]).view(1, 3, 1, 1)).requires_grad_()
    blurry = reblur(picture, _tensor(0, 9, 3), 'none')
    for estimate in (tensor, negative):
        loss(estimate, picture, blurry, ['wide']).backward()
    assert tensor.grad[0, 2].item() < -1e-4
    assert torch.equal(tensor.grad, negative.grad)


@pytest.mark.parametrize('degrees, length', [(30, 9), (-70, 14), (45, 6)])
def test_descent_from_zero_finds_direction_and_length_of_a_line(degrees: float, length: float) -> None:
    picture = _photograph().float()
    blurry = _line_blur(picture.double(), degrees, length, 31, 'srgb').float()
    loss, tensor = ReblurLoss({'lines': 'srgb'}), torch.zeros(1, 3, 1, 1, requires_grad=True)
    optimizer = torch.optim.Adam([tensor], lr=0.5)
    for _ in range(120):
        optimizer.zero_grad()
        loss(tensor, picture, blurry, ['lines']).backward()
        optimizer.step()
    cosine, sine, minor = tensor.detach().flatten().tolist()
    off = (math.degrees(math.atan2(sine, cosine)) / 2 - degrees + 90) % 180 - 90
    assert abs(off) < 2
    assert math.hypot(cosine, sine) + max(minor, 0) == pytest.approx(length, rel=0.05)
    assert minor < 1


def test_the_simulators_truth_explains_its_picture_better_than_zero_and_mean() -> None:
    domain = Domain({'rotation': 1, 'zoom': 1, 'object': 1}, blur_length=(6, 14), noise=(0, 0))
    rng = np.random.default_rng(3)
    for _ in range(6):
        sample = simulate(data.astronaut(), Window(60, 60, 128, 128), domain, rng)
        lq, gt = (torch.from_numpy(side).permute(2, 0, 1)[None].float() / 255 for side in (sample.lq, sample.gt))
        truth = torch.from_numpy(sample.motion)[None]
        mean = truth.mean(dim=(2, 3), keepdim=True)
        errors = [(reblur(gt, tensor, 'srgb') - lq)[..., 12:-12, 12:-12].square().mean()
                  for tensor in (truth, mean, torch.zeros_like(mean))]
        assert errors[0] < 0.2 * min(errors[1:])


def test_samples_of_other_parts_count_neither_in_the_loss_nor_in_its_gradient() -> None:
    picture = _photograph(48)
    blurry = _line_blur(picture, 0, 7, 7, 'none')
    three, twice = picture.repeat(3, 1, 1, 1), blurry.repeat(3, 1, 1, 1)
    tensor = torch.full((3, 3, 6, 6), 1.0, dtype=torch.float64, requires_grad=True)
    loss = ReblurLoss({'plain': 'none', 'light': 'srgb'}, loss_weight=3.0)
    value = loss(tensor, three, twice, ['plain', 'off_centre', 'light'])
    value.backward()
    alone = [loss(tensor[row:row + 1], picture, blurry, [name]).item() for row, name in ((0, 'plain'), (2, 'light'))]
    assert value.item() == pytest.approx(sum(alone) / 2) and alone[0] != pytest.approx(alone[1], rel=1e-3)
    assert tensor.grad[1].abs().max() == 0 and tensor.grad[0].abs().max() > 0
    tensor.grad = None
    nothing = loss(tensor, three, twice, ['off_centre'] * 3)
    nothing.backward()
    assert nothing.item() == 0 and tensor.grad.abs().max() == 0


def test_rough_and_negative_estimates_have_their_price() -> None:
    picture = _photograph(48)
    tensor = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    tensor[:, 2, :, 1], tensor[:, 2, :, 0] = -2.0, -5.0
    cheap, dear = (ReblurLoss({'a': 'none'}, smooth=smooth)(tensor, picture, picture, ['a']).item() for smooth in (0.0, 0.1))
    assert dear - cheap == pytest.approx(0.1 * (3.0 / 3 + 3.5))


def test_a_rim_that_leaves_nothing_is_refused() -> None:
    picture, tensor = _photograph(32), torch.zeros(1, 3, 4, 4, dtype=torch.float64)
    assert torch.isfinite(ReblurLoss({'lines': 'srgb'}, rim=15)(tensor, picture, picture, ['lines']))
    with pytest.raises(UserError, match='^train:reblur_opt:rim: 16 pixels on each side leave nothing to compare of 32x32'):
        ReblurLoss({'lines': 'srgb'})(tensor, picture, picture, ['lines'])
