"""Records from one packed set into another as they are."""

import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

from glowdeblur_plugin.data.encodings import EncodedPicture
from glowdeblur_plugin.data.lmdb_store import (CHECKSUM_FILE, Manifest, check_whole, read_checksums, read_manifest, read_record,
                                               read_sizes)
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError


def require_manifest(path: Path) -> Manifest:
    """The manifest of a complete set that was packed here.

    Raises:
        UserError: not there, packed by other tools or an earlier version, or damaged.
    """
    manifest = read_manifest(path)
    if manifest is None or not read_checksums(path) and manifest.count:
        problem = 'was not packed by this version' if path.exists() else 'does not exist'
        raise UserError(f'{path}: {problem}; pack it with glowdeblur pack')
    check_whole(path)
    return manifest


def records_fingerprint(sources: Iterable[Path]) -> str:
    """What the records of `sources` are, for a writer that they are copied into."""
    return ' '.join(f'{zlib.crc32((source / CHECKSUM_FILE).read_bytes()):08x}' for source in sources)


def copy_records(source: Path, keys: Collection[str], writer: LmdbWriter, progress: Progress = silent) -> None:
    """Put the records of `source` under `keys` into `writer`, but for those that it has.

    Raises:
        UserError: a record is missing or damaged, or cannot be written.
    """
    sizes, checksums, task = read_sizes(source), read_checksums(source), f'{source.name}: copied'
    progress(task, 0, len(keys))
    for done, key in enumerate(keys, start=1):
        if key not in writer.written:
            record = EncodedPicture(read_record(source, key), *sizes[key])
            if record.checksum != checksums.get(key):
                raise UserError(f'{source}/{key}: the record is damaged; pack the set again')
            writer.put_encoded(key, record)
        progress(task, done, len(keys))
