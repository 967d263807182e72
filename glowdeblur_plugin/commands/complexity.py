"""`glowdeblur complexity`: what networks cost, counted before anything is allocated, and measured if asked for."""

import argparse
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from glowdeblur_plugin.commands.arguments import path, picture_size
from glowdeblur_plugin.commands.option_files import read_options
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between, convert

if TYPE_CHECKING:
    import torch

    from glowdeblur_plugin.commands.complexity_rows import Row

SIZES, TESTED_SIZE = ['256x256', '1280x720'], ['1280x720']
STEPS = [20, 4]


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        'complexity', help='parameters, multiply-accumulates, memory and seconds of networks',
        description='Count parameters, multiply-accumulates and memory of NAFNet, Restormer and GLOWDeblur in their published '
                    'sizes, or of the network of an option file, on shapes alone: no weights are loaded, no data is read, '
                    'nothing is allocated. A training file is counted at its crops, all else at each --size. Seconds and '
                    'measured memory come with --latency.')
    parser.add_argument('-opt', metavar='FILE', help='option file: options/bpp.yml')
    parser.add_argument('--force_yml', nargs='+', default=[], metavar='SECTION:KEY=VALUE', help='change options')
    parser.add_argument('--network', nargs='+', metavar='NAME',
                        help='only these of the networks, such as NAFNet-w32 GLOWDeblur-s600m')
    parser.add_argument('--size', nargs='+', metavar='WxH',
                        help=f'pictures that are restored (default: {" ".join(SIZES)}, with -opt {TESTED_SIZE[0]})')
    parser.add_argument('--steps', nargs='+', type=int, metavar='N',
                        help=f'steps of sampling (default: {" ".join(map(str, STEPS))}, with -opt those of the file)')
    parser.add_argument('--latency', action='store_true', help='also restore pictures by the clock, with random weights')
    parser.add_argument('--device', default='auto', help='of --latency: auto, cpu, cuda or cuda:N (default: auto)')
    parser.add_argument('--precision', nargs='+', default=['fp32'], help='of --latency: fp32, bf16 or both (default: fp32)')
    parser.add_argument('--rounds', type=int, default=5,
                        help='of --latency: measurements that the median is taken of (default: 5)')
    parser.add_argument('--json', type=path, metavar='FILE', help='also write what is printed as JSON')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    convert(options.steps, list[Annotated[int, Between(1)]] | None, '--steps')
    convert(options.rounds, Annotated[int, Between(1)], '--rounds')
    convert(options.precision, list[Literal['fp32', 'bf16']], '--precision')
    if options.opt is not None:
        _experiment(options)
        return
    _require_none(options.force_yml, '--force_yml', 'changes an option file; give one with -opt')
    from glowdeblur_plugin.commands.complexity_rows import count_rows, measure_rows
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.models.dry_run import dry_network
    from glowdeblur_plugin.models.variants import VARIANTS
    from glowdeblur_plugin.resources import usable_device

    names = convert(options.network or list(VARIANTS), list[Literal[tuple(VARIANTS)]], '--network')
    device = usable_device(options.device, '--device') if options.latency else None
    sizes, progress = [picture_size(text) for text in options.size or SIZES], ProgressLine()
    rows, missing = [], []
    for done, name in enumerate(names):
        progress('networks counted', done, len(names))
        try:
            network, mode = dry_network(lambda: VARIANTS[name]().eval())
        except UserError as error:
            missing.append(f'{name} is left out: {error}')
            continue
        rows += count_rows(name, network, mode, sizes, options.steps or STEPS)
    progress('networks counted', len(names), len(names))
    for name in names if options.latency else []:
        own = [row for row in rows if row.network == name]
        if own:
            measure_rows(own, VARIANTS[name], device, options.precision, options.rounds, progress)
    _tell(options, rows, device, missing)


def _experiment(options: argparse.Namespace) -> None:
    _require_none(options.network, '--network', 'goes without -opt')
    opt = read_options(options.opt, options.force_yml)
    training = opt.get('train') is not None
    if training:
        _require_none(options.size, '--size', 'a training file is counted at its crops, datasets:train:gt_size')
        _require_none(options.steps, '--steps', 'a training file is counted with one step')
        _require_none(options.latency, '--latency', 'pictures are restored with a test file')
    from glowdeblur_plugin.commands.complexity_experiment import Experiment
    from glowdeblur_plugin.commands.complexity_rows import measure_rows, write_json
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.resources import usable_device

    device = usable_device(options.device, '--device') if options.latency else None
    sizes = [picture_size(text) for text in options.size or TESTED_SIZE]
    experiment = Experiment(opt)
    lines, found = experiment.training() if training else experiment.rows(sizes, options.steps)
    print('\n'.join([f'{options.opt}: {experiment.name}', *lines]))
    if not training:
        if device is not None:
            measure_rows(found, experiment.build, device, options.precision, options.rounds, ProgressLine())
        _tell(options, found, device, experiment.notes)
        return
    print(*experiment.notes, sep='\n', end='\n' if experiment.notes else '')
    if options.json is not None:
        write_json(options.json, [found], None)


def _tell(options: argparse.Namespace, rows: 'Sequence[Row]', device: 'torch.device | None', notes: Sequence[str]) -> None:
    from glowdeblur_plugin.commands.complexity_rows import as_table, write_json

    name = None if device is None else _device_name(device)
    print('\n'.join([as_table(rows, name), *notes] if rows else notes))
    if options.json is not None:
        write_json(options.json, [row.as_entry() for row in rows], name)


def _require_none(value: object, name: str, why: str) -> None:
    if value:
        raise UserError(f'{name}: {why}')


def _device_name(device: 'torch.device') -> str:
    import torch

    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    return f'{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads'
