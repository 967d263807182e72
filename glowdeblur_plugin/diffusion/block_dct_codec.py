"""The latent codec of the nano variant: a block cosine transform, so that nothing has to be downloaded or trained."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BLOCK = 8
# BT.601 full range: luma, blue difference, red difference.
RGB_TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


@dataclass(frozen=True)
class BlockDCTConfig:
    """How many coefficients each colour channel keeps (lowest frequencies first), and the statistics of each latent channel.

    `mean` and `deviation` were measured over the training photographs of the quickstart, in the units of an orthonormal 8x8 DCT
    of YCbCr in [-1, 1]; the chroma ones over the colour photographs only.
    """

    coefficients: tuple[int, int, int] = (16, 4, 4)
    mean: tuple[float, ...] = (
        -1.215, 0.006, 0.002, -0.002, -0.006, -0.005, -0.002, -0.003, -0.001, -0.002, 0.003, 0.0, 0.001, 0.002, 0.001, -0.001,
        -0.259, -0.001, 0.003, 0.0, 0.644, 0.002, -0.003, 0.0)
    deviation: tuple[float, ...] = (
        3.169, 0.765, 0.682, 0.401, 0.445, 0.382, 0.276, 0.268, 0.203, 0.269, 0.234, 0.191, 0.184, 0.154, 0.154, 0.182,
        0.929, 0.159, 0.14, 0.07, 1.237, 0.184, 0.199, 0.087)


def lowest_frequencies(count: int) -> list[tuple[int, int]]:
    """The `count` pairs (vertical, horizontal) of 8x8 DCT frequencies nearest to zero, in order of their squared radius."""
    pairs = [(u, v) for u in range(BLOCK) for v in range(BLOCK)]
    return sorted(pairs, key=lambda pair: (pair[0] ** 2 + pair[1] ** 2, pair))[:count]


def dct_basis(frequency: tuple[int, int]) -> Tensor:
    """The orthonormal DCT-II basis picture (8, 8) of a frequency (vertical, horizontal)."""
    position = torch.arange(BLOCK, dtype=torch.float64) + 0.5

    def wave(order: int) -> Tensor:
        scale = math.sqrt((1 if order == 0 else 2) / BLOCK)
        return scale * torch.cos(math.pi * order * position / BLOCK)

    return torch.outer(wave(frequency[0]), wave(frequency[1]))


class BlockDCTCodec(nn.Module):
    """8x latent codec without learnt weights (our choice): 8x8 DCT of YCbCr, the lowest frequencies kept, each channel
    standardised.

    Same interface as `AutoencoderCodec`. `encode` takes pictures (N, 3, H, W) in [0, 1] with H and W multiples of 8 and gives
    latents (N, C, H/8, W/8), about zero mean and unit variance per channel; `decode` is its linear inverse and does not clamp.
    Gradients pass.
    """

    compression = BLOCK

    def __init__(self, config: BlockDCTConfig = BlockDCTConfig()) -> None:
        super().__init__()
        self.config = config
        self.latent_channels = sum(config.coefficients)
        colours = torch.tensor(RGB_TO_YCBCR, dtype=torch.float64)
        analysis, synthesis = [], []
        for channel, count in enumerate(config.coefficients):
            for frequency in lowest_frequencies(count):
                basis = dct_basis(frequency)
                analysis.append(colours[channel][:, None, None] * basis)
                synthesis.append(torch.linalg.inv(colours)[:, channel][:, None, None] * basis)
        statistics = torch.tensor([config.mean, config.deviation])
        self.register_buffer('analysis', torch.stack(analysis).float(), persistent=False)
        self.register_buffer('synthesis', torch.stack(synthesis).float(), persistent=False)
        self.register_buffer('mean', statistics[0].view(1, -1, 1, 1), persistent=False)
        self.register_buffer('deviation', statistics[1].view(1, -1, 1, 1), persistent=False)

    def encode(self, picture: Tensor) -> Tensor:
        """Latent (N, C, H/8, W/8) of a picture (N, 3, H, W) in [0, 1]."""
        return (F.conv2d(picture * 2 - 1, self.analysis, stride=BLOCK) - self.mean) / self.deviation

    def decode(self, latent: Tensor) -> Tensor:
        """Picture (N, 3, H, W), about [0, 1], of a latent (N, C, H/8, W/8)."""
        coefficients = latent * self.deviation + self.mean
        return (F.conv_transpose2d(coefficients, self.synthesis, stride=BLOCK) + 1) / 2
