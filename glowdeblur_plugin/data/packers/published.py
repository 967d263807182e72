"""Packed sets that are there already."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from glowdeblur_plugin.data.lmdb_store import MANIFEST_FILE, Manifest, read_manifest
from glowdeblur_plugin.errors import UserError

ADVICE = 'delete it to pack it again, or give another --out'


def is_there(path: Path, expected: Manifest, sources: Iterable[Path]) -> bool:
    """Whether the packed set `path` is there, made from `sources` as they are now.

    Raises:
        UserError: another set is there, or a source is newer than it.
    """
    if not os.path.exists(path):
        return False
    found = read_manifest(path)
    if found is None:
        raise UserError(f'{path}: is there already and was packed by another tool; {ADVICE}')
    differences = manifest_differences(found, expected)
    if differences:
        raise UserError(f'{path}: is there already and differs ({differences}); {ADVICE}')
    packed = (path / MANIFEST_FILE).stat().st_mtime_ns
    newer = next((source for source in sources if source.stat().st_mtime_ns > packed), None)
    if newer is not None:
        raise UserError(f'{path}: is there already and older than {newer}; {ADVICE}')
    return True


def manifest_differences(found: Manifest, expected: Manifest) -> str:
    """What `found` says otherwise than `expected`, the number of records and the format left aside; empty when they agree."""
    details = json.loads(json.dumps(expected.details))
    values = {name: (getattr(found, name), getattr(expected, name)) for name in ('set', 'set_version', 'encoding')}
    values |= {name: (found.details.get(name), details.get(name)) for name in (*details, *found.details)}
    return ', '.join(f'{name} is {old!r}, not {new!r}' for name, (old, new) in values.items() if old != new)
