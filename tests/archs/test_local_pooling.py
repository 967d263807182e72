"""The test-time local converter: window means against a slow float64 reference, and NAFNet with and without it."""

import pytest
import torch
from basicsr.archs import build_network
from torch import Tensor, nn

from glowdeblur_plugin.archs.local_pooling import LocalAveragePool
from glowdeblur_plugin.errors import UserError

NAFNET = {'type': 'NAFNet', 'width': 4, 'enc_blk_nums': [1, 2], 'middle_blk_num': 1, 'dec_blk_nums': [1, 1]}


def reference(features: Tensor, window: int) -> Tensor:
    """Means (N, C, H, W) in float64, position by position."""
    height, width = features.shape[-2:]
    means = torch.empty(features.shape, dtype=torch.float64)
    tall, wide = min(window, height), min(window, width)
    for row in range(height):
        top = min(max(row - (tall - 1) // 2, 0), height - tall)
        for column in range(width):
            left = min(max(column - (wide - 1) // 2, 0), width - wide)
            means[..., row, column] = features[..., top:top + tall, left:left + wide].double().mean(dim=(-2, -1))
    return means


class ReferencePool(nn.Module):
    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    def forward(self, features: Tensor) -> Tensor:
        return reference(features, self.window)


def nafnet(**arguments: object) -> nn.Module:
    """A network in eval mode with random weights, always the same."""
    torch.manual_seed(0)
    network = build_network({**NAFNET, **arguments})
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network.eval()


@pytest.mark.parametrize('size, window', [((13, 20), 6), ((13, 20), 7), ((5, 20), 8), ((20, 5), 8), ((9, 9), 8)])
def test_windows_have_the_means_of_the_reference(size: tuple[int, int], window: int) -> None:
    features = torch.rand(2, 3, *size, dtype=torch.float64)
    assert torch.allclose(LocalAveragePool(window).eval()(features), reference(features, window), rtol=1e-13)


def test_maps_up_to_the_window_and_training_have_one_mean() -> None:
    features, pool = torch.rand(1, 2, 8, 11), LocalAveragePool(11)
    whole = nn.AdaptiveAvgPool2d(1)(features)
    assert torch.equal(pool.eval()(features), whole)
    assert torch.equal(LocalAveragePool(4).train()(features), whole)


def test_large_bf16_maps_lose_no_more_than_the_rounding_of_their_means() -> None:
    """Of full HD: a running sum in bf16 would stop growing within a row, and one in float16 overflow."""
    features = 100 + torch.linspace(0, 30, 1920).expand(1, 1, 1080, 1920) + torch.linspace(0, 30, 1080)[:, None]
    features = features.to(torch.bfloat16)
    means, pool = LocalAveragePool(384).eval()(features), LocalAveragePool(384).eval()
    assert means.dtype == torch.bfloat16
    exact = pool(features.double())
    assert ((means.double() - exact).abs() / exact).max() <= 2**-8
    assert ((pool(features.float()) - exact).abs() / exact).max() < 1e-6


def test_weights_and_results_up_to_the_window_stay_those_of_the_plain_network() -> None:
    plain, local = nafnet(), nafnet(tlc=True, train_size=16)
    assert list(local.state_dict()) == list(plain.state_dict())
    for side in (16, 24):
        picture = torch.rand(1, 3, side, side)
        assert torch.equal(local(picture), plain(picture))
    larger = torch.rand(1, 3, 32, 44)
    assert not torch.allclose(local(larger), plain(larger), atol=1e-3)
    assert torch.equal(local.train()(larger), plain.train()(larger))


def test_larger_pictures_use_windows_of_one_and_a_half_training_maps_at_every_level() -> None:
    local, expected = nafnet(tlc=True, train_size=16).double(), nafnet().double()
    pools = {name: module for name, module in expected.named_modules() if isinstance(module, nn.AdaptiveAvgPool2d)}
    sides = {}
    hooks = [pool.register_forward_hook(lambda _, inputs, __, name=name: sides.update({name: inputs[0].shape[-1]}))
             for name, pool in pools.items()]
    expected(torch.rand(1, 3, 16, 16, dtype=torch.float64))
    for hook in hooks:
        hook.remove()
    assert sorted(set(sides.values())) == [4, 8, 16]
    for name, side in sides.items():
        expected.get_submodule(name.removesuffix('.0'))[0] = ReferencePool(int(1.5 * side))
    picture = torch.rand(1, 3, 30, 44, dtype=torch.float64)
    assert torch.allclose(local(picture), expected(picture), rtol=1e-9, atol=1e-12)


def test_a_training_size_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match='network_g:train_size: 18 is not a multiple of 4, which tlc needs'):
        nafnet(tlc=True, train_size=18)


def test_it_pre_reconstructs_in_glowdeblur() -> None:
    """Two networks of the same weights, with and without it, agree on a large picture in training and not in eval mode."""
    picture, trained, restored = torch.rand(1, 3, 64, 64), [], []
    for tlc in (False, True):
        torch.manual_seed(0)
        network = build_network({'type': 'GLOWDeblur', 'prereconstruction': {**NAFNET, 'tlc': tlc, 'train_size': 16}})
        for parameter in network.prereconstruction.parameters():
            nn.init.normal_(parameter, std=0.3)
        with torch.inference_mode():
            trained.append(network.train().condition(picture).prereconstruction)
            restored.append(network.eval().condition(picture).prereconstruction)
    assert torch.equal(*trained)
    assert not torch.allclose(*restored, atol=1e-3)
