"""The command `glowdeblur`: how it ends, and what it prints where the terminal cannot show a name."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter


def started(*arguments: str | bytes, **settings: object) -> subprocess.Popen:
    command = [sys.executable, '-m', 'glowdeblur_plugin.cli', *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    with LmdbWriter(tmp_path / 'a.lmdb', 'test', encoding='raw') as writer:
        writer.put('p0', np.zeros((4, 4, 3), np.uint8))
    return tmp_path / 'a.lmdb'


def test_interrupted_packing_ends_with_130_and_no_trace(tmp_path: Path) -> None:
    (tmp_path / 'gt').mkdir()
    rng = np.random.default_rng(0)
    for number in range(150):
        cv2.imwrite(str(tmp_path / 'gt' / f'{number}.png'), rng.integers(0, 256, (128, 128, 3), dtype=np.uint8))
    process = started('pack', 'folder', '--gt', str(tmp_path / 'gt'), '--out', str(tmp_path / 'out'), '--encoding', 'webp',
                      '--workers', '2', start_new_session=True)
    journal = tmp_path / 'out' / '.train_gt.lmdb.partial' / 'journal.txt'
    while not journal.exists() or not journal.read_text():
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert said.decode().splitlines()[-1] == 'glowdeblur: interrupted' and b'Traceback' not in said
    assert journal.exists()


def test_interrupted_anywhere_it_says_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    class Waiting:
        @staticmethod
        def add(commands: argparse._SubParsersAction) -> None:
            commands.add_parser('wait').set_defaults(run=lambda options: signal.raise_signal(signal.SIGINT))

    monkeypatch.setattr(cli, 'COMMANDS', (Waiting,))
    assert cli.main(['wait']) == 130
    assert capsys.readouterr().err == 'glowdeblur: interrupted\n'


def test_a_set_is_verified_under_a_name_that_is_no_utf8_and_ends_in_a_slash(packed: Path) -> None:
    name = os.fsencode(packed.parent) + b'/caf\xe9.lmdb'
    os.rename(packed, name)
    process = started('inspect', '--verify', name + b'/', env={**os.environ, 'PYTHONIOENCODING': 'utf-8:strict'})
    printed, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert printed.decode().rstrip().endswith('caf\\udce9.lmdb/: whole') and b'Traceback' not in said


def test_opencv_adds_nothing_to_our_line(tmp_path: Path) -> None:
    picture = cv2.imencode('.png', np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))[1]
    (tmp_path / 'gt').mkdir()
    (tmp_path / 'gt' / 'a.png').write_bytes(picture.tobytes()[:2000])
    process = started('pack', 'folder', '--gt', str(tmp_path / 'gt'), '--out', str(tmp_path / 'out'), '--workers', '2')
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2 and b'a.png: cannot be decoded' in said and b'global' not in said, said


def test_the_help_waits_for_no_heavy_library() -> None:
    """What a command needs is loaded when the command is chosen."""
    script = ('import sys\nfrom glowdeblur_plugin import cli\n'
              'try:\n    cli.main(["--help"])\nexcept SystemExit:\n    pass\n'
              'print(sorted({"torch", "cv2", "numpy", "basicsr", "PIL", "mmengine"} & sys.modules.keys()))')
    found = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=True, timeout=60)
    assert '    pack ' in found.stdout and found.stdout.splitlines()[-1] == '[]'
