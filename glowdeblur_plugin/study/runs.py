"""Running the trainings of a study as processes of their own, several at a time; what is finished is skipped."""

import fcntl
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.study.options import Section
from glowdeblur_plugin.study.trainings import Training

SECONDS_BETWEEN = 1.0
TASK = 'trained iterations'
COMMAND = (sys.executable, '-m', 'glowdeblur_plugin.train')
ITERATION = re.compile(rb'iter:\s*([\d,]+)')
TAIL = 1 << 16
HEADER = ('# Written by `glowdeblur study`, which trains by it. To train it alone:\n'
          '#   glowdeblur train -opt {file} --auto_resume\n')


class _Plain(yaml.SafeDumper):
    """YAML without references from one place to another."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


class Ended(Exception):
    """The trainings were ended before they were done."""


class Runs:
    """Trains and then looks at each result, `jobs` at a time.

    Args:
        folder: of the study; gets `options/<training>.yml`, `logs/<training>.log`.
        options: training -> its option file.
        threads: of each training.
        command: trains by `-opt <file> --auto_resume` after it.

    Use as a context: on leaving, what still runs is ended; it goes on from its last checkpoint another time.
    """

    def __init__(self, folder: Path, options: dict[Training, Section], threads: int, command: Sequence[str] = COMMAND) -> None:
        self.folder, self.options, self.threads, self.command = folder, options, threads, command
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen] = set()
        self._log_starts: dict[Training, int] = {}
        self._ended = False

    def __enter__(self) -> 'Runs':
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._ended = True
            for child in self._children:
                child.terminate()

    def write_options(self) -> None:
        """Write every training's option file.

        Raises:
            UserError: trainings, or what they start from, were begun with other options; names them.
        """
        texts = {training: yaml.dump(options, Dumper=_Plain, sort_keys=False, width=128, default_flow_style=None)
                 for training, options in self.options.items()}
        changed = {training for training, text in texts.items() if self.file(training).exists()
                   and yaml.safe_load(self.file(training).read_text(encoding='utf-8')) != yaml.safe_load(text)}
        old = [str(_experiment(training)) for training in texts if _begun(training) and not changed.isdisjoint(training.chain)]
        if old:
            raise UserError(f'{self.folder / "options"}: trained by other options than those of the study now: '
                            f'{", ".join(old)}; give the study another name, or remove these')
        for training, text in texts.items():
            write_atomically(self.file(training), HEADER.format(file=self.file(training)) + text)

    def file(self, training: Training) -> Path:
        """The training's option file."""
        return self.folder / 'options' / f'{training.name}.yml'

    def log(self, training: Training) -> Path:
        """What the training wrote to its output."""
        return self.folder / 'logs' / f'{training.name}.log'

    def run(self, trainings: Sequence[Training], jobs: int, look: Callable[[Training], None],
            progress: Progress = silent) -> None:
        """Train all and hand each that has its weights to `look`, which may be called in several threads.

        Args:
            trainings: none before what it starts from.
            look: should call `check_running` now and then where it takes long.
            progress: told how many iterations are done of those that were left.

        Raises:
            UserError: a training failed; names its log and quotes the last line.
        """
        waiting, done, active = list(trainings), set(), {}
        started = {training: self._iterations(training) for training in trainings}
        total = sum(self.options[training]['train']['total_iter'] - started[training] for training in trainings)
        with ThreadPoolExecutor(jobs) as pool, self:
            while waiting or active:
                ready = [training for training in waiting if training.starts_from is None or training.starts_from in done]
                for training in ready[:jobs - len(active)]:
                    waiting.remove(training)
                    active[pool.submit(self._train_and_look, training, look)] = training
                finished, _ = wait(active, SECONDS_BETWEEN, FIRST_COMPLETED)
                for future in finished:
                    done.add(active.pop(future))
                    future.result()
                known = sum(max(started[training], self._iterations(training)) for training in trainings)
                if known - sum(started.values()) < total:
                    progress(TASK, known - sum(started.values()), total)
        if total:
            progress(TASK, total, total)

    def _train_and_look(self, training: Training, look: Callable[[Training], None]) -> None:
        if not training.weights.exists():
            self._train(training)
        self.check_running()
        look(training)

    def check_running(self) -> None:
        """Return while trainings are run.

        Raises:
            Ended: they are not any more.
        """
        if self._ended:
            raise Ended

    def _train(self, training: Training) -> None:
        log = self.log(training)
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, 'OMP_NUM_THREADS': str(self.threads), 'OPENCV_FOR_THREADS_NUM': str(self.threads)}
        command = [*self.command, '-opt', str(self.file(training)), '--auto_resume']
        with log.open('ab') as output:
            try:
                fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held by the process too, so that it outlives this one
            except OSError:
                raise UserError(f'{log}: another process trains {training.name}; wait for it, or end it') from None
            with self._lock:
                if self._ended:
                    return
                self._log_starts[training] = output.tell()
                child = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment)
                self._children.add(child)
            status = child.wait()
            with self._lock:
                self._children.discard(child)
        if not self._ended and (status or not training.weights.exists()):
            raise UserError(f'{log}: training {training.name} ended with status {status}: {_last_line(self._tail(training))}')

    def _iterations(self, training: Training) -> int:
        """How many iterations are done, by the weights, by the checkpoint that it goes on from, and by what it logged since."""
        total = self.options[training]['train']['total_iter']
        if training.weights.exists():
            return total
        saved = [int(state.stem) for state in _experiment(training).glob('training_states/*.state') if state.stem.isdecimal()]
        logged = ITERATION.findall(self._tail(training)) if training in self._log_starts else []
        return min(max([0, *saved, *(int(number.replace(b',', b'')) for number in logged[-1:])]), total)

    def _tail(self, training: Training) -> bytes:
        """The end of what the training, which was started here, has written to its log since."""
        with suppress(OSError), self.log(training).open('rb') as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_starts[training], size - TAIL))
            return file.read()
        return b''


def _begun(training: Training) -> bool:
    return _experiment(training).exists()


def _experiment(training: Training) -> Path:
    return training.weights.parent.parent


def _last_line(text: bytes) -> str:
    lines = text.decode(errors='replace').strip().splitlines()
    return lines[-1].strip() if lines else 'nothing was written'
