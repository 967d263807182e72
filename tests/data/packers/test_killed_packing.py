"""Packing that is killed at random moments and started again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from miniature import content

KILLS, PAIRS = 20, 120
SERVER = Path(__file__).with_name('packing_server.py')


class Packings:
    """Packings in processes of their own, all of the same pairs."""

    def __init__(self, pictures: Path) -> None:
        self.server = subprocess.Popen([sys.executable, str(SERVER), str(pictures)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)

    def start(self, out: Path, workers: int) -> int:
        self.server.stdin.write(f'{out} {workers}\n')
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def status(self) -> int:
        return int(self.server.stdout.readline())


@pytest.fixture(scope='module')
def packings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packings]:
    root = tmp_path_factory.mktemp('pictures')
    rng = np.random.default_rng(0)
    for side in ('gt', 'lq'):
        (root / side).mkdir()
        for number in range(PAIRS):
            cv2.imwrite(str(root / side / f'{number:03d}.png'), rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    packings = Packings(root)
    yield packings
    packings.server.stdin.close()
    packings.server.wait()


def written(out: Path) -> int:
    """Number of records that the journals and, of complete sets, the lists name."""
    return sum(path.read_text().count('\n') for pattern in ('.*.partial/journal.txt', '*.lmdb/meta_info.txt')
               for path in out.glob(pattern))


def test_a_packing_killed_at_random_moments_goes_on_and_ends_as_an_undisturbed_one(packings, tmp_path):
    durations = {}
    for workers in (1, 2):
        began = time.monotonic()
        packings.start(tmp_path / f'whole_{workers}', workers)
        assert packings.status() == 0
        durations[workers] = time.monotonic() - began
    expected = [content(tmp_path / 'whole_1' / f'train_{side}.lmdb') for side in ('lq', 'gt')]
    seed = int.from_bytes(os.urandom(4), 'little')
    rng, kills, resumed, rounds = random.Random(seed), 0, 0, 0
    while kills < KILLS or not resumed:
        out, before, rounds = tmp_path / f'killed_{rounds}', 0, rounds + 1
        while True:
            workers = rng.choice((1, 1, 2))
            process = packings.start(out, workers)
            time.sleep(rng.uniform(0.1, 1) * durations[workers])
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
            status = packings.status()
            after = written(out)
            assert after >= before, f'seed {seed}: work was lost'
            resumed, before = resumed + (after > before > 0), after
            if status != -signal.SIGKILL:
                assert status == 0, f'seed {seed}'
                break
            kills += 1
        assert {path.name for path in out.iterdir()} == {'train_lq.lmdb', 'train_gt.lmdb'}, f'seed {seed}'
        assert [content(out / f'train_{side}.lmdb') for side in ('lq', 'gt')] == expected, f'seed {seed}'
        assert kills < 10 * KILLS, f'seed {seed}: no run went on where another one was killed'


def test_workers_end_with_the_process_that_is_killed(packings, tmp_path):
    """They hold a pipe open, of which the end can only be read when all of them are gone."""
    reading, writing = os.pipe()
    command = [sys.executable, str(SERVER), packings.server.args[2]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writing, text=True) as server:
        os.close(writing)
        server.stdin.write(f'{tmp_path}/out 3\n')
        server.stdin.flush()
        process = int(server.stdout.readline())
        while not any((tmp_path / 'out').glob('.*.partial/journal.txt')):
            time.sleep(0.002)
        os.kill(process, signal.SIGKILL)
        server.stdin.close()
        assert int(server.stdout.readline()) == -signal.SIGKILL
    with os.fdopen(reading) as output:
        subprocess.run(['cat'], stdin=output, stdout=subprocess.DEVNULL, timeout=20, check=True)
