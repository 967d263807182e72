"""Tiny random models of the classes that diffusers' SANA pipelines are made of."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel

CHANNELS, CAPTION = 4, 8
SHAPE = dict(num_layers=2, num_attention_heads=2, attention_head_dim=8, num_cross_attention_heads=2, cross_attention_head_dim=8,
             cross_attention_dim=16, caption_channels=CAPTION)
SPRINT = dict(qk_norm='rms_norm_across_heads', guidance_embeds=True, sample_size=32)


def tiny_transformer(folder: Path | None = None, seed: int = 0, **config: Any) -> SanaTransformer2DModel:
    """A transformer for latents of `CHANNELS` channels and texts of `CAPTION`, in eval mode, saved in `folder` if there is one;
    `config` adds to its shape."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        transformer = SanaTransformer2DModel(**{'in_channels': CHANNELS, 'out_channels': CHANNELS, **SHAPE, **config}).eval()
    if folder is not None:
        transformer.save_pretrained(folder)
    return transformer


def tiny_autoencoder(folder: Path | None = None, seed: int = 0, stages: int = 2) -> AutoencoderDC:
    """An autoencoder of compression 2^(stages - 1) with scaling factor 0.4, in eval mode, saved in `folder` if there is one."""
    widths, ones, no_scales = (4,) * stages, (1,) * stages, ((),) * stages
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        autoencoder = AutoencoderDC(latent_channels=CHANNELS, encoder_block_types='ResBlock', decoder_block_types='ResBlock',
                                    encoder_block_out_channels=widths, decoder_block_out_channels=widths,
                                    encoder_layers_per_block=ones, decoder_layers_per_block=ones,
                                    encoder_qkv_multiscales=no_scales, decoder_qkv_multiscales=no_scales, attention_head_dim=4,
                                    downsample_block_type='Conv', upsample_block_type='interpolate', scaling_factor=0.4).eval()
    if folder is not None:
        autoencoder.save_pretrained(folder)
    return autoencoder


def tiny_texts() -> dict[str, torch.Tensor]:
    """States (2, 5, CAPTION) of two texts of 5 and 3 tokens, and their mask, by the names of the pipelines' arguments."""
    text = torch.randn(2, 5, CAPTION, generator=torch.Generator().manual_seed(2))
    return {'prompt_embeds': text, 'prompt_attention_mask': torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])}
