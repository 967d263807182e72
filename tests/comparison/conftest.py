"""A comparison that tests of its tables and its page share."""

from pathlib import Path

import pytest
from compared_folder import make_compared


@pytest.fixture(scope='session')
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `make_compared`."""
    folder = tmp_path_factory.mktemp('results') / 'street & shop'
    make_compared(folder)
    return folder
