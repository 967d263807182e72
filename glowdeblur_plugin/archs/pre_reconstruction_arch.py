"""Pre-reconstruction: the convolutional estimate of the sharp picture that the diffusion stage starts from."""

from typing import Annotated

from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from glowdeblur_plugin.archs.blocks import NAFBlock, use_channels_last, zero_conv
from glowdeblur_plugin.options import Between


@ARCH_REGISTRY.register()
class PreReconstruction(nn.Module):
    """U-Net of NAFBlocks with a global residual (GLOWDeblur draws a convolutional hourglass of four scales; block and widths are
    our choice).

    Takes blurry pictures (N, 3, H, W) in [0, 1], H and W multiples of `size_multiple`, and gives pictures of the same shape, not
    clamped.

    Args:
        width: channels of the first scale; each scale below has twice as many.
        encoder_blocks: blocks per scale on the way down; their number is the number of down-samplings.
        middle_blocks: blocks at the lowest scale.
        decoder_blocks: blocks per scale on the way up, from the lowest.
        patch: side of the patches that the first layer folds into channels; 1 works on full resolution.
    """

    def __init__(self, width: Annotated[int, Between(2)] = 32, encoder_blocks: list[int] = (2, 2, 2, 2),
                 middle_blocks: Annotated[int, Between(0)] = 2, decoder_blocks: list[int] = (2, 2, 2, 2),
                 patch: Annotated[int, Between(1)] = 1) -> None:
        super().__init__()
        if len(encoder_blocks) != len(decoder_blocks):
            raise ValueError(f'encoder_blocks and decoder_blocks differ in length: {encoder_blocks}, {decoder_blocks}')
        self.patch = patch
        self.width = width
        self.size_multiple = patch * 2 ** len(encoder_blocks)
        widths = [width * 2 ** level for level in range(len(encoder_blocks) + 1)]
        self.stem = nn.Conv2d(3 * patch ** 2, width, 3, padding=1)
        self.encoder = nn.ModuleList(_stack(size, count) for size, count in zip(widths, encoder_blocks))
        self.down = nn.ModuleList(nn.Conv2d(size, 2 * size, 2, stride=2) for size in widths[:-1])
        self.middle = _stack(widths[-1], middle_blocks)
        self.up = nn.ModuleList(nn.Conv2d(2 * size, 4 * size, 1) for size in reversed(widths[:-1]))
        self.decoder = nn.ModuleList(_stack(size, count) for size, count in zip(reversed(widths[:-1]), decoder_blocks))
        self.head = zero_conv(width, 3 * patch ** 2)
        use_channels_last(self)

    def forward(self, blurry: Tensor) -> Tensor:
        """The pre-reconstructed picture (N, 3, H, W)."""
        return self.picture_and_features(blurry)[0]

    def picture_and_features(self, blurry: Tensor) -> tuple[Tensor, Tensor]:
        """The picture (N, 3, H, W) and the last features (N, width, H/patch, W/patch), which the alignment head reads."""
        features = self.stem(F.pixel_unshuffle(blurry, self.patch))
        skips = []
        for blocks, down in zip(self.encoder, self.down):
            skips.append(blocks(features))
            features = down(skips[-1])
        features = self.middle(features)
        for up, blocks, skip in zip(self.up, self.decoder, reversed(skips)):
            features = blocks(F.pixel_shuffle(up(features), 2) + skip)
        return blurry + F.pixel_shuffle(self.head(features), self.patch), features


def _stack(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*[NAFBlock(width) for _ in range(count)])
