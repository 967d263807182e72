"""Counted costs against closed forms, and weights against what the parts hold."""

import pytest

from glowdeblur_plugin.archs.sana_backbone import VARIANTS
from glowdeblur_plugin.models.complexity import Cost, count_parts, outline

TEXT = 300


def _backbone_macs(variant: str, channels: int, side: int, text: int) -> int:
    """Multiply-accumulates of one step of a SANA transformer on side x side cells, layer by layer."""
    shape = VARIANTS[variant]
    head, blocks, cells = shape['attention_head_dim'], shape['num_layers'], side * side
    width, hidden = head * shape['num_attention_heads'], int(shape.get('mlp_ratio', 2.5) * head * shape['num_attention_heads'])
    time = (256 + width + 6 * width) * width
    caption = text * (shape['caption_channels'] + width) * width
    self_attention = cells * (4 * width ** 2 + (2 * head + 1) * width)
    cross_attention = 2 * (cells + text) * width ** 2 + 2 * cells * text * width
    feed_forward = cells * (2 * hidden * width + 9 * 2 * hidden + hidden * width)
    ends = cells * width * (2 * channels + 3 + channels)
    return ends + time + caption + blocks * (self_attention + cross_attention + feed_forward)


@pytest.mark.parametrize(('variant', 'channels', 'compression', 'giga'), [('nano', 24, 8, 1.228), ('s1600m', 32, 32, 152.054)])
def test_every_layer_of_the_backbone_is_counted_once(variant: str, channels: int, compression: int, giga: float) -> None:
    net, shape = outline(variant=variant), VARIANTS[variant]
    width, blocks = shape['num_attention_heads'] * shape['attention_head_dim'], shape['num_layers']
    assert {tensor.device.type for tensor in (*net.parameters(), *net.codec.held.parameters())} == {'meta'}
    counted = count_parts(net, 256, 256, TEXT)
    backbone, text, step = (counted[name] for name in ('backbone', 'text', 'step'))
    assert backbone.macs == _backbone_macs(variant, channels, 256 // compression, TEXT)
    assert backbone.macs / 1e9 == pytest.approx(giga, abs=1e-3)
    assert backbone.weights == sum(parameter.numel() for parameter in net.backbone.parameters())
    assert text.macs + step.macs == backbone.macs and text.weights + step.weights == backbone.weights
    assert text.outputs == step.inputs - backbone.inputs + text.inputs == 2 * TEXT * width * blocks
    cells = (256 // compression) ** 2
    assert (backbone.inputs, backbone.outputs) == ((2 * channels + 3) * cells + TEXT * net.null_text.shape[-1], channels * cells)


def test_picture_parts_and_codec_grow_with_the_area_and_read_all_their_weights() -> None:
    net = outline(variant='s1600m', codec='not read')
    small, large = count_parts(net, 256, 256), count_parts(net, 512, 768)
    codec = net.codec.held.autoencoder
    held = {'prereconstruction': net.prereconstruction, 'encoder': codec.encoder, 'alignment': net.alignment,
            'motion': net.motion, 'decoder': codec.decoder}
    for name, part in held.items():
        assert large[name].macs / small[name].macs == pytest.approx(6, rel=1e-3), name
        assert small[name].weights == large[name].weights == sum(parameter.numel() for parameter in part.parameters()), name
    assert small['encoder'].weights + small['decoder'].weights == 312_250_275
    assert [round(small[name].macs / 1e9) for name in ('prereconstruction', 'encoder', 'decoder')] == [16, 162, 262]


def test_a_text_of_one_state_costs_a_step_no_cross_attention() -> None:
    counted = count_parts(outline(variant='nano'), 64, 64)
    width, blocks, cells = 128, 4, 64
    queries_and_scores = blocks * cells * 2 * width
    assert counted['backbone'].macs - counted['step'].macs - counted['text'].macs == (
        blocks * (2 * cells * width ** 2 - width ** 2) + queries_and_scores + blocks * width ** 2)


def test_a_part_without_an_encoder_has_none() -> None:
    """The convolutional alignment reads features alone; of the codec's own there is the same encoder in both."""
    by_codec, by_convolution = (count_parts(outline(variant='nano', align=align), 64, 64) for align in ('dcae', 'conv'))
    assert by_codec['encoder'] == by_convolution['encoder'] == Cost(24 * 3 * 64 * 64, 24 * 3 * 64 + 2 * 24, 3 * 64 * 64, 24 * 64)
    assert by_convolution['alignment'].macs > by_codec['alignment'].macs == 9 * 24 * 48 * 4 * 64
    assert by_codec['prereconstruction'] == by_convolution['prereconstruction']
