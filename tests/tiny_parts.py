"""Tiny SANA transformers and deep-compression autoencoders, made and saved with diffusers."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel

CHANNELS, CAPTION = 4, 12
SHAPE = dict(num_attention_heads=2, attention_head_dim=8, num_layers=2, num_cross_attention_heads=2, cross_attention_head_dim=8,
             cross_attention_dim=16, caption_channels=CAPTION)
SPRINT = dict(qk_norm='rms_norm_across_heads', guidance_embeds=True, guidance_embeds_scale=0.3)


def tiny_backbone(folder: Path, seed: int = 0, **config: Any) -> SanaTransformer2DModel:
    """A random transformer for latents of `CHANNELS` channels, in eval mode, saved in `folder`; `config` adds to `SHAPE`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone = SanaTransformer2DModel(**{'in_channels': CHANNELS, 'out_channels': CHANNELS, **SHAPE, **config})
    backbone.save_pretrained(folder)
    return backbone.eval()


def tiny_autoencoder(folder: Path, seed: int = 0, stages: int = 6) -> AutoencoderDC:
    """A random autoencoder of compression 2^(stages - 1), with scaling factor 0.4, in eval mode, saved in `folder`."""
    widths = (4,) * stages
    layers = dict(encoder_layers_per_block=(1,) * stages, decoder_layers_per_block=(1,) * stages,
                  encoder_qkv_multiscales=((),) * stages, decoder_qkv_multiscales=((),) * stages)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        autoencoder = AutoencoderDC(latent_channels=CHANNELS, encoder_block_out_channels=widths,
                                    decoder_block_out_channels=widths, encoder_block_types='ResBlock',
                                    decoder_block_types='ResBlock', attention_head_dim=4, downsample_block_type='Conv',
                                    upsample_block_type='interpolate', scaling_factor=0.4, **layers)
    autoencoder.save_pretrained(folder)
    return autoencoder.eval()
