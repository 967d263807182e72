"""The command `python -m glowdeblur_plugin.benchmarks <name>`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

from glowdeblur_plugin.commands.arguments import picture_size
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
    sample = names.add_parser('sample', help='restoring with GLOWDeblur against the least time that the machine needs')
    sample.add_argument('--variant', nargs='+', default=['nano'], metavar='NAME',
                        help='some of nano, s600m, s1600m (default: nano)')
    sample.add_argument('--size', nargs='+', default=['512x512'], metavar='WxH', help='sizes of pictures (default: 512x512)')
    sample.add_argument('--steps', nargs='+', type=int, default=[4, 20], help='numbers of steps (default: 4 20)')
    sample.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N (default: auto)')
    sample.add_argument('--precision', help='fp32 or bf16 (default: bf16 on cuda, fp32 on the cpu)')
    sample.add_argument('--compile', action='store_true', help='also under torch.compile, minutes for each size at first')
    sample.add_argument('--rounds', type=int, default=5, help='alternating rounds (default: 5)')
    sample.add_argument('--json', type=Path, metavar='FILE', help='also write the figures as one flat JSON object')
    sample.set_defaults(run=_sample)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except UserError as error:
        print(f'benchmarks: {error}', file=sys.stderr)
        return 2
    return 0


def _sample(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.benchmarks.figures import table, write_json
    from glowdeblur_plugin.benchmarks.sample_benchmark import run
    from glowdeblur_plugin.resources import usable_device

    device = usable_device(options.device, '--device')
    precision = options.precision or ('bf16' if device.type == 'cuda' else 'fp32')
    variants = convert(options.variant, list[Literal['nano', 's600m', 's1600m']], '--variant')
    convert(precision, Literal['fp32', 'bf16'], '--precision')
    convert(options.steps, list[Annotated[int, Between(1)]], '--steps')
    convert(options.rounds, Annotated[int, Between(1)], '--rounds')
    figures = run(variants, [picture_size(text) for text in options.size], options.steps, device, precision, options.rounds,
                  options.compile)
    print(table(figures))
    if options.json is not None:
        write_json(options.json, figures)


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
