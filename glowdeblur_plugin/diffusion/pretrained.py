"""Where pretrained parts come from, and which weights exactly they are."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from diffusers.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME, is_accelerate_available
from huggingface_hub import try_to_load_from_cache

from glowdeblur_plugin.errors import UserError

Part = TypeVar('Part')
CHUNK = 2**22
WEIGHTS_NAMES = (SAFETENSORS_WEIGHTS_NAME, 'model.safetensors')  # diffusers' and transformers'


@dataclass(frozen=True)
class WeightsReference:
    """Weights that are used but not saved with ours.

    Attributes:
        source: folder or hub id, as the option file names it.
        sha256: of the weights file; of all its files one after the other where the weights are split.
    """

    source: str
    sha256: str

    def __str__(self) -> str:
        return f"'{self.source}' (sha256 {self.sha256[:12]})"


def split_source(source: str) -> tuple[str, str | None]:
    """Folder or hub id, and sub-folder in it: `org/repository/transformer` is the sub-folder `transformer` of the hub's
    `org/repository`."""
    parts = source.split('/')
    if Path(source).exists() or len(parts) < 3 or not all(parts) or source.startswith('.'):
        return source, None
    return '/'.join(parts[:2]), '/'.join(parts[2:])


def load_part(option: str, kind: type[Part], source: str) -> Part:
    """A diffusers model of class `kind` from a folder or hub id, from safetensors alone, in float32 whatever the files hold.

    Under `torch.device('meta')` only the config is read, if it is on this machine, and the model has shapes without values.

    Args:
        option: the option that named it; starts the error.

    Raises:
        UserError: nothing of that class is there, or some weights are missing (diffusers alone would leave them at random).
    """
    place, subfolder = split_source(source)
    load: Callable[..., tuple[Part, dict[str, list[str]]]] = kind.from_pretrained
    where = f'{"folder" if Path(source).exists() else "folder or hub id"} {source!r}'
    inner = {'subfolder': subfolder} if subfolder else {}
    try:
        if shapes_only():
            return kind.from_config(kind.load_config(place, local_files_only=True, **inner))
        part, info = load(place, use_safetensors=True, torch_dtype=torch.float32, output_loading_info=True,
                          low_cpu_mem_usage=is_accelerate_available(), **inner)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f'{option}: no {kind.__name__} in {where}: {why_refused(source, error)}') from error
    missing = info['missing_keys']
    if missing:
        raise UserError(f'{option}: the weights in {where} are not those of its config: {len(missing)} missing, such as '
                        f'{missing[0]}')
    return part


def why_refused(source: str, error: Exception) -> str:
    """What a library said when it could not load `source`, in one line; it takes a folder that is not there for a hub id."""
    if source.startswith(('/', '.', '~')) and not Path(source).exists():
        return 'there is no such folder'
    return ' '.join(str(error).split())


def weights_reference(source: str) -> WeightsReference:
    """Name and hash of the weights, of diffusers or transformers, that were just loaded from `source`; of none under
    `torch.device('meta')`."""
    return WeightsReference(source, _sha256([] if shapes_only() else _weights_files(_folder(source))))


def file_reference(path: Path) -> WeightsReference:
    """Name and hash of weights in a single file."""
    return WeightsReference(str(path), _sha256([path]))


def _sha256(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open('rb') as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def shapes_only() -> bool:
    """Whether models are built without values, under `torch.device('meta')`."""
    return torch.get_default_device().type == 'meta'


def _folder(source: str) -> Path:
    place, subfolder = split_source(source)
    if Path(place).exists():
        return Path(place)
    cached = try_to_load_from_cache(place, f'{subfolder}/{CONFIG_NAME}' if subfolder else CONFIG_NAME)
    if not isinstance(cached, str):
        raise FileNotFoundError(f'{source!r} is not in the cache of the hub')
    return Path(cached).parent


def _weights_files(folder: Path) -> list[Path]:
    for name in WEIGHTS_NAMES:
        index = folder / f'{name}.index.json'
        if index.exists():
            return [folder / part for part in sorted(set(json.loads(index.read_text())['weight_map'].values()))]
        if (folder / name).exists():
            return [folder / name]
    raise FileNotFoundError(f'{folder} holds neither {" nor ".join(WEIGHTS_NAMES)}')
