"""Complexity counted on shapes: against closed forms, published counts, and what real runs hold."""

from functools import cache

import pytest
import torch
from diffusers import AutoencoderDC
from torch import nn

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.nafnet_arch import NAFNet
from glowdeblur_plugin.diffusion.autoencoder_codec import SANA_AUTOENCODER
from glowdeblur_plugin.models.complexity import count_parts, picture_macs, training_memory
from glowdeblur_plugin.models.dry_run import LiveBytes, dry_network, weight_bytes
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurTrainOptions
from glowdeblur_plugin.models.options import OptimizerOptions

OPTIMIZER = OptimizerOptions(lr=1e-3)


def test_live_bytes_of_a_chain() -> None:
    """Each step of a chain lives beside the last only; what is kept counts on."""
    with LiveBytes() as live:
        value = torch.zeros(1000)
        for _ in range(5):
            value = value + 1
        assert (live.now, live.peak) == (4000, 8000)
        kept = [value * 2 for _ in range(3)]
        view = kept[0][:10]
        assert (live.now, live.peak) == (16000, 16000)
        del kept, view
    assert live.now == 4000


def test_what_was_there_before_is_not_counted() -> None:
    before = torch.zeros(1000)
    with LiveBytes() as live:
        before += 1
        view = before[:10].t()
        assert (live.now, live.peak) == (0, 0)
        view = view + 1
    assert live.now == 40


def test_a_convolution_has_its_closed_form() -> None:
    network, mode = dry_network(lambda: nn.Conv2d(3, 8, 5, padding=2))
    part, = count_parts(network, mode, 16, 24)
    assert part[:4] == ('network', 8 * 3 * 25 + 8, 8 * 3 * 25 + 8, 16 * 24 * 8 * 3 * 25)
    assert part.live_bytes == 4 * 8 * 16 * 24


def test_published_counts() -> None:
    """NAFNet-w32 (Chen et al. 2022): 17.1 M parameters, 16 GMAC at 256x256; SANA's autoencoder: 312.3 M parameters."""
    network, mode = dry_network(lambda: NAFNet(width=32, enc_blk_nums=[1, 1, 1, 28], middle_blk_num=1, dec_blk_nums=[1] * 4))
    part, = count_parts(network, mode, 256, 256)
    assert part.parameters == pytest.approx(17.11e6, rel=1e-3) and part.macs == pytest.approx(16e9, rel=5e-3)
    with torch.device('meta'):
        assert sum(value.numel() for value in AutoencoderDC(**SANA_AUTOENCODER).parameters()) == 312_250_275


def test_parts_are_those_of_the_network() -> None:
    network, mode = dry_network(GLOWDeblur)
    parts, twice = (count_parts(network, mode, side, 64) for side in (64, 128))
    real = GLOWDeblur()
    assert sum(part.parameters for part in parts) == sum(value.numel() for value in real.parameters()) - real.null_text.numel()
    assert all(part.trained == part.parameters for part in parts)
    assert {part.name: other.macs / part.macs for part, other in zip(parts, twice)} == {
        part.name: 1 if part.name == 'text' else pytest.approx(2, rel=0.15 if part.name == 'step' else 0.005) for part in parts}
    assert picture_macs(network, parts, 4) == sum((4 if part.name == 'step' else 1) * part.macs for part in parts)
    assert weight_bytes(network) == sum(value.numel() * value.element_size()
                                        for module in (real, real.codec.held)
                                        for value in (*module.parameters(), *module.buffers()))


@pytest.mark.parametrize(('precision', 'recompute'), [('fp32', False), ('bf16', False), ('fp32', True)])
def test_training_memory_is_what_a_real_step_holds(precision: str, recompute: bool) -> None:
    network, mode = dry_network(GLOWDeblur)
    options = GLOWDeblurTrainOptions(total_iter=1, optim_g=OPTIMIZER, precision=precision, ema_decay=0.9, flow_draws=2,
                                     gradient_checkpointing=recompute)
    counted = training_memory(network, mode, options, 2, 48)
    real = GLOWDeblur().train()
    if recompute:
        real.enable_gradient_checkpointing()
    optimizer = torch.optim.AdamW(real.parameters(), 1e-3)
    for value in real.parameters():
        value.grad = torch.zeros_like(value)
    picture = torch.rand(2, 3, 48, 48)
    with LiveBytes() as live:
        with torch.autocast('cpu', torch.bfloat16, enabled=precision == 'bf16'):
            outputs = real(picture, picture, torch.randn(4, 24, 6, 6), torch.rand(4), torch.ones(2))
        sum(value.float().square().mean() for value in outputs.values()).backward()
    assert counted['activations'] == pytest.approx(live.peak, rel=0.05)
    optimizer.step()
    moments = sum(value.nbytes for state in optimizer.state.values() for value in state.values() if value.ndim)
    assert counted['optimizer (two moments of AdamW)'] == moments
    assert counted['moving average'] == counted['gradients'] == sum(value.nbytes for value in real.parameters())
    assert counted['weights'] == weight_bytes(real)


def test_bf16_recomputing_and_fewer_crops_need_less() -> None:
    @cache
    def activations(crops: int, precision: str, recompute: bool = False) -> int:
        options = GLOWDeblurTrainOptions(total_iter=1, optim_g=OPTIMIZER, precision=precision, gradient_checkpointing=recompute)
        network, mode = dry_network(GLOWDeblur)
        return training_memory(network, mode, options, crops, 64)['activations']

    assert activations(4, 'bf16') < 0.8 * activations(4, 'fp32')
    assert activations(4, 'fp32', recompute=True) < 0.5 * activations(4, 'fp32')
    assert activations(8, 'fp32') == pytest.approx(2 * activations(4, 'fp32'), rel=0.05)
