"""Which network a file of weights belongs to, and that network with these weights."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basicsr.archs import build_network
from torch import Tensor, nn

from glowdeblur_plugin.archs.adapters import has_adapters
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.adapter_base import load_adapter_base
from glowdeblur_plugin.models.checkpoints import load_weights, read_weights
from glowdeblur_plugin.models.deblur_model import DeblurModel
from glowdeblur_plugin.models.frozen_parts import check_frozen, read_frozen
from glowdeblur_plugin.option_file import read_option_file
from glowdeblur_plugin.register import register

AVERAGE = 'params_ema'
COLOURS = 3
BASELINES = {'NAFNet': 'img_channel', 'Restormer': 'inp_channels'}


@dataclass(frozen=True)
class FoundNetwork:
    """A network as an option file describes it.

    Attributes:
        section: `network_g`.
        source: where that stands, for messages.
        path, val: the sections of these names, empty where no option file was given.
    """

    section: dict[str, Any]
    source: str
    path: dict[str, Any] = field(default_factory=dict)
    val: dict[str, Any] = field(default_factory=dict)


def find_network(weights: Path, option_file: Path | None = None, param_key: str = AVERAGE) -> FoundNetwork:
    """What network `weights` belong to: by the option file, else by the JSON file that our trainings write beside their
    weights, else by the names and shapes of NAFNet's and Restormer's own files.

    Args:
        param_key: entry of the file, see `read_weights`.

    Raises:
        UserError: nothing says which network it is, or it does not take RGB pictures.
    """
    if option_file is not None:
        opt = read_option_file(str(option_file))
        section = _network_section(opt, option_file)
        return FoundNetwork(section, str(option_file), opt.get('path') or {}, opt.get('val') or {})
    beside = weights.with_suffix('.json')
    if beside.is_file():
        try:
            content = json.loads(beside.read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise UserError(f"'{beside}' beside the weights cannot be read: {error}") from error
        return FoundNetwork(_network_section(content, beside), str(beside))
    return FoundNetwork(_recognised(read_weights(weights, param_key), weights), str(weights))


def build_trained(found: FoundNetwork, weights: Path, param_key: str = AVERAGE, **changes: Any) -> nn.Module:
    """The network on the CPU, in eval mode, with its weights.

    Args:
        param_key: entry of the file, see `read_weights`; by default the moving average where there is one.
        changes: arguments of the network that differ from the section's.

    Raises:
        UserError: the network does not take these arguments, or the weights are those of another.
    """
    register()
    name = f'{found.source}: network_g'
    network = DeblurModel.build_option(name, build_network, {**found.section, **changes})
    if isinstance(network, GLOWDeblur):
        load_adapter_base(network, {**_recorded_base(network, weights), **found.path, 'pretrain_network_g': str(weights)},
                          resumed=False)
    state = read_weights(weights, param_key)
    check_frozen(network, weights, strict=True)
    load_weights(network, state, weights)
    return network.requires_grad_(False).eval()


def _recorded_base(network: GLOWDeblur, weights: Path) -> dict[str, str]:
    """The file under the network's adapters, as a checkpoint of them names it; its hash is compared when it is loaded."""
    source = read_frozen(weights).get('backbone', {}).get('source')
    known = source is not None and has_adapters(network) and network.backbone.reference is None
    return {'pretrain_network_base': source} if known else {}


def _network_section(content: Any, file: Path) -> dict[str, Any]:
    section = content.get('network_g') if isinstance(content, Mapping) else None
    if not isinstance(section, Mapping) or 'type' not in section:
        raise UserError(f"{file}: no section 'network_g' with a type, so it does not say which network the weights are of; "
                        'give the option file of its training or test')
    return dict(section)


def _recognised(state: Mapping[str, Tensor], weights: Path) -> dict[str, Any]:
    """`network_g` of a baseline, its arguments read out of names and shapes by spandrel."""
    unknown = f"'{weights}': no '{weights.with_suffix('.json').name}' beside it says which network it is of, and"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)  # another network of the library uses torch.jit when it is imported
            from spandrel.architectures.NAFNet import NAFNetArch
            from spandrel_extra_arches.architectures.Restormer import RestormerArch
    except ImportError as error:
        raise UserError(f'{unknown} to recognise NAFNet and Restormer spandrel is needed ({error}); give the option file, or '
                        'pip install "glowdeblur_plugin[baselines]"') from error
    for kind, architecture in zip(BASELINES, (NAFNetArch(), RestormerArch())):
        if architecture.detect(state):
            arguments = architecture.load(dict(state)).model.hyperparameters
            if arguments[BASELINES[kind]] != COLOURS:
                raise UserError(f"'{weights}': a {kind} for {arguments[BASELINES[kind]]} channels; pictures have {COLOURS}")
            return {'type': kind, **arguments}
    names = ', '.join(list(state)[:3])
    raise UserError(f'{unknown} it is neither a NAFNet nor a Restormer (its first names are {names}); give the option file of '
                    'its training or test')
