"""Convolution blocks shared by our networks."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of (N, C, H, W), each position for itself, with a scale and a shift per channel."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalised features of the same shape."""
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class NAFBlock(nn.Module):
    """The nonlinear-activation-free block of NAFNet (Chen et al. 2022, section 3): two residual halves, gates instead of
    activations.

    (N, C, H, W) in and out; both residual scales start at zero, so a new block is the identity.
    """

    def __init__(self, width: int, expansion: int = 2) -> None:
        super().__init__()
        inner = width * expansion
        self.norm_spatial = ChannelNorm(width, eps=1e-6)
        self.expand = nn.Conv2d(width, inner, 1)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.attention = nn.Conv2d(inner // 2, inner // 2, 1)
        self.project = nn.Conv2d(inner // 2, width, 1)
        self.norm_channel = ChannelNorm(width, eps=1e-6)
        self.feed_in = nn.Conv2d(width, inner, 1)
        self.feed_out = nn.Conv2d(inner // 2, width, 1)
        self.scale_spatial = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.scale_channel = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) after both halves."""
        gated = gate(self.depthwise(self.expand(self.norm_spatial(features))))
        gated = gated * self.attention(gated.mean(dim=(2, 3), keepdim=True))
        features = features + self.scale_spatial * self.project(gated)
        return features + self.scale_channel * self.feed_out(gate(self.feed_in(self.norm_channel(features))))


def gate(features: Tensor) -> Tensor:
    """SimpleGate: the product of the two halves of the channels."""
    first, second = features.chunk(2, dim=1)
    return first * second


class ResidualConv(nn.Module):
    """Two 3x3 convolutions with a SiLU between them, added to the input (N, C, H, W); starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        return features + self.second(F.silu(self.first(F.silu(features))))


def zero_conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    """A convolution that starts at zero, so that what it feeds starts unchanged."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    return conv


def use_channels_last(network: nn.Module) -> None:
    """Lay out the weights of all 2-D convolutions with the channels last, the faster way for our blocks."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
