"""NAFNet, a baseline: the network of spandrel, with which official checkpoints load."""

from typing import Annotated

from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from glowdeblur_plugin.archs.local_pooling import LocalAveragePool, window_side
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between

Count = Annotated[int, Between(1)]
Blocks = Annotated[int, Between(0)]


@ARCH_REGISTRY.register()
def NAFNet(width: Count, enc_blk_nums: list[Blocks], middle_blk_num: Blocks,  # noqa: N802
           dec_blk_nums: list[Blocks], img_channel: Count = 3, tlc: bool = False, train_size: Count = 256) -> nn.Module:
    """NAFNet (Chen et al., ECCV 2022, arXiv 2204.04676): pictures (N, img_channel, H, W) in [0, 1] to restored ones.

    Any H and W (attribute `pads_itself`); those that are multiples of the attribute `size_multiple` are not padded by it (with
    zeros). Keyword arguments and state-dict names are those of the authors' files; theirs of width 32 for GoPro has enc_blk_nums
    [1, 1, 1, 28], middle_blk_num 1, dec_blk_nums [1, 1, 1, 1].

    Args:
        width: channels at full resolution; they double at each level.
        enc_blk_nums: blocks of each encoder level, from full resolution down.
        middle_blk_num: blocks at the lowest resolution.
        dec_blk_nums: blocks of each decoder level, back up; as many levels as in the encoder.
        tlc: in eval mode, means over windows instead of the whole picture, see `LocalAveragePool`: for networks trained on
            crops, as the authors' figures for deblurring are made. Weights are the same either way.
        train_size: side of the training crops that `tlc` goes by, a multiple of `size_multiple`.

    Raises:
        UserError: spandrel is not installed, encoder and decoder differ in levels, or `train_size` does not fit `tlc`.
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
    if tlc:
        _pool_locally(network, train_size)
    return network


def _pool_locally(network: nn.Module, train_size: int) -> None:
    if train_size % network.size_multiple:
        raise UserError(f'network_g:train_size: {train_size} is not a multiple of {network.size_multiple}, which tlc needs')
    stages = [*network.encoders, network.middle_blks, *network.decoders]
    levels = len(network.encoders)
    for index, blocks in enumerate(stages):
        for block in blocks:
            block.sca[0] = LocalAveragePool(window_side(train_size, levels - abs(levels - index)))
