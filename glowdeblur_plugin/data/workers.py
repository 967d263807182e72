"""Work on many files in several processes, results in order."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Self, TypeVar

import cv2

from glowdeblur_plugin.errors import UserError

TASKS_AHEAD = 4
Task = TypeVar('Task')
Result = TypeVar('Result')


def usable_cores() -> int:
    """Number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


class WorkerKilledError(UserError):
    """A worker process ended before its work was done."""


class Workers:
    """A pool of `count` processes; a context manager. With one, the work is done in this process.

    The processes are spawned, so they hold none of this process's files and locks, and they end when it is killed. An interrupt
    from the keyboard is for this process alone.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def __enter__(self) -> Self:
        context = multiprocessing.get_context('spawn')
        self._pool = ProcessPoolExecutor(self.count, context, _start_worker) if self.count > 1 else None
        return self

    def __exit__(self, exception_type: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Results of `function` in the order of `tasks`, of which only a few a worker are taken ahead.

        Raises:
            WorkerKilledError: a worker process was killed.
        """
        if self._pool is None:
            yield from map(function, tasks)
            return
        waiting = deque()
        try:
            for task in tasks:
                waiting.append(self._submit(function, task))
                if len(waiting) >= TASKS_AHEAD * self.count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise WorkerKilledError('a worker process was killed, perhaps for want of memory; run the same command again, '
                                    'with fewer --workers, and it goes on from here') from None

    def _submit(self, function: Callable[[Task], Result], task: Task) -> Future[Result]:
        """The pool starts its processes here; they inherit what is blocked, from their first moment on."""
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._pool.submit(function, task)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _start_worker() -> None:
    cv2.setNumThreads(0)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
