"""Training in any folder: `python -m glowdeblur_plugin.train -opt ...` writes under the working folder."""

import sys
from pathlib import Path

from glowdeblur_plugin import launch


def main(root: Path | None = None) -> int:
    """Training through BasicSR's `train_pipeline`; results go under `root` (None: working folder). Returns the exit status."""
    return launch.main('train', root or Path.cwd())


if __name__ == '__main__':
    sys.exit(main())
