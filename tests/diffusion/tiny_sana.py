"""Tiny random models of the classes that diffusers' SANA pipelines are made of."""

from typing import Any

import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel

CHANNELS, CAPTION = 4, 8


def tiny_transformer(**config: Any) -> SanaTransformer2DModel:
    """A transformer for latents of `CHANNELS` channels and texts of `CAPTION`, in eval mode; `config` adds to its shape."""
    torch.manual_seed(0)
    return SanaTransformer2DModel(in_channels=CHANNELS, out_channels=CHANNELS, num_layers=2, num_attention_heads=2,
                                  attention_head_dim=8, num_cross_attention_heads=2, cross_attention_head_dim=8,
                                  cross_attention_dim=16, caption_channels=CAPTION, **config).eval()


def tiny_autoencoder() -> AutoencoderDC:
    """What a pipeline needs to be made at all; sampling latents does not call it."""
    return AutoencoderDC(latent_channels=CHANNELS, encoder_block_types='ResBlock', decoder_block_types='ResBlock',
                         encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), encoder_layers_per_block=(1, 1),
                         decoder_layers_per_block=(1, 1), encoder_qkv_multiscales=((), ()), decoder_qkv_multiscales=((), ()))


def tiny_texts() -> dict[str, torch.Tensor]:
    """States (2, 5, CAPTION) of two texts of 5 and 3 tokens, and their mask, by the names of the pipelines' arguments."""
    text = torch.randn(2, 5, CAPTION, generator=torch.Generator().manual_seed(2))
    return {'prompt_embeds': text, 'prompt_attention_mask': torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])}
