"""The linear-attention backbone: diffusers' SANA transformer with its input widened for the conditions."""

from typing import Any

import torch
from diffusers import SanaTransformer2DModel
from torch import Tensor, nn

from glowdeblur_plugin.diffusion.flow import TIMESTEPS
from glowdeblur_plugin.diffusion.pretrained import load_part
from glowdeblur_plugin.errors import UserError

# The 600M and 1600M shapes are SANA's; nano is our choice.
VARIANTS: dict[str, dict[str, Any]] = {
    'nano': dict(num_layers=4, num_attention_heads=4, attention_head_dim=32, num_cross_attention_heads=4,
                 cross_attention_head_dim=32, cross_attention_dim=128, caption_channels=32, mlp_ratio=2.0),
    's600m': dict(num_layers=28, num_attention_heads=36, attention_head_dim=32, num_cross_attention_heads=16,
                  cross_attention_head_dim=72, cross_attention_dim=1152, caption_channels=2304),
    's1600m': dict(num_layers=20, num_attention_heads=70, attention_head_dim=32, num_cross_attention_heads=20,
                   cross_attention_head_dim=112, cross_attention_dim=2240, caption_channels=2304),
}
EMBEDDED_GUIDANCE = 4.5


def build_backbone(variant: str, latent_channels: int, path: str | None) -> SanaTransformer2DModel:
    """A SANA transformer for plain latents: (N, latent_channels, h, w) in and out.

    Args:
        variant: a key of `VARIANTS`; it gives the shape when there are no pretrained weights.
        latent_channels: channels of the codec's latent.
        path: a diffusers folder or hub id with weights (safetensors), or None for a new network.

    Raises:
        UserError: no transformer at `path`, or one for other latents or of another shape than the variant.
    """
    if path is None:
        return SanaTransformer2DModel(in_channels=latent_channels, out_channels=latent_channels, **VARIANTS[variant])
    backbone = load_part('network_g:backbone', SanaTransformer2DModel, path)
    for way, channels in (('takes', backbone.config.in_channels), ('gives', backbone.config.out_channels)):
        if channels != latent_channels:
            raise UserError(f'network_g:backbone: {path!r} {way} latents of {channels} channels, those of the codec have '
                            f'{latent_channels}')
    for key, value in VARIANTS[variant].items():
        if backbone.config[key] != value:
            raise UserError(f'network_g:backbone: {path!r} is no {variant}: {key} is {backbone.config[key]} there and {value} '
                            'here; set variant')
    return backbone


def time_arguments(backbone: SanaTransformer2DModel, sigma: Tensor, guidance: float = EMBEDDED_GUIDANCE) -> dict[str, Tensor]:
    """How a backbone is told the noise levels `sigma` (N,) in [0, 1], as keyword arguments of its forward pass.

    SANA takes 1000 sigma times its config's `timestep_scale`. SANA-Sprint (a config with `guidance_embeds`) takes sigma itself
    and the scale of the guidance it was distilled with, times `guidance_embeds_scale`; its pipeline's default is 4.5.
    """
    if backbone.config.guidance_embeds:
        return {'timestep': sigma, 'guidance': torch.full_like(sigma, guidance * backbone.config.guidance_embeds_scale)}
    return {'timestep': sigma * (TIMESTEPS * backbone.config.timestep_scale)}


def widen_input(backbone: SanaTransformer2DModel, extra: int) -> None:
    """Let the backbone's first layer take `extra` more channels behind the latent's; the old columns are kept, the new ones are
    zero.

    Done by hand because loading with `ignore_mismatched_sizes` would silently drop the pretrained columns.
    """
    old = backbone.patch_embed.proj
    new = nn.Conv2d(old.in_channels + extra, old.out_channels, old.kernel_size, old.stride, bias=old.bias is not None,
                    device=old.weight.device, dtype=old.weight.dtype)
    with torch.no_grad():
        new.weight.zero_()
        new.weight[:, :old.in_channels] = old.weight
        if old.bias is not None:
            new.bias.copy_(old.bias)
    backbone.patch_embed.proj = new
    backbone.register_to_config(in_channels=new.in_channels)
