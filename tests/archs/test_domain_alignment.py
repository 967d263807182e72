"""The two ways to the aligned feature, and the networks that may stand in for the pre-reconstruction."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glowdeblur_plugin.archs.domain_alignment import CodecAlignment, ConvolutionalAlignment, build_alignment
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.errors import UserError

STAND_INS: dict[str, dict[str, Any]] = {
    'PreReconstruction': {'width': 8, 'encoder_blocks': [1], 'middle_blocks': 1, 'decoder_blocks': [1], 'patch': 2},
    'NAFNet': {'width': 4, 'enc_blk_nums': [1, 1], 'middle_blk_num': 1, 'dec_blk_nums': [1, 1]},
    'Restormer': {'dim': 8, 'num_blocks': [1, 1, 1, 1], 'heads': [1, 2, 4, 8], 'num_refinement_blocks': 1},
}
PARTS = [None, *({'type': name, **arguments} for name, arguments in STAND_INS.items())]
NAMES = ['own', *STAND_INS]


def _refuse(picture: Tensor) -> Tensor:
    raise AssertionError('nothing is to be encoded')


def _pictures(net: GLOWDeblur) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    lq, gt = (torch.rand(2, 3, net.size_multiple, 2 * net.size_multiple, generator=generator) for _ in range(2))
    return lq, gt


def test_a_cell_of_the_codecs_head_sees_the_picture_area_it_stands_for() -> None:
    head = CodecAlignment(width=2, fold=4, latent_channels=1)
    nn.init.ones_(head.residual.weight)
    features = torch.zeros(1, 2, 16, 16)
    features[..., 4:8, 8:12] = 1
    aligned = head(torch.zeros(1, 3, 32, 32), features, lambda picture: torch.zeros(1, 1, 4, 4))
    cell = torch.zeros(1, 1, 4, 4)
    cell[..., 1, 2] = 1
    assert torch.equal(aligned, 32 * F.conv2d(cell, torch.ones(1, 1, 3, 3), padding=1))


@pytest.mark.parametrize('patch, compression, stages', [(1, 32, 5), (4, 8, 1), (8, 8, 0)])
def test_convolutions_halve_as_often_as_the_codec(patch: int, compression: int, stages: int) -> None:
    head = build_alignment('conv', 3, patch, compression, latent_channels=6)
    features = torch.rand(1, 3, 64 // patch, 128 // patch)
    aligned = head(torch.rand(1, 3, 64, 128), features, _refuse)
    assert sum(module.stride == (2, 2) for module in head.modules() if isinstance(module, nn.Conv2d)) == stages
    assert torch.equal(aligned, torch.zeros(1, 6, 64 // compression, 128 // compression))


def test_a_cell_of_the_convolutions_depends_on_its_area_and_its_neighbours_only() -> None:
    torch.manual_seed(0)
    head = ConvolutionalAlignment(3, 8, 2)
    for module in head.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.2)
    features = torch.rand(1, 3, 64, 64, requires_grad=True)
    head(features, features, _refuse)[0, :, 3, 4].sum().backward()
    reached = features.grad.abs().sum(dim=(0, 1)) > 0
    assert reached[24:32, 32:40].all()
    rows, columns = reached.nonzero().T
    assert 8 <= rows.min() and rows.max() < 40 and 16 <= columns.min() and columns.max() < 48


@pytest.mark.parametrize('part', PARTS, ids=NAMES)
def test_a_new_alignment_gives_the_codecs_encoding_of_the_pre_reconstruction(part: dict[str, Any] | None) -> None:
    torch.manual_seed(0)
    net = GLOWDeblur(prereconstruction=part).eval()
    lq, _ = _pictures(net)
    with torch.no_grad():
        condition = net.condition(lq)
        assert torch.equal(condition.prereconstruction, net.prereconstruction(lq))
        assert torch.equal(condition.aligned, net.encode(condition.prereconstruction))


@pytest.mark.parametrize('part', PARTS, ids=NAMES)
@pytest.mark.parametrize('align', ['dcae', 'conv'])
def test_alignment_and_pixel_loss_train_every_variant(align: str, part: dict[str, Any] | None) -> None:
    """Six steps bring the aligned feature nearer; from heads that start at zero, the gradient has reached all weights."""
    torch.manual_seed(0)
    net = GLOWDeblur(align=align, prereconstruction=part)
    lq, gt = (picture[:1, :, :, :net.size_multiple] for picture in _pictures(net))
    optimizer, losses = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0), []
    for _ in range(6):
        output = net(lq, gt)
        losses.append((output['aligned'] - output['latent']).square().mean())
        optimizer.zero_grad()
        (losses[-1] + (output['prereconstruction'] - gt).abs().mean()).backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    parts = nn.ModuleList([net.prereconstruction, net.alignment])
    assert not [name for name, parameter in parts.named_parameters() if not parameter.grad.abs().max() > 0]


def test_the_flow_loss_reaches_the_convolutions_once_the_backbone_listens() -> None:
    torch.manual_seed(0)
    net = GLOWDeblur(align='conv')
    for module in (net.backbone.patch_embed.proj, net.backbone.proj_out, net.alignment.head):
        nn.init.normal_(module.weight, std=0.1)
    lq, gt = _pictures(net)
    noise = torch.randn(2, net.latent_channels, lq.shape[-2] // 8, lq.shape[-1] // 8)
    net(lq, gt, noise, torch.tensor([0.3, 0.7]))['flow_error'].square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in net.alignment.head.parameters())


def test_with_convolutions_a_condition_needs_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    net = GLOWDeblur(align='conv').eval()
    monkeypatch.setattr(net, 'encode', _refuse)
    lq, _ = _pictures(net)
    with torch.no_grad():
        assert net.condition(lq).aligned.shape == (2, net.latent_channels, lq.shape[-2] // 8, lq.shape[-1] // 8)


@pytest.mark.parametrize('part, message', [
    ({'type': 'MotionEstimator'}, "prereconstruction:type: 'MotionEstimator' is not one of PreReconstruction, NAFNet"),
    ({'width': 8}, 'prereconstruction:type: None is not one of'),
    ({'type': 'NAFNet', **STAND_INS['NAFNet'], 'dec_blk_nums': [1]}, 'prereconstruction:dec_blk_nums: 1 levels'),
    ({'type': 'PreReconstruction', 'encoder_blocks': [1], 'decoder_blocks': []}, 'prereconstruction: encoder_blocks and'),
    ({'type': 'PreReconstruction', 'patch': 3}, "prereconstruction:patch: 3 does not divide the codec's compression, 8"),
    ({'type': 'NAFNet', 'size': 3}, 'prereconstruction: .*size'),
])
def test_a_part_that_does_not_fit_is_named(part: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f'network_g:{message}'):
        GLOWDeblur(prereconstruction=part)
