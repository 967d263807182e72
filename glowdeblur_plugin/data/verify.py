"""Looking for damage in packed sets."""

import zlib
from pathlib import Path

from glowdeblur_plugin.data.encodings import decode_record
from glowdeblur_plugin.data.lmdb_store import (check_whole, close_environment, open_record, read_checksums, read_manifest,
                                               read_sizes)
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError


def verify_set(root: Path, progress: Progress = silent) -> list[str]:
    """Read every record of a packed set and compare it with its checksum; in sets of other tools, which have none, decode it.

    Returns:
        One line for each damaged record, with its set and key; empty when all is well.

    Raises:
        UserError: the set cannot be opened at all.
    """
    manifest = read_manifest(root)
    sizes, checksums = read_sizes(root), read_checksums(root)
    check_whole(root)
    problems = []
    if manifest is not None and manifest.count != len(sizes):
        problems.append(f'{root}: lists {len(sizes)} records, but its manifest counts {manifest.count}')
    progress(f'{root}: verified', 0, len(sizes))
    for done, (key, size) in enumerate(sizes.items(), start=1):
        try:
            with open_record(root, key) as data:
                if checksums:
                    _compare(data, checksums.get(key), f'{root}/{key}')
                else:
                    decode_record(data, 'png', size, None, f'{root}/{key}')
        except UserError as error:
            problems.append(str(error))
        progress(f'{root}: verified', done, len(sizes))
    close_environment(root)
    return problems


def _compare(data: memoryview, expected: int | None, name: str) -> None:
    found = zlib.crc32(data)
    if expected is None:
        raise UserError(f'{name}: has no checksum; pack the set again')
    if found != expected:
        raise UserError(f'{name}: is damaged, its checksum is {found:08x} and should be {expected:08x}; pack the set again')
