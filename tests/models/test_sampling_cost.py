"""Counted costs of sampling against closed forms, and weights against what the parts hold."""

from functools import cache

import pytest
import torch

from glowdeblur_plugin.archs.sana_backbone import VARIANTS
from glowdeblur_plugin.models.sampling_cost import Cost, UntrainedGLOWDeblur, count_sampling, sampling_uses


counted_sampling = cache(count_sampling)


def _step_macs(variant: str, channels: int, cells: int) -> int:
    """Multiply-accumulates of one step without cross-attention, layer by layer."""
    shape = VARIANTS[variant]
    head, width = shape['attention_head_dim'], shape['attention_head_dim'] * shape['num_attention_heads']
    hidden = int(shape.get('mlp_ratio', 2.5) * width)
    attention = 4 * width ** 2 + (2 * head + 1) * width
    feed_forward = 3 * hidden * width + 9 * 2 * hidden
    ends, time = width * (2 * channels + 3 + channels), (256 + width + 6 * width) * width
    return cells * (ends + shape['num_layers'] * (attention + feed_forward)) + time


@pytest.mark.parametrize(('variant', 'channels', 'compression'), [('nano', 24, 8), ('s1600m', 32, 32)])
def test_every_layer_of_a_step_is_counted_once_and_the_text_apart(variant: str, channels: int, compression: int) -> None:
    counted, shape, cells = counted_sampling(256, 256, variant=variant), VARIANTS[variant], (256 // compression) ** 2
    width, blocks, caption = shape['cross_attention_dim'], shape['num_layers'], shape['caption_channels']
    step, text = counted['step'], counted['text']
    assert step.macs == _step_macs(variant, channels, cells)
    assert text.macs == (caption + width) * width + blocks * 2 * width ** 2
    assert (text.outputs, step.inputs, step.outputs) == (blocks * width, (2 * channels + 3) * cells + blocks * width,
                                                         channels * cells)
    with torch.device('meta'):
        backbone = UntrainedGLOWDeblur(variant=variant).backbone
    unread = blocks * 2 * (width ** 2 + width)
    held = sum(parameter.numel() for parameter in backbone.parameters())
    assert text.weights - caption + step.weights == held - unread


def test_picture_parts_and_codec_grow_with_the_area_and_read_all_their_weights() -> None:
    small = counted_sampling(256, 256, variant='s1600m')
    large = count_sampling(512, 768, variant='s1600m', codec='not read')
    with torch.device('meta'):
        net = UntrainedGLOWDeblur(variant='s1600m')
    codec = net.codec.held.autoencoder
    held = {'prereconstruction': net.prereconstruction, 'encoder': codec.encoder, 'alignment': net.alignment,
            'motion': net.motion, 'decoder': codec.decoder}
    for name, part in held.items():
        assert large[name].macs / small[name].macs == pytest.approx(6, rel=1e-3), name
        assert small[name].weights == large[name].weights == sum(parameter.numel() for parameter in part.parameters()), name
    assert [round(small[name].macs / 1e9) for name in ('prereconstruction', 'encoder', 'decoder')] == [16, 162, 262]


def test_an_encoder_counts_where_the_alignment_uses_it() -> None:
    by_codec, by_convolution = (count_sampling(64, 64, align=align) for align in ('dcae', 'conv'))
    encoder = Cost(24 * 3 * 64 * 64, 24 * 3 * 64 + 2 * 24, 3 * 64 * 64, 24 * 64)
    assert by_codec['encoder'] == by_convolution['encoder'] == encoder
    assert by_convolution['alignment'].macs > by_codec['alignment'].macs == 9 * 24 * 48 * 4 * 64
    assert [sampling_uses(UntrainedGLOWDeblur(align=align), 4)['encoder'] for align in ('dcae', 'conv')] == [1, 0]
