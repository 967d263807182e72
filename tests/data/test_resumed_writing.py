"""A writer that was stopped goes on where it was, and only with the same plan."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glowdeblur_plugin.data.lmdb_store import read_checksums, read_manifest, read_sizes
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.picture_source import LmdbSource


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (12, 9 + number, 3), dtype=np.uint8)


def write(root: Path, count: int, fingerprint: str | None, stop_at: int | None = None, **settings) -> list[str]:
    """Write pictures that are not there yet; the keys that this call wrote."""
    added = []
    with LmdbWriter(root, 'test', fingerprint=fingerprint, **settings) as writer:
        for number in range(count):
            if number == stop_at:
                raise KeyboardInterrupt
            if f'p{number}' not in writer.written:
                writer.put(f'p{number}', picture(number))
                added.append(f'p{number}')
    return added


def stopped(root: Path, fingerprint: str | None, at: int, **settings) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(root, at + 1, fingerprint, stop_at=at, **settings)
    assert not root.exists()


def same_content(first: Path, second: Path) -> None:
    assert read_manifest(first) == read_manifest(second)
    assert read_sizes(first) == read_sizes(second) and read_checksums(first) == read_checksums(second)
    one, other = LmdbSource(first), LmdbSource(second)
    for key in one.sizes:
        np.testing.assert_array_equal(one.read(key), other.read(key))
    assert sorted(entry.name for entry in first.iterdir()) == sorted(entry.name for entry in second.iterdir())


def test_the_rest_is_written_and_the_result_is_the_same(tmp_path):
    write(tmp_path / 'whole.lmdb', 6, 'plan')
    stopped(tmp_path / 'a.lmdb', 'plan', at=4)
    assert write(tmp_path / 'a.lmdb', 6, 'plan') == ['p4', 'p5']
    same_content(tmp_path / 'a.lmdb', tmp_path / 'whole.lmdb')
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ['a.lmdb', 'whole.lmdb']


@pytest.mark.parametrize('change', [{'fingerprint': 'other plan'}, {'encoding': 'raw'}, {'details': {'variant': 'x'}}])
def test_another_plan_starts_anew(tmp_path, change):
    stopped(tmp_path / 'a.lmdb', 'plan', at=4)
    settings = {'fingerprint': 'plan', **change}
    assert len(write(tmp_path / 'a.lmdb', 6, **settings)) == 6
    assert read_manifest(tmp_path / 'a.lmdb').encoding == settings.get('encoding', 'png')


def test_without_a_plan_nothing_is_left(tmp_path):
    stopped(tmp_path / 'a.lmdb', None, at=4)
    assert not list(tmp_path.iterdir())


def test_a_record_without_its_line_and_a_torn_line_are_written_again(tmp_path):
    stopped(tmp_path / 'a.lmdb', 'plan', at=4)
    journal = tmp_path / '.a.lmdb.partial' / 'journal.txt'
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text(''.join(lines[:2]) + lines[2][:-3])
    assert write(tmp_path / 'a.lmdb', 6, 'plan') == ['p2', 'p3', 'p4', 'p5']
    write(tmp_path / 'whole.lmdb', 6, 'plan')
    same_content(tmp_path / 'a.lmdb', tmp_path / 'whole.lmdb')


def test_a_damaged_partial_set_is_no_obstacle(tmp_path):
    stopped(tmp_path / 'a.lmdb', 'plan', at=4)
    (tmp_path / '.a.lmdb.partial' / 'data.mdb').write_bytes(b'torn')
    assert len(write(tmp_path / 'a.lmdb', 6, 'plan')) == 6


def test_a_kill_between_the_two_renames_costs_nothing(tmp_path):
    """The old set is out of the way and the new one not yet in its place: the next run publishes what is there."""
    write(tmp_path / 'a.lmdb', 2, 'old plan')
    script = (
        'import os, signal, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n'
        'import test_resumed_writing as t; from glowdeblur_plugin.data import lmdb_writer\n'
        'replace, calls = os.replace, []\n'
        'def kill(*names):\n'
        '    calls.append(names)\n'
        '    os.kill(os.getpid(), signal.SIGKILL) if len(calls) == 2 else replace(*names)\n'
        'lmdb_writer.os.replace = kill\n'
        't.write(Path(sys.argv[1]), 6, "plan")\n')
    ended = subprocess.run([sys.executable, '-c', script, str(tmp_path / 'a.lmdb'), str(Path(__file__).parent)], check=False)
    assert ended.returncode == -signal.SIGKILL and not (tmp_path / 'a.lmdb').exists()
    assert write(tmp_path / 'a.lmdb', 6, 'plan') == []
    assert len(read_sizes(tmp_path / 'a.lmdb')) == 6
    assert os.listdir(tmp_path) == ['a.lmdb']


def test_everything_is_on_the_disk_before_the_set_has_its_name_and_then_the_name(tmp_path, monkeypatch):
    root, happened = tmp_path / 'a.lmdb', []
    force, replace = os.fsync, os.replace

    def observed_force(descriptor: int) -> None:
        force(descriptor)
        name = Path(os.readlink(f'/proc/self/fd/{descriptor}')).name
        happened.append((name, os.fstat(descriptor).st_size if '.' in name else None))

    def observed_replace(source: Path, target: Path) -> None:
        happened.append(f'{Path(source).name} -> {Path(target).name}')
        replace(source, target)

    monkeypatch.setattr(os, 'fsync', observed_force)
    monkeypatch.setattr(os, 'replace', observed_replace)
    write(root, 2, None)
    lists = [(name, (root / name).stat().st_size) for name in ('meta_info.txt', 'manifest.json', 'checksums.txt')]
    named = happened.index('.a.lmdb.partial -> a.lmdb')
    before, after = happened[:named], happened[named + 1:]
    assert before[:3] == lists and before[3][0] == '.a.lmdb.partial' and len(before) == 4
    assert after == [(tmp_path.name, None)]
