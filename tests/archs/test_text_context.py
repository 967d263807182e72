"""Texts read once: the same velocity as with the text itself, nothing kept from one text to the next, no work done twice."""

from collections import Counter

import pytest
import torch
from diffusers import SanaTransformer2DModel
from tiny_parts import CHANNELS, SPRINT, tiny_texts, tiny_transformer
from torch import Tensor

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.text_context import TextContext, read_texts_once, text_context
from glowdeblur_plugin.models.glowdeblur_evaluation import restore
from glowdeblur_plugin.models.seeds import picture_generator

TEXTS = tiny_texts()
TEXT, MASK = TEXTS['prompt_embeds'], TEXTS['prompt_attention_mask']
KINDS = {'plain': {}, 'sprint': SPRINT}


@pytest.fixture(scope='module', params=KINDS)
def backbone(request: pytest.FixtureRequest) -> SanaTransformer2DModel:
    """A tiny backbone, SANA's or SANA-Sprint's with its norms of queries and keys, all weights random."""
    backbone = tiny_transformer(**KINDS[request.param])
    generator = torch.Generator().manual_seed(4)
    for name, parameter in backbone.named_parameters():
        if 'norm' in name:
            torch.nn.init.normal_(parameter, 1.0, 0.3, generator=generator)
    read_texts_once(backbone)
    return backbone


def _step(backbone: SanaTransformer2DModel, text: Tensor, mask: Tensor | TextContext | None) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    more = {'guidance': torch.full((2,), 0.45)} if backbone.config.guidance_embeds else {}
    with torch.no_grad():
        return backbone(torch.randn(2, CHANNELS, 3, 5, generator=generator), encoder_hidden_states=text,
                        encoder_attention_mask=mask, timestep=torch.tensor([0.9, 0.4]), return_dict=False, **more)[0]


def _from_context(backbone: SanaTransformer2DModel, context: TextContext) -> Tensor:
    return _step(backbone, context.empty.expand(2, -1, -1), context)


@pytest.mark.parametrize(('text', 'mask'), [(TEXT, MASK), (TEXT, None), (TEXT[:, :1], None), (TEXT[:, :1], MASK[:, :1])])
def test_a_context_gives_what_its_text_gives(backbone: SanaTransformer2DModel, text: Tensor, mask: Tensor | None) -> None:
    context = text_context(backbone, text, mask)
    plain, other = _step(backbone, text, mask), _step(backbone, -text, mask)
    assert torch.allclose(_from_context(backbone, context), plain, atol=2e-6)
    assert (plain - other).abs().max() > 1e-3
    # What was read in between leaves no trace.
    assert torch.allclose(_from_context(backbone, text_context(backbone, -text, mask)), other, atol=2e-6)
    assert torch.allclose(_from_context(backbone, context), plain, atol=2e-6)


@pytest.mark.parametrize('mask', [MASK, None])
def test_a_context_follows_autocast(backbone: SanaTransformer2DModel, mask: Tensor | None) -> None:
    exact = _step(backbone, TEXT, mask)
    with torch.autocast('cpu', torch.bfloat16), torch.no_grad():
        plain, read = _step(backbone, TEXT, mask), _from_context(backbone, text_context(backbone, TEXT, mask))
    error = (plain - exact).abs().mean()
    assert 0 < error < 0.03 and (read - plain).abs().mean() <= error


def test_gradients_reach_the_text_through_a_context() -> None:
    torch.manual_seed(0)
    net = GLOWDeblur('nano').eval()
    torch.nn.init.normal_(net.backbone.proj_out.weight, std=0.1)
    with torch.no_grad():
        condition = net.condition(torch.rand(2, 3, 32, 32))
    noised, sigma = torch.randn(2, net.latent_channels, 4, 4), torch.tensor([0.9, 0.5])
    gradients = []
    for as_context in (False, True):
        text = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
        net.velocity(noised, sigma, condition, net.text_context(text) if as_context else text).square().sum().backward()
        gradients.append(text.grad)
    assert gradients[0].abs().max() > 1e-4 and torch.allclose(*gradients, rtol=1e-3, atol=1e-7)


@torch.no_grad()
@pytest.mark.parametrize('settings', [{}, {'text': torch.ones(1, 5, 32)}, {'text': torch.ones(1, 5, 32), 'guidance': 2.0}])
def test_a_sampler_reads_the_text_once(settings: dict[str, Tensor | float]) -> None:
    net, calls = GLOWDeblur('nano').eval(), Counter()

    def count(module: torch.nn.Module, arguments: tuple[Tensor, ...]) -> None:
        calls[module] += arguments[0].numel() > 0

    blocks = net.backbone.transformer_blocks
    for module in (net.backbone.caption_projection, net.backbone.patch_embed, *(
            part for block in blocks for part in (block.attn2.to_q, block.attn2.to_k, block.attn2.to_v))):
        module.register_forward_pre_hook(count)
    restore(net, net.condition(torch.rand(1, 3, 32, 32)), [picture_generator(0, 0)], steps=3, **settings)
    assert calls[net.backbone.patch_embed] == 3 and calls[net.backbone.caption_projection] == 1
    keys, queries = (1, 3) if settings else (0, 0)
    for attention in (block.attn2 for block in blocks):
        assert (calls[attention.to_k], calls[attention.to_v], calls[attention.to_q]) == (keys, 1, queries)
