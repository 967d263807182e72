"""What the tests of packers share."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature import BUILDERS, Miniature


@pytest.fixture(params=sorted(BUILDERS))
def miniature(request: pytest.FixtureRequest, tmp_path: Path) -> Miniature:
    """The miniature tree of one published set after another."""
    return BUILDERS[request.param](tmp_path / 'root')


class _Keep(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What BasicSR's logger is told during the test."""
    logger, handler = logging.getLogger('basicsr'), _Keep()
    logger.addHandler(handler)
    yield handler.messages
    logger.removeHandler(handler)
