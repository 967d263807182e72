"""The command `python -m glowdeblur_plugin.benchmarks <name>`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between, convert


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark and return the exit status: 0, or 2 after one line on stderr on bad input."""
    parser = argparse.ArgumentParser(prog='python -m glowdeblur_plugin.benchmarks',
                                     description='Measurements beside their peers.')
    names = parser.add_subparsers(required=True, metavar='name')
    data = names.add_parser('data', help='loaders against BasicSR, and the blur simulator')
    data.add_argument('--lq', type=Path, help='folder of blurry 1280x720 pictures (default: made from the sample photographs)')
    data.add_argument('--gt', type=Path, help='folder of the sharp pictures of the same names')
    data.add_argument('--rounds', type=int, default=5, help='alternating rounds (default: 5)')
    data.add_argument('--seconds', type=float, default=3.0, help='seconds of each measurement (default: 3)')
    data.add_argument('--json', type=Path, metavar='FILE', help='also write the figures as one flat JSON object')
    data.set_defaults(run=_data)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except UserError as error:
        print(f'benchmarks: {error}', file=sys.stderr)
        return 2
    return 0


def _data(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.benchmarks.data_benchmark import run
    from glowdeblur_plugin.benchmarks.figures import table, write_json

    convert(options.rounds, Annotated[int, Between(1)], '--rounds')
    convert(options.seconds, Annotated[float, Between(0.1)], '--seconds')
    figures = run(options.lq, options.gt, options.rounds, options.seconds)
    print(table(figures))
    if options.json is not None:
        write_json(options.json, figures)


if __name__ == '__main__':
    sys.exit(main())
