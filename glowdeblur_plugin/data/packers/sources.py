"""Short texts that say which files a packed set is made of, and what becomes of them when a damaged file is replaced."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from glowdeblur_plugin.data.packers.check import Headers
from glowdeblur_plugin.data.packers.plan import Entry
from glowdeblur_plugin.files import write_atomically

FileState = list[int]  # bytes and time of the last change in ns


def states_digest(files: Iterable[Path]) -> str:
    """16 hexadecimal digits for bytes and times of `files`, which are there."""
    return _states_digest({str(number): _state(file) for number, file in enumerate(files)})


def names_digest(entries: Iterable[Entry], headers: Headers) -> str:
    """16 hexadecimal digits for keys, file names, sizes and kinds of pictures: equal for copies of a set in other places."""
    return _digest(f'{entry.key} {side} {file.name} {headers[file].height} {headers[file].width} {headers[file].kind}'
                   for entry in entries for side, files in entry.files.items() for file in files)


class SourceStates:
    """Bytes and times of a plan's files, as the fingerprint of work that may be interrupted.

    A damaged file that was found in an interrupted run is remembered in `memory` with its state in that run, so that its
    replacement alone does not make the work begin anew.

    Attributes:
        fingerprint: 16 hexadecimal digits.
    """

    def __init__(self, states: dict[str, FileState], memory: Path) -> None:
        self._states, self._memory = states, memory
        remembered = _read_memory(memory)
        before = {**states, **{name: state for name, state in remembered.get('damaged', {}).items() if name in states}}
        if remembered.get('fingerprint') == _states_digest(before):
            self._states = before
        self.fingerprint = _states_digest(self._states)

    @classmethod
    def of(cls, entries: Iterable[Entry], memory: Path) -> Self:
        """Look at the files of `entries`, which are there."""
        states = {}
        for entry in entries:
            for side, files in entry.files.items():
                for number, file in enumerate(files):
                    states[_name(entry.key, side, number)] = _state(file)
        return cls(states, memory)

    def remember(self, damaged: Iterable[tuple[Entry, str]]) -> None:
        """Keep the state of files in which damage was found."""
        names = [_name(entry.key, side, number) for entry, side in damaged for number in range(len(entry.files[side]))]
        names += [name for name in _read_memory(self._memory).get('damaged', {}) if name in self._states]
        text = json.dumps({'fingerprint': self.fingerprint, 'damaged': {name: self._states[name] for name in names}})
        write_atomically(self._memory, text)

    def forget(self) -> None:
        """The work is complete."""
        self._memory.unlink(missing_ok=True)


def _state(file: Path) -> FileState:
    found = file.stat()
    return [found.st_size, found.st_mtime_ns]


def _name(key: str, side: str, number: int) -> str:
    return f'{key} {side} {number}'


def _states_digest(states: dict[str, FileState]) -> str:
    return _digest(f'{name} {state}' for name, state in states.items())


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode(errors='surrogateescape') + b'\n')
    return digest.hexdigest()[:16]


def _read_memory(memory: Path) -> dict:
    try:
        return json.loads(memory.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
