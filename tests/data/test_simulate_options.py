"""What a `SimulatedBlurDataset` section says about the simulator."""

from typing import Any

import pytest
import torch

from glowdeblur_plugin.data.simulate.domains import DOMAINS
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset
from glowdeblur_plugin.errors import UserError


def simulated(photographs, **changes: Any) -> SimulatedBlurDataset:
    return SimulatedBlurDataset({'name': 'sharp', 'phase': 'train', 'dataroot_gt': str(photographs / 'train.lmdb'),
                                 'domain': 'pretraining', 'gt_size': 32, 'seed': 7, **changes})


@pytest.mark.parametrize('change, message', [
    ({'domain': 'gopro', 'noise': [0, 1]}, r'datasets:train:noise: \[0.0, 1.0\] with response none would come after'),
    ({'render': 'device'}, 'datasets:train:render: a rolling shutter, which domain pretraining has in 0.15 of its draws'),
    ({'render': 'device', 'domain': 'bsd', 'rolling_shutter': 0.2}, 'set rolling_shutter: 0, or render: worker'),
    ({'render': 'gpu'}, "datasets:train:render: 'gpu' is not one of worker, device"),
    ({'jpeg': 1.5}, 'datasets:train:jpeg: 1.5 is out of range, must be from 0 to 1'),
    ({'direction': [160, 20]}, r'datasets:train:direction: \[160.0, 20.0\] must be \[smallest, largest\]'),
    ({'trajectory': 1}, 'datasets:train:trajectory: 1 is out of range, must be from 2 to 64'),
    ({'domain': 'gopro', 'bayer': 0.1}, 'datasets:train:bayer: 0.1 with response none would come after the camera response'),
])
def test_what_the_simulator_cannot_do_is_refused(photographs, change, message):
    with pytest.raises(UserError, match=message) as error:
        simulated(photographs, **change)
    assert '\n' not in str(error.value)


def test_options_take_the_place_of_the_domains_own(photographs):
    own = {'kinds': {'zoom': 1.0}, 'blur_length': [2, 3], 'noise': [0, 1], 'bayer': 0.5, 'rolling_shutter': 0.25, 'jpeg': 1.0,
           'direction': [-20, 20]}
    domain = simulated(photographs, **own).domain
    found = {key: value for key, value in vars(domain).items() if key in own}
    assert {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()} == own
    assert domain.response == DOMAINS['pretraining'].response


def test_the_trajectory_is_flipped_with_its_crop(photographs):
    """Of even motion along a line: its end lies half the blur tensor's length from the centre, along its direction."""
    settings = {'trajectory': 3, 'kinds': {'linear': 1}, 'blur_length': [6, 12], 'rolling_shutter': 0}
    dataset = simulated(photographs, **settings)
    for draw in range(12):
        sample = dataset[draw]
        trajectory, (along, across, minor) = sample['trajectory'], sample['motion']
        assert sample['trajectory_known'] and trajectory.shape == (6, 32, 32) and trajectory[2:4].abs().max() < 1e-9 and minor.max() < 0.05
        x, y = trajectory[4:]
        torch.testing.assert_close(trajectory[:2], -trajectory[4:], atol=1e-4, rtol=0)
        torch.testing.assert_close(torch.hypot(along, across), 2 * torch.hypot(x, y), atol=1e-3, rtol=0)
        torch.testing.assert_close(along, 4 * (x * x - y * y) / torch.hypot(along, across), atol=2e-3, rtol=0)
        torch.testing.assert_close(across, 4 * 2 * x * y / torch.hypot(along, across), atol=2e-3, rtol=0)
