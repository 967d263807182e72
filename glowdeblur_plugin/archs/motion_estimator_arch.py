"""Motion guidance: the blur tensor of a blurry picture, estimated per cell."""

from typing import Annotated

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from glowdeblur_plugin.archs.blocks import ResidualConv, zero_conv
from glowdeblur_plugin.options import Between

FOLD = 4
SCALES = (1, 2, 4)
WINDOW = 5
NOISE_FLOOR = 1e-5


@ARCH_REGISTRY.register()
class MotionEstimator(nn.Module):
    """Estimates the blur tensor (D cos 2a, D sin 2a, L_minor) of each cell from one blurry picture (GLOWDeblur draws an
    encoder-decoder that gives one arrow a cell; the network and the tensor are our choice). Besides the picture it reads
    structure tensors at three scales: blur takes gradients away along its direction, and they measure that in the same doubled
    angle.

    Takes (N, 3, H, W) in [0, 1], H and W multiples of twice the cell; gives (N, 3, H/cell, W/cell) in pixels of the picture, the
    mean over the cell. Starts at zero, the map of a sharp picture.

    Args:
        width: channels at a quarter of the resolution; twice as many on the cell's grid.
        blocks: residual blocks per scale.
        cell: side of a cell in pixels, a multiple of 8.
    """

    def __init__(self, width: Annotated[int, Between(4)] = 32, blocks: Annotated[int, Between(1)] = 2,
                 cell: Annotated[int, Between(8)] = 8) -> None:
        super().__init__()
        if cell % (2 * FOLD):
            raise ValueError(f'cell must be a multiple of {2 * FOLD}, found {cell}')
        self.cell = cell
        self.size_multiple = 2 * cell
        self.stem = nn.Conv2d(3 * FOLD ** 2 + 3 * len(SCALES), width, 3, padding=1)
        self.fine = _stack(width, blocks)
        self.to_cells = nn.Conv2d(width, 2 * width, cell // FOLD, stride=cell // FOLD)
        self.cells = _stack(2 * width, blocks)
        self.to_coarse = nn.Conv2d(2 * width, 2 * width, 2, stride=2)
        self.coarse = _stack(2 * width, blocks)
        self.merge = _stack(2 * width, 1)
        self.head = zero_conv(2 * width, 3)

    def forward(self, blurry: Tensor) -> Tensor:
        """The blur tensor (N, 3, H/cell, W/cell) in pixels."""
        inputs = torch.cat([F.pixel_unshuffle(blurry - 0.5, FOLD), structure_tensors(blurry)], dim=1)
        fine = self.fine(self.stem(inputs))
        cells = self.cells(self.to_cells(fine))
        coarse = self.coarse(self.to_coarse(cells))
        merged = self.merge(cells + F.interpolate(coarse, scale_factor=2.0, mode='nearest'))
        return self.head(merged) * self.cell


def _stack(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*[ResidualConv(width) for _ in range(count)])


def structure_tensors(picture: Tensor) -> Tensor:
    """Anisotropy and strength of the gradients around each position of a quarter-resolution grid, at scales of 1, 2 and 4 pixels.

    Takes (N, 3, H, W) in [0, 1]; gives (N, 9, H/4, W/4), for each scale (Jxx - Jyy) / t, 2 Jxy / t and log10 t, where J is the
    mean of the products of the grey picture's central differences over about 20 pixels and t its trace plus a floor for noise.
    The first two are the doubled angle of the gradients.
    """
    grey = picture.float().mean(dim=1, keepdim=True)
    features = []
    for scale in SCALES:
        smooth = F.avg_pool2d(F.pad(grey, (scale // 2, (scale - 1) // 2) * 2, mode='replicate'), scale, stride=1)
        wide, tall = F.pad(smooth, (scale, scale, 0, 0), mode='replicate'), F.pad(smooth, (0, 0, scale, scale), mode='replicate')
        across = wide[..., 2 * scale:] - wide[..., :-2 * scale]
        down = tall[..., 2 * scale:, :] - tall[..., :-2 * scale, :]
        products = torch.cat([across * across, down * down, across * down], dim=1)
        pooled = F.avg_pool2d(F.avg_pool2d(products, FOLD), WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)
        horizontal, vertical, mixed = pooled.chunk(3, dim=1)
        trace = horizontal + vertical + NOISE_FLOOR
        features += [(horizontal - vertical) / trace, 2 * mixed / trace, trace.log10()]
    return torch.cat(features, dim=1)
