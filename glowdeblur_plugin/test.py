"""Test in any folder: `python -m glowdeblur_plugin.test -opt ...` writes under the working folder."""

import sys
from pathlib import Path

from glowdeblur_plugin import launch


def main(root: Path | None = None) -> int:
    """Test through BasicSR's `test_pipeline`; results go under `root` (None: working folder). Returns the exit status."""
    return launch.main('test', root or Path.cwd())


if __name__ == '__main__':
    sys.exit(main())
