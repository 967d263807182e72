"""The weights under a network's adapters, which stay out of its checkpoints."""

from pathlib import Path
from typing import Any

from torch import nn

from glowdeblur_plugin.archs.adapters import has_adapters, without_adapters
from glowdeblur_plugin.diffusion.pretrained import file_reference
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models import checkpoints
from glowdeblur_plugin.models.frozen_parts import check_frozen, read_frozen

OPTION = 'path:pretrain_network_base'


def load_adapter_base(network: nn.Module, path: dict[str, Any], resumed: bool) -> None:
    """Load the whole network that adapters go on from `path:pretrain_network_base`, its moving average where there is one.

    Checkpoints hold the adapters and all else that is trained, and name this file and its hash; it must be given again when a
    run is resumed, tested or merged. Without it the adapters go on the weights of `network_g:backbone`.

    Args:
        path: the section `path` of the option file.
        resumed: whether `pretrain_network_g` was put there to resume a run.

    Raises:
        UserError: a base for a network without adapters; none for adapters on an untrained backbone; one that is no checkpoint
            of this network, or was trained beside other frozen parts; or a whole network where one with adapters belongs.
    """
    base = path.get('pretrain_network_base')
    if not has_adapters(network):
        if base is not None:
            raise UserError(f"{OPTION}: '{base}' is for adapters, and there are none; set network_g:lora, or name it in "
                            'path:pretrain_network_g')
        return
    if base is None and network.backbone.reference is None:
        raise UserError('network_g:lora: its adapters need trained weights to go on; give a checkpoint of the whole network in '
                        f'{OPTION}, or pretrained ones in network_g:backbone')
    start = path.get('pretrain_network_g')
    if start is not None and not resumed and 'backbone' not in read_frozen(Path(start)):
        raise UserError(f"path:pretrain_network_g: '{start}' is no checkpoint with adapters; a whole network that they go on "
                        f'belongs into {OPTION}')
    if base is not None:
        check_frozen(network, Path(base), strict=True)
        checkpoints.load_weights(without_adapters(network), checkpoints.read_weights(Path(base), 'params_ema'), Path(base))
        network.backbone.reference = file_reference(Path(base))
