"""Restormer, a baseline: the network of spandrel-extra-arches, with which official checkpoints load."""

import warnings
from typing import Annotated, Literal

from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between

LEVELS = 4
Count = Annotated[int, Between(1)]
Blocks = Annotated[int, Between(0)]


@ARCH_REGISTRY.register()
def Restormer(num_blocks: list[Blocks], heads: list[Count], num_refinement_blocks: Blocks = 4, dim: Count = 48,  # noqa: N802
              inp_channels: Count = 3, out_channels: Count = 3,
              ffn_expansion_factor: Annotated[float, Between(0.1)] = 2.66, bias: bool = False,
              LayerNorm_type: Literal['WithBias', 'BiasFree'] = 'WithBias',  # noqa: N803
              dual_pixel_task: bool = False) -> nn.Module:
    """Restormer (Zamir et al., CVPR 2022, arXiv 2111.09881): pictures (N, inp_channels, H, W) in [0, 1] to restored ones.

    H and W are multiples of the network's attribute `size_multiple`, 8. Keyword arguments and state-dict names are those of the
    authors' files; theirs for motion deblurring has dim 48, num_blocks [4, 6, 6, 8], heads [1, 2, 4, 8].
    Licence of the authors' code and weights: ACADEMIC PUBLIC LICENSE, non-commercial use only; hence the separate library.

    Args:
        num_blocks: transformer blocks of the four levels, from full resolution down.
        heads: attention heads of the four levels; each divides the level's channels, dim, 2 dim, 4 dim, 8 dim.
        num_refinement_blocks: blocks after the decoder.
        dim: channels at full resolution.
        ffn_expansion_factor: hidden over outer channels in the feed-forward parts.
        bias: whether the convolutions have biases.
        LayerNorm_type: the authors use WithBias for deblurring.
        dual_pixel_task: for dual-pixel defocus data, with inp_channels 6.

    Raises:
        UserError: spandrel-extra-arches is not installed, or num_blocks and heads do not fit.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)  # another network of the library uses torch.jit when it is imported
            from spandrel_extra_arches.architectures.Restormer import Restormer as Network
    except ImportError as error:
        raise UserError(f'network_g:type: Restormer needs spandrel-extra-arches ({error}); '
                        'pip install "glowdeblur_plugin[baselines]"') from error
    if len(num_blocks) != LEVELS or len(heads) != LEVELS:
        raise UserError(f'network_g: num_blocks and heads need {LEVELS} entries each, found {num_blocks} and {heads}')
    for level, count in enumerate(heads):
        if (dim << level) % count:
            raise UserError(f'network_g:heads[{level}]: {count} does not divide the {dim << level} channels of its level')
    network = Network(inp_channels=inp_channels, out_channels=out_channels, dim=dim, num_blocks=num_blocks, heads=heads,
                      num_refinement_blocks=num_refinement_blocks, ffn_expansion_factor=ffn_expansion_factor, bias=bias,
                      LayerNorm_type=LayerNorm_type, dual_pixel_task=dual_pixel_task)
    network.size_multiple = 2**(LEVELS - 1)
    return network
