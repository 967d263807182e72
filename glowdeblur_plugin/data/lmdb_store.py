"""Packed sets: one LMDB folder a set, readable by BasicSR's own datasets.

    <set>.lmdb/data.mdb        key -> PNG, RGB, 8 bit, compression level 1
    <set>.lmdb/meta_info.txt   BasicSR's list, one line a picture: `key.png (height,width,3) 1`
    <set>.lmdb/manifest.json   format, encoding, name and version of the source set, number of pictures

A set is built in a hidden sibling folder and renamed when complete, so a half-written one never carries the set's name.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import cv2
import lmdb
import numpy as np

from glowdeblur_plugin.errors import UserError

FORMAT = 1
DATA_FILE = 'data.mdb'
META_FILE = 'meta_info.txt'
MANIFEST_FILE = 'manifest.json'
META_LINE = re.compile(r'(?P<key>[^.]+)\.\w+ \((?P<height>\d+),(?P<width>\d+)(,\d+)?\) \d+')
VALID_KEY = re.compile(r'[A-Za-z0-9_\-]{1,200}')
FIRST_MAP_BYTES = 1 << 26


@dataclass(frozen=True)
class Manifest:
    """What a packed set says about itself: `set_version` rises when a packer's output changes."""

    set: str
    set_version: int
    count: int
    encoding: str = 'png'
    format: int = FORMAT


class LmdbWriter:
    """Writes one packed set; a context manager that publishes the set at a clean exit and leaves nothing behind otherwise.

    Args:
        path: the set's folder, `<name>.lmdb`; a set that is there already is replaced at the exit.
        set_name, set_version: go into the manifest.

    Raises:
        UserError: another name than `<name>.lmdb`; or, when it is used, what is there cannot be written.
    """

    def __init__(self, path: Path, set_name: str, set_version: int = 1) -> None:
        if path.suffix != '.lmdb':
            raise UserError(f"{path}: the name of a packed set must end in '.lmdb'")
        self.path, self.set_name, self.set_version = path, set_name, set_version
        self._folder = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
        self._lines: dict[str, str] = {}

    def __enter__(self) -> Self:
        with _as_user_error(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(self.path)
            self._map_bytes = FIRST_MAP_BYTES
            self._environment = lmdb.open(str(self._folder), map_size=self._map_bytes, lock=False, sync=False)
        return self

    def put(self, key: str, picture: np.ndarray) -> None:
        """Add `picture`, uint8 RGB (H, W, 3), under `key` (letters, digits, '_' and '-': BasicSR cuts keys at a dot).

        Raises:
            UserError: a key of another form or one that is there already.
        """
        if not VALID_KEY.fullmatch(key):
            raise UserError(f"{self.path}: key '{key}' is refused, keys are made of letters, digits, '_' and '-'")
        if key in self._lines:
            raise UserError(f"{self.path}: key '{key}' comes twice")
        height, width, channels = picture.shape
        _, data = cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        with _as_user_error(self.path):
            self._write(key.encode('ascii'), data.tobytes())
        self._lines[key] = f'{key}.png ({height},{width},{channels}) 1'

    def _write(self, key: bytes, data: bytes) -> None:
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    transaction.put(key, data)
                return
            except lmdb.MapFullError:
                self._map_bytes *= 2
                self._environment.set_mapsize(self._map_bytes)

    def __exit__(self, exception_type: type[BaseException] | None, *_: object) -> None:
        try:
            with _as_user_error(self.path):
                if exception_type is None:
                    self._environment.sync(True)
                self._environment.close()
                if exception_type is None:
                    self._publish()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _publish(self) -> None:
        manifest = Manifest(self.set_name, self.set_version, len(self._lines))
        (self._folder / META_FILE).write_text(''.join(f'{line}\n' for line in self._lines.values()), encoding='ascii')
        (self._folder / MANIFEST_FILE).write_text(json.dumps(asdict(manifest), indent=2) + '\n', encoding='utf-8')
        old = self.path.with_name(f'.{self.path.name}.{os.getpid()}.old.tmp')
        with suppress(FileNotFoundError):
            os.replace(self.path, old)
        try:
            os.replace(self._folder, self.path)
        except OSError:
            # Another process published the same set between the two renames; its set is as complete as this one.
            if read_manifest(self.path) != manifest:
                raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _as_user_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, lmdb.Error) as error:
        raise UserError(f'{path}: cannot be written ({error})') from error


def _remove_leftovers(path: Path) -> None:
    """Delete what writers of this set left behind whose process was killed."""
    for folder in path.parent.glob(f'.{path.name}.*.tmp'):
        process = folder.name.removeprefix(f'.{path.name}.').split('.')[0]
        if process.isdecimal() and (int(process) == os.getpid() or not _is_alive(int(process))):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


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
    except (ValueError, TypeError) as error:
        raise UserError(f'{file}: cannot be read ({error}); pack the set again') from None
    if (manifest.format, manifest.encoding) != (FORMAT, 'png'):
        raise UserError(f'{file}: format {manifest.format} with encoding {manifest.encoding!r} is not known to this version, '
                        f"which reads format {FORMAT} with encoding 'png'")
    return manifest


def read_sizes(path: Path) -> dict[str, tuple[int, int]]:
    """Key to (height, width) in pixels, from the set's `meta_info.txt`.

    Raises:
        UserError: the file is missing or no text, or a line has another form.
    """
    file = path / META_FILE
    if not file.is_file():
        raise UserError(f'{file}: missing; a packed set holds data.mdb and {META_FILE}, pack it again')
    try:
        lines = file.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{file}: cannot be read ({error}); pack the set again') from None
    sizes = {}
    for number, line in enumerate(lines, start=1):
        match = META_LINE.fullmatch(line.strip())
        if match is None:
            raise UserError(f"{file}: line {number} is {line!r}, expected 'key.png (height,width,3) 1' with no dot in the key")
        sizes[match['key']] = (int(match['height']), int(match['width']))
    return sizes


_environments: dict[str, tuple[int, lmdb.Environment]] = {}


def environment(path: Path) -> lmdb.Environment:
    """The process's one read-only environment of a packed set.

    py-lmdb allows one environment a path and process, and a forked worker inherits its parent's. So they are kept by path with
    the process that opened them; a worker closes the inherited copy and opens its own.

    Raises:
        UserError: not an LMDB environment.
    """
    real_path = os.path.realpath(path)
    process, known = _environments.get(real_path, (None, None))
    if process == os.getpid():
        return known
    if known is not None:
        known.close()
    opened = _open(path, real_path)
    _environments[real_path] = (os.getpid(), opened)
    return opened


def check_whole(path: Path) -> None:
    """Look once whether a packed set's data is all there; what is opened for it is closed again.

    Raises:
        UserError: not an LMDB environment, or one that was cut short (reading it would kill the process).
    """
    real_path = os.path.realpath(path)
    process, _ = _environments.get(real_path, (None, None))
    if process == os.getpid():
        return
    with _open(path, real_path) as opened:
        needed = (opened.info()['last_pgno'] + 1) * opened.stat()['psize']
    found = (path / DATA_FILE).stat().st_size
    if found < needed:
        raise UserError(f'{path / DATA_FILE}: is cut short, {found} of {needed} bytes are there; pack the set again')


def _open(path: Path, real_path: str) -> lmdb.Environment:
    try:
        return lmdb.open(real_path, readonly=True, lock=False, readahead=False, meminit=False, create=False)
    except lmdb.Error as error:
        raise UserError(f'{path}: not a packed set that can be read ({error}); pack it again') from None


def read_record(path: Path, key: str) -> bytes:
    """The bytes stored under `key`.

    Raises:
        UserError: no such key in the set.
    """
    with environment(path).begin() as transaction:
        data = transaction.get(key.encode())
    if data is None:
        raise UserError(f"{path}: no picture under key '{key}', though {META_FILE} lists it; pack the set again")
    return data
