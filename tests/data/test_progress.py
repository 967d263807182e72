"""The line that shows how far a long step is."""

import io
import sys

import pytest

from glowdeblur_plugin.data import progress
from glowdeblur_plugin.data.progress import ProgressLine


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool, seconds: int, total: int) -> str:
    """What a step of `total` parts writes, each of which takes `seconds`."""
    stream, line, clock = Stream(terminal), ProgressLine(), [100.0]
    monkeypatch.setattr(sys, 'stderr', stream)
    monkeypatch.setattr(progress.time, 'monotonic', lambda: clock[0])
    for done in range(total + 1):
        line('packed', done, total)
        clock[0] += seconds
    return stream.getvalue()


def test_a_terminal_has_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    written = shown(monkeypatch, True, 2000, 3)
    lines = written.split('\r')
    assert [line.rstrip() for line in lines] == ['packed 0 of 3', 'packed 1 of 3, 1:06:40 left', 'packed 2 of 3, 33:20 left',
                                                 'packed 3 of 3, 0:00 left']
    assert written.endswith('\n') and all(len(after) >= len(line.rstrip()) for line, after in zip(lines, lines[1:]))


def test_a_file_has_a_line_a_minute_and_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, False, 25, 7).splitlines() == [
        'packed 3 of 7, 1:40 left', 'packed 6 of 7, 0:25 left', 'packed 7 of 7, 0:00 left']
