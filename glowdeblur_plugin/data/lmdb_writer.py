"""Writing packed sets: atomic, and able to go on where a killed run stopped.

A set is built in the hidden folder `.<name>.partial` beside it and renamed when complete, so a half-written one never carries the
set's name. Each record is one transaction, and then one line of `journal.txt`; what the journal names and the data holds is there
after a kill. (Nothing is forced to the disk before the end: after a power failure delete the hidden folder. A published set is
on the disk as a whole.)
"""

import errno
import fcntl
import json
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, TextIO

import lmdb
import numpy as np

from glowdeblur_plugin.data.encodings import EncodedPicture, encode_picture
from glowdeblur_plugin.data.lmdb_store import CHECKSUM_FILE, MANIFEST_FILE, META_FILE, Manifest, close_environment
from glowdeblur_plugin.errors import UserError

JOURNAL_FILE, PLAN_FILE, LOCK_FILE = 'journal.txt', 'plan.json', 'writing.lock'
VALID_KEY = re.compile(r'[A-Za-z0-9_\-]{1,200}')
FIRST_MAP_BYTES = 1 << 26
CHANNELS = {'caption': 1, 'embedding': 1}
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
NO_FOLDERS_FORCED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class LmdbWriter:
    """Writes one packed set; a context manager that publishes it at a clean exit.

    Args:
        path: the set's folder, `<name>.lmdb`; a set that is there already is replaced at the exit.
        set_name, set_version, encoding, details: go into the manifest, see `Manifest`.
        fingerprint: says what is being packed. After an exception or a kill the work stays in the hidden folder, and a writer of
            the same set, encoding, details and fingerprint goes on there. Without one, every writer starts anew and nothing is
            left behind after an exception.

    Attributes:
        written: keys that were written before this writer began.

    Raises:
        UserError: another name than `<name>.lmdb`; another process is writing the set; or what is there cannot be written.
    """

    def __init__(self, path: Path, set_name: str, set_version: int = 1, *, encoding: str = 'png',
                 fingerprint: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        if path.suffix != '.lmdb':
            raise UserError(f"{path}: the name of a packed set must end in '.lmdb'")
        self.path, self._fingerprint = path, fingerprint
        self._manifest = Manifest(set_name, set_version, 0, encoding, dict(details or {}))
        self._folder, self._old = (path.with_name(f'.{path.name}.{end}') for end in ('partial', 'old'))

    def __enter__(self) -> Self:
        with _as_user_error(self.path):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self._folder / LOCK_FILE, self.path)
            if self._old.exists() and not self.path.exists():
                os.replace(self._old, self.path)
            self._lines = self._resume()
            self._journal = open(self._folder / JOURNAL_FILE, 'a', encoding='ascii')
        self.written = frozenset(self._lines)
        return self

    def put(self, key: str, picture: np.ndarray) -> None:
        """Add `picture`, uint8 RGB (H, W, 3), under `key`; see `put_encoded`."""
        self.put_encoded(key, encode_picture(picture, self._manifest.encoding))

    def put_encoded(self, key: str, record: EncodedPicture) -> None:
        """Add a record under `key` (letters, digits, '_' and '-': BasicSR cuts keys at a dot).

        Raises:
            UserError: a key of another form or one that is there already.
        """
        if not VALID_KEY.fullmatch(key):
            raise UserError(f"{self.path}: key '{key}' is refused, keys are made of letters, digits, '_' and '-'")
        if key in self._lines:
            raise UserError(f"{self.path}: key '{key}' comes twice")
        entry = (record.height, record.width, record.checksum)
        with _as_user_error(self.path):
            self._write(key.encode('ascii'), record.data)
            self._journal.write(f'{key} {" ".join(map(str, entry))}\n')
            self._journal.flush()
        self._lines[key] = entry

    def _resume(self) -> dict[str, tuple[int, int, int]]:
        """Open the environment; key -> (height, width, checksum) of what an interrupted run of the same plan left in it."""
        plan = json.dumps({**asdict(self._manifest), 'fingerprint': self._fingerprint}, sort_keys=True)
        plan_file = self._folder / PLAN_FILE
        if self._fingerprint is not None and plan_file.is_file() and plan_file.read_text(encoding='utf-8') == plan:
            try:
                self._open()
            except lmdb.Error:
                pass
            else:
                return self._read_journal()
        for entry in self._folder.iterdir():
            if entry.name != LOCK_FILE:
                entry.unlink()
        plan_file.write_text(plan, encoding='utf-8')
        self._open()
        return {}

    def _open(self) -> None:
        data = self._folder / 'data.mdb'
        self._map_bytes = max(FIRST_MAP_BYTES, 2 * data.stat().st_size if data.exists() else 0)
        self._environment = lmdb.open(os.fsencode(self._folder), map_size=self._map_bytes, lock=False, sync=False)

    def _read_journal(self) -> dict[str, tuple[int, int, int]]:
        journal, found = self._folder / JOURNAL_FILE, {}
        text = journal.read_text(encoding='ascii') if journal.exists() else ''
        whole = text[:text.rfind('\n') + 1]
        with self._environment.begin() as transaction:
            for line in whole.splitlines():
                key, *entry = line.split(' ')
                if transaction.get(key.encode('ascii')) is not None:
                    found[key] = tuple(map(int, entry))
        if whole != text:
            os.truncate(journal, len(whole))
        return found

    def _write(self, key: bytes, data: bytes) -> None:
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    transaction.put(key, data)
                return
            except lmdb.MapFullError:
                self._map_bytes = max(2 * self._map_bytes, self._map_bytes + 2 * len(data))
                self._environment.set_mapsize(self._map_bytes)

    def __exit__(self, exception_type: type[BaseException] | None, *_: object) -> None:
        try:
            with _as_user_error(self.path):
                self._journal.close()
                if exception_type is None:
                    self._environment.sync(True)
                self._environment.close()
                if exception_type is None:
                    self._publish()
        finally:
            if self._fingerprint is None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._lock.close()

    def _publish(self) -> None:
        manifest = {**asdict(self._manifest), 'count': len(self._lines)}
        encoding, lines = manifest['encoding'], sorted(self._lines.items())
        channels = manifest['details'].get('channels', CHANNELS.get(encoding, 3))
        sizes = ''.join(f'{key}.{encoding} ({height},{width},{channels}) 1\n' for key, (height, width, _) in lines)
        lists = {META_FILE: sizes.encode(), MANIFEST_FILE: f'{json.dumps(manifest, indent=2)}\n'.encode()}
        checksums = {name: zlib.crc32(data) for name, data in lists.items()} | {key: entry[2] for key, entry in lines}
        lists[CHECKSUM_FILE] = ''.join(f'{checksum:08x} {name}\n' for name, checksum in checksums.items()).encode()
        for name, data in lists.items():
            _write_to_disk(self._folder / name, data)
        _force_to_disk(self._folder)
        close_environment(self.path)
        shutil.rmtree(self._old, ignore_errors=True)
        if self.path.exists():
            os.replace(self.path, self._old)
        os.replace(self._folder, self.path)
        _force_to_disk(self.path.parent)
        for name in (LOCK_FILE, JOURNAL_FILE, PLAN_FILE):
            (self.path / name).unlink()
        shutil.rmtree(self._old, ignore_errors=True)


def _write_to_disk(file: Path, data: bytes) -> None:
    with open(file, 'wb') as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _force_to_disk(folder: Path) -> None:
    """What is in the folder stays in it through a power failure, where the file system can do that."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in NO_FOLDERS_FORCED:
            raise
    finally:
        os.close(opened)


def _lock(file: Path, path: Path) -> TextIO:
    """Hold `file` for this process alone, where the file system can do that."""
    lock = open(file, 'w', encoding='ascii')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            lock.close()
            raise UserError(f'{path}: another process is packing this set; wait for it, or give another --out') from None
    return lock


@contextmanager
def _as_user_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, lmdb.Error) as error:
        raise UserError(f'{path}: cannot be written ({error})') from error
