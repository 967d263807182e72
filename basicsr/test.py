"""Test from a clone: `python basicsr/test.py -opt options/....yml` writes under the clone; BasicSR is the installed one."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

try:
    from glowdeblur_plugin.test import main
except ModuleNotFoundError as error:
    if error.name != 'glowdeblur_plugin':
        raise
    sys.exit(f'error: glowdeblur_plugin is not installed; run: pip install -e {ROOT}')

if __name__ == '__main__':
    sys.exit(main(ROOT))
