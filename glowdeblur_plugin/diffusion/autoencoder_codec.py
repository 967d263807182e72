"""The latent codec of the full-size variants: a pretrained deep-compression autoencoder."""

from diffusers import AutoencoderDC
from torch import Tensor, nn

from glowdeblur_plugin.diffusion.pretrained import load_part


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
