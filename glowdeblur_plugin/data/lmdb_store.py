"""Packed sets as they are read: one LMDB folder a set, see `lmdb_writer` for how they come about.

    <set>.lmdb/data.mdb        key -> record, see `encodings` for pictures and `side_data` for what goes with them
    <set>.lmdb/meta_info.txt   BasicSR's list, one line a picture: `key.png (height,width,3) 1`
    <set>.lmdb/manifest.json   format, encoding, name and version of the source set, number of records, details of the packing
    <set>.lmdb/checksums.txt   one line a record: CRC-32 in eight hexadecimal digits, a blank, the key

The last also has a line for each of the two files above it. Sets made by BasicSR's tools have the first two and are read too.

LMDB lets a process open a set once, and ours is kept open. So BasicSR's own datasets and ours cannot read the same set in one
process, such as a training set of the one and a validation set of the other: whichever comes second is refused.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import lmdb

from glowdeblur_plugin.data.encodings import Encoding, SideEncoding
from glowdeblur_plugin.errors import UserError

FORMATS = (1, 2)
DATA_FILE = 'data.mdb'
META_FILE = 'meta_info.txt'
MANIFEST_FILE = 'manifest.json'
CHECKSUM_FILE = 'checksums.txt'
CHECKED_FILES = (META_FILE, MANIFEST_FILE)
META_LINE = re.compile(r'(?P<key>[^.]+)\.\w+ \((?P<height>\d+),(?P<width>\d+)(,\d+)?\) \d+')
CHECKSUM_LINE = re.compile(r'(?P<checksum>[0-9a-f]{8}) (?P<key>\S+)')
ENCODINGS = (*get_args(Encoding), *get_args(SideEncoding))
ALREADY_OPEN = 'already open in this process'


@dataclass(frozen=True)
class Manifest:
    """What a packed set says about itself.

    Attributes:
        set, set_version: name of the source set; the version rises when its packer's output changes.
        count: number of records.
        encoding: one of `ENCODINGS`.
        details: what else the packer knows, such as the variant of the source set, split, side and crop.
        format: of this folder; the second brought checksums.
    """

    set: str
    set_version: int
    count: int
    encoding: str = 'png'
    details: dict[str, Any] = field(default_factory=dict)
    format: int = FORMATS[-1]


def read_manifest(path: Path) -> Manifest | None:
    """The manifest of a packed set, or None for a set that has none (packed by other tools, or not there).

    Raises:
        UserError: a manifest that cannot be read, or of a format or encoding that this version does not know.
    """
    file = path / MANIFEST_FILE
    if not file.is_file():
        return None
    try:
        manifest = Manifest(**json.loads(file.read_text(encoding='utf-8')))
        _check_types(manifest)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f'{file}: cannot be read ({error}); pack the set again') from None
    if manifest.format not in FORMATS or manifest.encoding not in ENCODINGS:
        raise UserError(f'{file}: format {manifest.format} with encoding {manifest.encoding!r} is not known to this version, '
                        f'which reads formats {FORMATS[0]} to {FORMATS[-1]} with encodings {", ".join(ENCODINGS)}')
    return manifest


def _check_types(manifest: Manifest) -> None:
    kinds = {'set': str, 'set_version': int, 'count': int, 'encoding': str, 'details': dict, 'format': int}
    for name, kind in kinds.items():
        if not isinstance(getattr(manifest, name), kind):
            raise TypeError(f'{name} is {getattr(manifest, name)!r}')


def read_sizes(path: Path) -> dict[str, tuple[int, int]]:
    """Key to (height, width) in pixels, from the set's `meta_info.txt`.

    Raises:
        UserError: the file is missing or no text, or a line has another form.
    """
    file = path / META_FILE
    if not file.is_file():
        raise UserError(f'{file}: missing; a packed set holds data.mdb and {META_FILE}, pack it again')
    lines = _matching_lines(file, META_LINE, "'key.png (height,width,3) 1' with no dot in the key")
    return {match['key']: (int(match['height']), int(match['width'])) for match in lines}


def read_checksums(path: Path) -> dict[str, int]:
    """Key to CRC-32 of the record; empty for a set that has none.

    Raises:
        UserError: the file is no text, or a line has another form.
    """
    return {name: checksum for name, checksum in _checksums(path).items() if name not in CHECKED_FILES}


def read_file_checksums(path: Path) -> dict[str, int]:
    """Name to CRC-32 of `CHECKED_FILES`; empty for a set that has none; raises as `read_checksums` does."""
    return {name: checksum for name, checksum in _checksums(path).items() if name in CHECKED_FILES}


def _checksums(path: Path) -> dict[str, int]:
    file = path / CHECKSUM_FILE
    if not file.is_file():
        return {}
    lines = _matching_lines(file, CHECKSUM_LINE, "eight hexadecimal digits, a blank and the key")
    return {match['key']: int(match['checksum'], 16) for match in lines}


def _matching_lines(file: Path, pattern: re.Pattern[str], form: str) -> Iterator[re.Match[str]]:
    try:
        lines = file.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{file}: cannot be read ({error}); pack the set again') from None
    for number, line in enumerate(lines, start=1):
        match = pattern.fullmatch(line.strip())
        if match is None:
            raise UserError(f'{file}: line {number} is {line!r}, expected {form}')
        yield match


_environments: dict[str, tuple[int, lmdb.Environment]] = {}
_NONE: tuple[int, None] = (-1, None)


def environment(path: Path) -> lmdb.Environment:
    """The process's one read-only environment of a packed set.

    py-lmdb allows one environment a path and process, and a forked worker inherits its parent's. So they are kept by real path
    (and, to find them fast, by the absolute path that was asked for) with the process that opened them; a worker closes the
    inherited copy and opens its own.

    Raises:
        UserError: not an LMDB environment, or one that another reader has open in this process.
    """
    name = os.fspath(path)
    process, known = _environments.get(name, _NONE)
    if process == os.getpid():
        return known
    real_path = os.path.realpath(path)
    process, known = _environments.get(real_path, _NONE)
    if process != os.getpid():
        if known is not None:
            known.close()
        known = _open(path, real_path)
        _environments[real_path] = (os.getpid(), known)
    if os.path.isabs(name):
        _environments[name] = (os.getpid(), known)
    return known


def close_environment(path: Path) -> None:
    """Close this process's environment of a packed set, if it has one; the next read opens what is there by then."""
    process, known = _environments.get(os.path.realpath(path), _NONE)
    if process == os.getpid():
        for name in [name for name, (_, found) in _environments.items() if found is known]:
            del _environments[name]
        known.close()


def check_whole(path: Path) -> None:
    """Look once whether a packed set's data is all there; what is opened for it is closed again.

    Raises:
        UserError: not an LMDB environment, or one that was cut short (reading it would kill the process).
    """
    real_path = os.path.realpath(path)
    process, _ = _environments.get(real_path, _NONE)
    if process == os.getpid():
        return
    with _open(path, real_path) as opened:
        needed = (opened.info()['last_pgno'] + 1) * opened.stat()['psize']
    found = (path / DATA_FILE).stat().st_size
    if found < needed:
        raise UserError(f'{path / DATA_FILE}: is cut short, {found} of {needed} bytes are there; pack the set again')


def _open(path: Path, real_path: str) -> lmdb.Environment:
    """With the system's read-ahead: records are large, and without it a first epoch from the disk takes seven times as long."""
    try:
        return lmdb.open(os.fsencode(real_path), readonly=True, lock=False, readahead=True, meminit=False, create=False)
    except lmdb.Error as error:
        if ALREADY_OPEN in str(error):
            raise UserError(f"{path}: another reader has it open in this process, such as one of BasicSR's own datasets, and "
                            'LMDB opens a set once; give all sections that read this set a type of this plugin') from None
        raise UserError(f'{path}: not a packed set that can be read ({error}); pack it again') from None


@contextmanager
def open_record(path: Path, key: str) -> Iterator[memoryview]:
    """The record stored under `key`, as mapped memory that must not be used after the block.

    Raises:
        UserError: no such key in the set, or its data is damaged.
    """
    with _damage_named(f'{path}/{key}'), environment(path).begin(buffers=True) as transaction:
        data = transaction.get(key.encode())
        if data is None:
            raise UserError(f"{path}: no record under key '{key}', though {META_FILE} lists it; pack the set again")
        yield data


def stored_keys(path: Path) -> list[str]:
    """Keys of all records in their order, whatever is listed.

    Raises:
        UserError: the data is damaged.
    """
    with _damage_named(str(path)), environment(path).begin() as transaction:
        return [key.decode(errors='backslashreplace') for key in transaction.cursor().iternext(values=False)]


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    try:
        yield
    except lmdb.Error as error:
        raise UserError(f'{name}: cannot be read, {DATA_FILE} is damaged ({error}); pack the set again') from None


def read_record(path: Path, key: str) -> bytes:
    """A copy of the record stored under `key`; raises as `open_record` does."""
    with open_record(path, key) as data:
        return bytes(data)
