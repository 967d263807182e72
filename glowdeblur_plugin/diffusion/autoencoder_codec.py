"""The latent codec of the full-size variants: a pretrained deep-compression autoencoder."""

from typing import Any

from diffusers import AutoencoderDC
from torch import Tensor, nn

from glowdeblur_plugin.diffusion.pretrained import load_part

STAGES = ('ResBlock',) * 3 + ('EfficientViTBlock',) * 3
WIDTHS = (128, 256, 512, 512, 1024, 1024)
SCALES = ((), (), (), (5, ), (5, ), (5, ))
# The config of SANA's autoencoder, dc-ae-f32c32-sana-1.0 (312.3 M parameters); the defaults of diffusers' class are another one.
SANA_AUTOENCODER: dict[str, Any] = dict(
    latent_channels=32, encoder_block_types=STAGES, decoder_block_types=STAGES, encoder_block_out_channels=WIDTHS,
    decoder_block_out_channels=WIDTHS, encoder_layers_per_block=(2, 2, 2, 3, 3, 3), decoder_layers_per_block=(3, ) * 6,
    encoder_qkv_multiscales=SCALES, decoder_qkv_multiscales=SCALES, downsample_block_type='Conv',
    upsample_block_type='interpolate', scaling_factor=0.41407)


class AutoencoderCodec(nn.Module):
    """diffusers' `AutoencoderDC` with its scaling factor (SANA; GLOWDeblur's figure draws a frozen 32x one).

    Latents are (raw - shift) x scale with `shift_factor`, if there is one, and `scaling_factor` of the saved config.
    `encode` takes pictures (N, 3, H, W) in [0, 1] with H and W multiples of `compression` and gives scaled latents
    (N, C, H/compression, W/compression); `decode` is the way back, about [0, 1], not clamped. Gradients pass through both.
    """

    def __init__(self, autoencoder: nn.Module) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.latent_channels: int = autoencoder.config.latent_channels
        self.compression: int = autoencoder.spatial_compression_ratio
        self.scaling_factor: float = autoencoder.config.scaling_factor
        self.shift_factor: float = autoencoder.config.get('shift_factor') or 0.0

    @classmethod
    def from_pretrained(cls, path: str) -> 'AutoencoderCodec':
        """Load from a diffusers folder or hub id (safetensors only).

        Raises:
            UserError: the folder is missing or holds no AutoencoderDC.
        """
        return cls(load_part('network_g:codec', AutoencoderDC, path))

    def encode(self, picture: Tensor) -> Tensor:
        """Scaled latent of a picture (N, 3, H, W) in [0, 1]."""
        return (self.autoencoder.encode(picture * 2 - 1).latent - self.shift_factor) * self.scaling_factor

    def decode(self, latent: Tensor) -> Tensor:
        """Picture (N, 3, H, W), about [0, 1], of a scaled latent."""
        return (self.autoencoder.decode(latent / self.scaling_factor + self.shift_factor).sample + 1) / 2
