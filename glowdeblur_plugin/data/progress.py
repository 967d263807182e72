"""How far a long step of the data part is."""

import sys
import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # what is done, such as 'packed'; how many; of how many
SECONDS_BETWEEN, SECONDS_BETWEEN_LINES = 0.5, 60.0


def silent(task: str, done: int, total: int) -> None:
    """Show nothing."""


class ProgressLine:
    """A `Progress` that keeps one line on stderr, such as `packed 12 of 76, 0:31 left`; what is written next overwrites it.

    Where stderr is no terminal, such as a log file, a line is written each minute and at the end, and stays.
    """

    def __init__(self) -> None:
        self._task = ''
        self._started = self._shown = 0.0
        self._width = 0

    def __call__(self, task: str, done: int, total: int) -> None:
        now, terminal = time.monotonic(), sys.stderr.isatty()
        if task != self._task:
            self._task, self._started, self._shown = task, now, float('-inf') if terminal else now
        if done < total and now - self._shown < (SECONDS_BETWEEN if terminal else SECONDS_BETWEEN_LINES):
            return
        self._shown = now
        left = round((now - self._started) / done * (total - done)) if done else None
        remaining = '' if left is None else f', {_clock(left)} left'
        line = f'{task} {done} of {total}{remaining}'
        sys.stderr.write(line.ljust(self._width) + ('\r' if terminal and done < total else '\n'))
        sys.stderr.flush()
        self._width = len(line) if terminal else 0
        if done == total:
            self._task, self._width = '', 0


def _clock(seconds: int) -> str:
    minutes, hours = seconds // 60 % 60, seconds // 3600
    return (f'{hours}:{minutes:02d}' if hours else f'{minutes}') + f':{seconds % 60:02d}'
