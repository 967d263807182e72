"""Domain alignment: from the pre-reconstruction to a feature in the latent's domain, by one of two ways."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from glowdeblur_plugin.archs.blocks import NAFBlock, zero_conv
from glowdeblur_plugin.errors import UserError

AlignName = Literal['dcae', 'conv']
Encode = Callable[[Tensor], Tensor]
FIRST_WIDTH, LARGEST_WIDTH = 64, 256


class CodecAlignment(nn.Module):
    """The frozen codec's encoding plus a zero-initialised residual (our choice), so that scale and statistics are the latent's.

    Args:
        width: channels of the pre-reconstruction's features.
        fold: side of the features' area that one latent cell stands for.
        latent_channels: channels of the latent.
    """

    def __init__(self, width: int, fold: int, latent_channels: int) -> None:
        super().__init__()
        self.fold = fold
        self.residual = zero_conv(width * fold ** 2, latent_channels)

    def forward(self, picture: Tensor, features: Tensor, encode: Encode) -> Tensor:
        """The aligned feature (N, C, h, w) of a pre-reconstruction (N, 3, H, W) and its features (N, width, fold h, fold w)."""
        return encode(picture) + self.residual(F.pixel_unshuffle(features, self.fold))


class ConvolutionalAlignment(nn.Module):
    """Convolutions of stride 2, each with a NAFBlock behind it, straight from the features to the latent (the paper's figure
    shows no encoder on this arm; widths are our choice).

    Five of them for a codec of 32x and features at full resolution. Starts at zero, the mean of standardised latents; learns
    from the alignment and the flow losses. Arguments as of `CodecAlignment`; `fold` is a power of 2.
    """

    def __init__(self, width: int, fold: int, latent_channels: int) -> None:
        super().__init__()
        stages = []
        for index in range(fold.bit_length() - 1):
            wider = min(FIRST_WIDTH << index, LARGEST_WIDTH)
            stages += [nn.Conv2d(width, wider, 3, stride=2, padding=1), NAFBlock(wider)]
            width = wider
        self.stages = nn.Sequential(*stages)
        self.head = zero_conv(width, latent_channels)

    def forward(self, picture: Tensor, features: Tensor, encode: Encode) -> Tensor:
        """The aligned feature (N, C, h, w) of features (N, width, fold h, fold w); nothing is encoded."""
        return self.head(self.stages(features))


def build_alignment(name: AlignName, width: int, patch: int, compression: int, latent_channels: int) -> nn.Module:
    """The alignment of that name for features of `width` channels at 1/`patch` of the picture's resolution.

    Args:
        compression: side of the picture area that one latent cell stands for, a power of 2.

    Raises:
        UserError: `patch` does not divide it.
    """
    if compression % patch:
        raise UserError(f'network_g:prereconstruction:patch: {patch} does not divide the codec\'s compression, {compression}')
    kind = CodecAlignment if name == 'dcae' else ConvolutionalAlignment
    return kind(width, compression // patch, latent_channels)
