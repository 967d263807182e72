"""A file is written whole or not at all."""

from pathlib import Path

import pytest

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically


def test_text_and_bytes_replace_what_was_there_and_leave_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / 'folder' / 'file.txt'
    write_atomically(path, 'größer')
    assert path.read_bytes() == 'größer'.encode()
    write_atomically(path, b'\x00\xff')
    assert path.read_bytes() == b'\x00\xff' and list(path.parent.iterdir()) == [path]


def test_what_stood_there_stays_when_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / 'taken').mkdir()
    (tmp_path / 'taken' / 'kept').write_text('kept')
    with pytest.raises(UserError, match='taken: cannot be written'):
        write_atomically(tmp_path / 'taken', 'text')
    with pytest.raises(UserError, match='kept/below: cannot be written'):
        write_atomically(tmp_path / 'taken' / 'kept' / 'below', 'text')
    assert [path.name for path in tmp_path.rglob('*')] == ['taken', 'kept']
