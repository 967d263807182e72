"""Work shared among processes: results in order, none lost in silence."""

import os
import signal

import pytest

from glowdeblur_plugin.data.workers import TASKS_AHEAD, Workers
from glowdeblur_plugin.errors import UserError


def process_and_square(number: int) -> tuple[int, int]:
    return os.getpid(), number ** 2


def killed_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_results_come_in_order_from_other_processes_and_few_tasks_are_taken_ahead():
    taken = []

    def tasks():
        for number in range(40):
            taken.append(number)
            yield number

    with Workers(2) as workers:
        results = workers.map(process_and_square, tasks())
        first = next(results)
        assert len(taken) == 2 * TASKS_AHEAD
        results = [first, *results]
    assert [square for _, square in results] == [number ** 2 for number in range(40)]
    assert os.getpid() not in {process for process, _ in results}


def test_one_worker_is_this_process():
    with Workers(1) as workers:
        assert list(workers.map(process_and_square, range(3))) == [(os.getpid(), 0), (os.getpid(), 1), (os.getpid(), 4)]


def test_a_killed_worker_is_one_clear_line():
    with pytest.raises(UserError, match='a worker process was killed'), Workers(2) as workers:
        list(workers.map(killed_at_three, range(6)))


def interrupts_blocked(_: int) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())


def test_an_interrupt_from_the_keyboard_reaches_no_worker_and_this_process_still():
    with Workers(2) as workers:
        assert all(workers.map(interrupts_blocked, range(16)))
    assert not interrupts_blocked(0)
