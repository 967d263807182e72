"""How far a long step of the data part is."""

import sys
import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # what is done, such as 'packed'; how many; of how many
SECONDS_BETWEEN = 0.5


def silent(task: str, done: int, total: int) -> None:
    """Show nothing."""


class ProgressLine:
    """A `Progress` that keeps one line on stderr, such as `packed 12 of 76, 0:31 left`; what is written next overwrites it."""

    def __init__(self) -> None:
        self._task = ''
        self._started = self._shown = 0.0
        self._width = 0

    def __call__(self, task: str, done: int, total: int) -> None:
        now = time.monotonic()
        if task != self._task:
            self._task, self._started, self._shown = task, now, 0.0
        if done < total and now - self._shown < SECONDS_BETWEEN:
            return
        self._shown = now
        left = round((now - self._started) / done * (total - done)) if done else None
        remaining = '' if left is None else f', {left // 60}:{left % 60:02d} left'
        line = f'{task} {done} of {total}{remaining}'
        sys.stderr.write(line.ljust(self._width) + ('\n' if done == total else '\r'))
        sys.stderr.flush()
        self._width = len(line)
        if done == total:
            self._task, self._width = '', 0
