"""The convolutional parts: against the peer's block, and what they start as."""

import pytest
import torch
from spandrel.architectures.NAFNet import NAFNet as SpandrelNAFNet

from glowdeblur_plugin.archs.blocks import NAFBlock
from glowdeblur_plugin.archs.motion_estimator_arch import MotionEstimator, structure_tensors
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.archs.pre_reconstruction_arch import PreReconstruction

OURS_TO_NAFNET = {
    'norm_spatial': 'norm1',
    'expand': 'conv1',
    'depthwise': 'conv2',
    'attention': 'sca.1',
    'project': 'conv3',
    'norm_channel': 'norm2',
    'feed_in': 'conv4',
    'feed_out': 'conv5',
    'scale_spatial': 'beta',
    'scale_channel': 'gamma'
}


def test_block_equals_that_of_nafnet() -> None:
    peer = SpandrelNAFNet(width=6, middle_blk_num=1, enc_blk_nums=[], dec_blk_nums=[]).middle_blks[0].double()
    ours, generator = NAFBlock(6).double(), torch.Generator().manual_seed(0)
    weights = {}
    for name, parameter in ours.named_parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
        part, _, kind = name.partition('.')
        weights['.'.join(filter(None, (OURS_TO_NAFNET[part], kind)))] = parameter.detach()
    peer.load_state_dict(weights)
    features = torch.randn(2, 6, 5, 7, dtype=torch.float64, generator=generator)
    assert torch.allclose(ours(features), peer(features), atol=1e-9)
    assert (ours(features) - features).abs().max() > 0.1


@pytest.mark.parametrize('patch', [1, 2])
def test_a_new_pre_reconstruction_gives_back_its_input_and_every_weight_learns(patch: int) -> None:
    torch.manual_seed(0)
    net = PreReconstruction(width=8, encoder_blocks=[1, 1], middle_blocks=1, decoder_blocks=[1, 1], patch=patch)
    picture = torch.rand(1, 3, 2 * net.size_multiple, 3 * net.size_multiple)
    assert torch.equal(net(picture), picture)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    net(picture).square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in net.parameters())


def test_motion_starts_at_zero_on_the_cell_grid_in_pixels() -> None:
    net = MotionEstimator(width=8, blocks=1, cell=16)
    assert torch.equal(net(torch.rand(1, 3, 64, 32)), torch.zeros(1, 3, 4, 2))
    torch.nn.init.constant_(net.head.bias, 0.5)
    assert torch.allclose(net(torch.rand(1, 3, 64, 32)), torch.full((1, 3, 4, 2), 8.0))


@pytest.mark.parametrize('size', [(33, 40), (5, 64), (32, 32)])
def test_padding_keeps_the_picture_and_reaches_the_multiple(size: tuple[int, int]) -> None:
    picture = torch.rand(1, 3, *size)
    padded = pad_to_multiple(picture, 32)
    assert torch.equal(padded[..., :size[0], :size[1]], picture)
    assert all(length % 32 == 0 and length - old < 32 for length, old in zip(padded.shape[-2:], size))


@pytest.mark.parametrize('degrees', [0, 30, 90, 135])
def test_structure_tensor_of_a_wave_has_its_doubled_angle(degrees: int) -> None:
    angle = torch.deg2rad(torch.tensor(float(degrees)))
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing='ij')
    wave = 0.5 + 0.4 * torch.sin(0.15 * (x * torch.cos(angle) + y * torch.sin(angle)))
    features = structure_tensors(wave.expand(1, 3, 64, 64))[0, :, 8, 8]
    for scale in range(3):
        assert features[3 * scale].item() == pytest.approx(torch.cos(2 * angle).item(), abs=0.06)
        assert features[3 * scale + 1].item() == pytest.approx(torch.sin(2 * angle).item(), abs=0.06)


def test_structure_tensor_of_a_flat_picture_says_no_direction() -> None:
    features = structure_tensors(torch.full((1, 3, 32, 32), 0.3)).view(1, 3, 3, 8, 8)
    assert features[:, :, :2].abs().max() == 0
    assert torch.allclose(features[:, :, 2], torch.full_like(features[:, :, 2], -5))
