"""Files of weights and training states: read without running code, written whole or not at all."""

import json
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from basicsr.utils import get_root_logger
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from glowdeblur_plugin.errors import UserError

WEIGHT_KEYS = ('params', 'params_ema', 'state_dict')
FROZEN_KEY = 'frozen_parts'
SHOWN_KEYS = 3


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a temporary file beside `path` and move it there; on failure what stood at `path` stays.

    Raises:
        UserError: the file cannot be written.
    """
    temporary = path.with_name(f'.{path.name}.tmp')
    try:
        write(temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"checkpoint '{path}' cannot be written: {_first_line(error)}") from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a `.pth` or `.state` file (by torch.save) or a `.safetensors` file holds, on the CPU.

    Raises:
        UserError: missing or unreadable file, or one with pickled code (only tensors and plain values are loaded).
    """
    if not path.is_file():
        raise UserError(f"checkpoint '{path}' {'is no file' if path.exists() else 'does not exist'}")
    try:
        if path.suffix == '.safetensors':
            return load_file(path, device='cpu')
        content = torch.load(path, map_location='cpu', weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, LookupError) as error:
        if 'GLOBAL' in str(error):
            raise UserError(f"checkpoint '{path}' holds pickled code, which is never run; save its tensors alone, such as "
                            "torch.save({'params': network.state_dict()}, ...)") from error
        raise UserError(f"checkpoint '{path}' is not a file of torch.save, or is damaged") from error
    except (OSError, RuntimeError, EOFError, ValueError, struct.error, SafetensorError) as error:
        raise UserError(f"checkpoint '{path}' cannot be read, it may be torn: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise UserError(f"checkpoint '{path}' holds a {type(content).__name__}, not a dictionary of weights")
    return content


def read_weights(path: Path, param_key: str | None = 'params') -> dict[str, Tensor]:
    """State dict of a network out of `path`, without the `module.` that DataParallel puts before the names.

    Args:
        param_key: entry that holds the weights (`path:param_key_g`); where it is missing, `params`, `params_ema` or `state_dict`
            is taken, or the file itself when it maps names to tensors.

    Raises:
        UserError: see `read_checkpoint`; or no weights in the file.
    """
    content = read_checkpoint(path)
    found = next((key for key in (param_key, *WEIGHT_KEYS) if key and isinstance(content.get(key), Mapping)), None)
    weights = content if found is None else content[found]
    if not weights or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError(f"checkpoint '{path}': no weights under {param_key!r} or {', '.join(WEIGHT_KEYS)}; "
                        f'its keys are {_shown(list(weights))}')
    if found != param_key:
        taken = 'its names are' if found is None else f'its entry {found!r} is'
        get_root_logger().info(f"'{path}' has no entry {param_key!r}, {taken} taken.")
    return {name.removeprefix('module.'): value for name, value in weights.items()}


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], path: Path, strict: bool = True) -> None:
    """Copy `weights` into `network`.

    Args:
        path: where they come from, for the messages.
        strict: every name and shape must agree; otherwise those that agree are loaded and the rest is counted in the log.

    Raises:
        UserError: the weights are those of another network; says how many names are missing, unknown or of another shape, and
            which come first.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in weights]
    unknown = [name for name in weights if name not in own]
    reshaped = [f'{name} {tuple(weights[name].shape)} instead of {tuple(own[name].shape)}'
                for name in own if name in weights and weights[name].shape != own[name].shape]
    fitting = {name: weights[name] for name in own if name in weights and weights[name].shape == own[name].shape}
    counts = ((missing, 'missing'), (unknown, 'not in the network'), (reshaped, 'of another shape'))
    differences = '; '.join(f'{len(names)} {what} ({_shown(names)})' for names, what in counts if names)
    if differences and (strict or not fitting):
        raise UserError(f"checkpoint '{path}' is not one of this {type(network).__name__}, keys differ: {differences}")
    if differences:
        get_root_logger().warning(f"'{path}': {len(fitting)} tensors loaded, {differences}")
    network.load_state_dict(fitting, strict=False)


def save_network_files(folder: Path, label: str, weights: Mapping[str, Mapping[str, Tensor]], config: Mapping[str, Any],
                       frozen: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Write `<label>.pth` with all entries of `weights`, `<label>.safetensors` with the last and `<label>.json` with `config`.

    Args:
        weights: state dicts under BasicSR's names, `params` and, when there is an average, `params_ema` last.
        frozen: which frozen parts the network was trained with; goes into all three under `FROZEN_KEY`, in safetensors into the
            metadata as JSON.
    """
    on_cpu = {key: {name: value.detach().cpu() for name, value in state.items()} for key, state in weights.items()}
    last = {name: value.contiguous() for name, value in list(on_cpu.values())[-1].items()}
    parts = {FROZEN_KEY: frozen} if frozen else {}
    metadata = {'format': 'pt', **{key: json.dumps(value) for key, value in parts.items()}}
    text = json.dumps({**config, **parts}, indent=2) + '\n'
    write_whole(folder / f'{label}.pth', lambda path: torch.save({**on_cpu, **parts}, path))
    write_whole(folder / f'{label}.safetensors', lambda path: save_file(last, path, metadata=metadata))
    write_whole(folder / f'{label}.json', lambda path: path.write_text(text))


def prune(models: Path, states: Path, iteration: int, keep: int) -> None:
    """Delete all but the `keep` newest checkpoints up to `iteration`, states before networks; later ones and `latest` stay.

    The state of `iteration` is there already. Temporary files that a killed run left are deleted as well.
    """
    numbers = {path: _iteration_of(path) for path in (*states.glob('*.state'), *models.glob('net_g_*.*'))}
    saved = [number for path, number in numbers.items() if path.suffix == '.state' and number is not None and number <= iteration]
    oldest = sorted(saved)[-keep:][0]
    for path, number in numbers.items():
        if number is not None and number < oldest:
            path.unlink()
    for path in (*states.glob('.*.tmp'), *models.glob('.*.tmp')):
        path.unlink()


def _iteration_of(path: Path) -> int | None:
    match = re.fullmatch(r'(?:net_g_)?(\d+)', path.stem)
    return int(match.group(1)) if match else None


def _shown(names: list[str]) -> str:
    return ', '.join(names[:SHOWN_KEYS]) + (', ...' if len(names) > SHOWN_KEYS else '')


def _first_line(error: Exception) -> str:
    return str(error).strip().split('\n')[0] or type(error).__name__
