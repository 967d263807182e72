"""Networks by the names that papers give them, in their published sizes."""

from collections.abc import Callable
from functools import partial

from torch import nn

from glowdeblur_plugin.archs.nafnet_arch import NAFNet
from glowdeblur_plugin.archs.restormer_arch import Restormer
from glowdeblur_plugin.models.sampling_cost import UntrainedGLOWDeblur

NAFNET = {'enc_blk_nums': [1, 1, 1, 28], 'middle_blk_num': 1, 'dec_blk_nums': [1, 1, 1, 1]}
VARIANTS: dict[str, Callable[[], nn.Module]] = {
    'NAFNet-w32': partial(NAFNet, width=32, **NAFNET),
    'NAFNet-w64': partial(NAFNet, width=64, **NAFNET),
    'Restormer': partial(Restormer, num_blocks=[4, 6, 6, 8], heads=[1, 2, 4, 8]),
    **{f'GLOWDeblur-{variant}': partial(UntrainedGLOWDeblur, variant=variant) for variant in ('nano', 's600m', 's1600m')}
}
