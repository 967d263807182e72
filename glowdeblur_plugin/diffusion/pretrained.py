"""Where pretrained parts come from."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from glowdeblur_plugin.errors import UserError

Part = TypeVar('Part')


def split_source(source: str) -> tuple[str, str | None]:
    """Folder or hub id, and sub-folder in it: `org/repository/transformer` is the sub-folder `transformer` of the hub's
    `org/repository`."""
    parts = source.split('/')
    if Path(source).exists() or len(parts) < 3 or not all(parts) or source.startswith('.'):
        return source, None
    return '/'.join(parts[:2]), '/'.join(parts[2:])


def load_part(option: str, kind: type[Part], source: str) -> Part:
    """A diffusers model of class `kind` from a folder or hub id, from safetensors alone.

    Args:
        option: the option that named it; starts the error.

    Raises:
        UserError: nothing of that class is there.
    """
    place, subfolder = split_source(source)
    load: Callable[..., Part] = kind.from_pretrained
    try:
        return load(place, use_safetensors=True, **({'subfolder': subfolder} if subfolder else {}))
    except (OSError, ValueError) as error:
        where = 'folder' if Path(source).exists() else 'folder or hub id'
        raise UserError(f'{option}: no {kind.__name__} in {where} {source!r}: {str(error).splitlines()[0]}') from error
