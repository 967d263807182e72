"""Looking for damage in packed sets."""

from pathlib import Path
from typing import get_args

from glowdeblur_plugin.data.encodings import Encoding, decode_record, pixel_checksum
from glowdeblur_plugin.data.lmdb_store import check_whole, open_record, read_checksums, read_manifest, read_sizes
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.side_data import record_checksum
from glowdeblur_plugin.errors import UserError


def verify_set(root: Path, progress: Progress = silent) -> list[str]:
    """Read every record of a packed set, pictures decoded, and compare it with its checksum where the set has them.

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
    encoding = 'png' if manifest is None else manifest.encoding
    progress(f'{root}: verified', 0, len(sizes))
    for done, (key, size) in enumerate(sizes.items(), start=1):
        try:
            with open_record(root, key) as data:
                found = _checksum(data, encoding, size, f'{root}/{key}')
            if key not in checksums and checksums:
                problems.append(f'{root}/{key}: has no checksum; pack the set again')
            elif checksums and found != checksums[key]:
                problems.append(f'{root}/{key}: is damaged, its checksum is {found:08x} and should be {checksums[key]:08x}')
        except UserError as error:
            problems.append(str(error))
        progress(f'{root}: verified', done, len(sizes))
    return problems


def _checksum(data: memoryview, encoding: str, size: tuple[int, int], name: str) -> int:
    if encoding in get_args(Encoding):
        return pixel_checksum(decode_record(data, encoding, size, None, name))
    return record_checksum(data)
