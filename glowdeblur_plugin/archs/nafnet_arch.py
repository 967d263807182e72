"""NAFNet, a baseline: the network of spandrel, with which official checkpoints load."""

from typing import Annotated

from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between

Count = Annotated[int, Between(1)]
Blocks = Annotated[int, Between(0)]


@ARCH_REGISTRY.register()
def NAFNet(width: Count, enc_blk_nums: list[Blocks], middle_blk_num: Blocks,  # noqa: N802
           dec_blk_nums: list[Blocks], img_channel: Count = 3) -> nn.Module:
    """NAFNet (Chen et al., ECCV 2022, arXiv 2204.04676): pictures (N, img_channel, H, W) in [0, 1] to restored ones.

    Any H and W (attribute `pads_itself`); those that are multiples of the attribute `size_multiple` are not padded by it (with
    zeros). Keyword arguments and state-dict names are those of the authors' files; theirs of width 32 for GoPro has enc_blk_nums
    [1, 1, 1, 28], middle_blk_num 1, dec_blk_nums [1, 1, 1, 1].

    Args:
        width: channels at full resolution; they double at each level.
        enc_blk_nums: blocks of each encoder level, from full resolution down.
        middle_blk_num: blocks at the lowest resolution.
        dec_blk_nums: blocks of each decoder level, back up; as many levels as in the encoder.

    Raises:
        UserError: spandrel is not installed, or encoder and decoder differ in levels.
    """
    try:
        from spandrel.architectures.NAFNet import NAFNet as Network
    except ImportError as error:
        raise UserError(f'network_g:type: NAFNet needs spandrel ({error}); pip install "glowdeblur_plugin[baselines]"') from error
    if len(enc_blk_nums) != len(dec_blk_nums):
        raise UserError(f'network_g:dec_blk_nums: {len(dec_blk_nums)} levels, but enc_blk_nums has {len(enc_blk_nums)}; '
                        'make them equal')
    network = Network(img_channel=img_channel, width=width, middle_blk_num=middle_blk_num, enc_blk_nums=enc_blk_nums,
                      dec_blk_nums=dec_blk_nums)
    network.size_multiple, network.pads_itself = network.padder_size, True
    return network
