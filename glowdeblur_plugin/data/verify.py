"""Looking for damage in packed sets."""

import zlib
from dataclasses import dataclass
from pathlib import Path

from glowdeblur_plugin.data.encodings import decode_record
from glowdeblur_plugin.data.lmdb_store import (CHECKED_FILES, CHECKSUM_FILE, DATA_FILE, FORMATS, META_FILE, Manifest,
                                               check_whole, open_record, read_checksums, read_file_checksums, read_manifest,
                                               read_sizes, stored_keys)
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.side_data import decode_array, decode_caption
from glowdeblur_plugin.data.workers import WorkerKilledError, Workers, usable_cores
from glowdeblur_plugin.errors import UserError

RECORDS_A_TASK = 16
WITH_CHECKSUMS = FORMATS[1]


@dataclass(frozen=True)
class _Task:
    """Some records of a set.

    Attributes:
        encoding: None where it is not known.
        records: key -> size as listed, and checksum; None where it lacks.
        compared: false where the whole set has no checksums.
        channels: of side data that is a grid.
    """

    root: Path
    encoding: str | None
    records: dict[str, tuple[tuple[int, int], int | None]]
    compared: bool
    channels: int


def verify_set(root: Path, progress: Progress = silent) -> list[str]:
    """Read every record of a packed set, compare it with its checksum and decode it, and compare the set's lists with theirs.

    Sets of other tools have no checksums; theirs are decoded as PNG. The records are read in processes of their own, because
    LMDB follows damaged data to where no memory is and the system then kills the process.

    Returns:
        One line for each damaged record and list, with its set and key; empty when all is well.

    Raises:
        UserError: the set cannot be opened at all.
    """
    manifest, sizes = read_manifest(root), read_sizes(root)
    checksums, of_files = read_checksums(root), read_file_checksums(root)
    check_whole(root)
    problems, keys, done = _damaged_lists(root, manifest, len(sizes), of_files), list(sizes), 0
    encoding = manifest.encoding if manifest is not None else None if of_files else 'png'
    channels = 3 if manifest is None else manifest.details.get('channels', 3)
    tasks = (_Task(root, encoding, {key: (sizes[key], checksums.get(key)) for key in keys[start:start + RECORDS_A_TASK]},
                   bool(of_files or checksums), channels) for start in range(0, len(keys), RECORDS_A_TASK))
    progress(f'{root}: verified', 0, len(keys))
    try:
        with Workers(max(2, usable_cores())) as workers:
            problems += next(workers.map(_unlisted, [(root, set(sizes))]))
            for found in workers.map(_damaged, tasks):
                problems += found
                done = min(done + RECORDS_A_TASK, len(keys))
                progress(f'{root}: verified', done, len(keys))
    except WorkerKilledError:
        first = f'/{keys[done]}: this record or one after it' if keys else ': a record'
        problems.append(f'{root}{first} killed the process that read it, {DATA_FILE} is damaged (or the memory was used up), '
                        'and the rest was not looked at; pack the set again')
    return problems


def _damaged_lists(root: Path, manifest: Manifest | None, count: int, of_files: dict[str, int]) -> list[str]:
    problems = []
    if manifest is not None and manifest.count != count:
        problems.append(f'{root}: lists {count} records, but its manifest counts {manifest.count}')
    if not of_files and manifest is not None and manifest.format >= WITH_CHECKSUMS:
        problems.append(f'{root / CHECKSUM_FILE}: missing or without the checksums of {" and ".join(CHECKED_FILES)}; '
                        'pack the set again')
    for name in CHECKED_FILES if of_files else ():
        if not (root / name).is_file():
            problems.append(f'{root / name}: missing; pack the set again')
        elif zlib.crc32((root / name).read_bytes()) != of_files.get(name):
            problems.append(f'{root / name}: was changed since the set was packed; pack the set again')
    return problems


def _unlisted(root_and_listed: tuple[Path, set[str]]) -> list[str]:
    root, listed = root_and_listed
    try:
        unlisted = [key for key in stored_keys(root) if key not in listed]
    except UserError as error:
        return [str(error)]
    return [f'{root}: {META_FILE} does not list {len(unlisted)} of its records, such as {unlisted[0]}'] if unlisted else []


def _damaged(task: _Task) -> list[str]:
    problems = []
    for key, (size, checksum) in task.records.items():
        try:
            with open_record(task.root, key) as data:
                if task.compared:
                    _compare(data, checksum, f'{task.root}/{key}')
                if task.encoding is not None:
                    _decode(data, task, size, f'{task.root}/{key}')
        except UserError as error:
            problems.append(str(error))
    return problems


def _compare(data: memoryview, expected: int | None, name: str) -> None:
    found = zlib.crc32(data)
    if expected is None:
        raise UserError(f'{name}: has no checksum; pack the set again')
    if found != expected:
        raise UserError(f'{name}: is damaged, its checksum is {found:08x} and should be {expected:08x}; pack the set again')


def _decode(data: memoryview, task: _Task, size: tuple[int, int], name: str) -> None:
    if task.encoding == 'caption':
        decode_caption(data, size[0], name)
    elif task.encoding == 'embedding':
        decode_array(data, size, name)
    elif task.encoding in ('motion', 'latent'):
        decode_array(data, (task.channels, *size), name)
    else:
        decode_record(data, task.encoding, size, None, name)
