"""Files that are there whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from glowdeblur_plugin.errors import UserError


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write `data` (text as UTF-8) to a temporary file beside `path` and move it there; missing folders are made.

    Raises:
        UserError: it cannot be written; what stood at `path` stays.
    """
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise UserError(f'{path}: cannot be written ({error.strerror or error})') from error
