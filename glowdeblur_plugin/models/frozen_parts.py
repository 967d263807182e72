"""What a checkpoint says of the frozen parts it was trained with, and what it means when others are there."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from basicsr.utils import get_root_logger
from safetensors import safe_open
from torch import nn

from glowdeblur_plugin.diffusion.frozen import frozen_references
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.checkpoints import FROZEN_KEY, read_checkpoint


def describe_frozen(network: nn.Module) -> dict[str, dict[str, str]]:
    """For a checkpoint: `source` (folder or hub id) and `sha256` of the weights of each frozen part, by its name."""
    return {name: asdict(reference) for name, reference in frozen_references(network).items()}


def read_frozen(path: Path) -> dict[str, Any]:
    """What `describe_frozen` gave when the checkpoint at `path` was written; empty for one that says nothing of it.

    Raises:
        UserError: see `read_checkpoint`.
    """
    if path.suffix == '.safetensors':
        with safe_open(path, 'pt') as file:
            entry = json.loads((file.metadata() or {}).get(FROZEN_KEY, '{}'))
    else:
        entry = read_checkpoint(path).get(FROZEN_KEY)
    return dict(entry) if isinstance(entry, Mapping) else {}


def check_frozen(network: nn.Module, path: Path, strict: bool) -> None:
    """Compare the frozen parts of `network` with those that the checkpoint at `path` was trained with, by their hashes: the
    same weights may lie in another place.

    Args:
        strict: whether others are an error or a warning.

    Raises:
        UserError: others, and `strict`; names both. Or the network trains a part that was frozen then, whose weights the
            checkpoint lacks, and `strict`.
    """
    recorded = read_frozen(path)
    trained = {name.split('.')[0] for name in network.state_dict()} - frozen_references(network).keys()
    for name in trained & recorded.keys() if strict else ():
        raise UserError(f"checkpoint '{path}' lacks most weights of {name}, which had adapters on frozen ones of "
                        f"'{recorded[name].get('source')}'; set network_g:lora as it was then, or use what `glowdeblur merge` "
                        'makes of it')
    for name, reference in frozen_references(network).items():
        then = recorded.get(name)
        if not isinstance(then, Mapping) or then.get('sha256') in (None, reference.sha256):
            continue
        line = (f"network_g:{name}: {reference} is not what checkpoint '{path}' was trained with, "
                f"'{then.get('source')}' (sha256 {str(then['sha256'])[:12]})")
        if strict:
            raise UserError(f'{line}; give that one, or set path:strict_load_g: false to train on from there with the new one')
        get_root_logger().warning(line)
