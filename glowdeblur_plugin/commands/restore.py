"""`glowdeblur restore`: photographs and videos restored by a trained network, and what that did to their blur."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from glowdeblur_plugin.commands.arguments import path, report_folder
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.options import Between, convert

if TYPE_CHECKING:
    from glowdeblur_plugin.inference.restorer import Restorer

SOME_FAILED = 1


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('restore', help='restore photographs, folders of them, or videos',
                                 description='Restore photographs (also those in folders) and videos with a trained network. '
                                             'EXIF, colour profile, alpha, grey and 16 bit are kept. report.csv and a table '
                                             'say how long the blur was before and after.')
    parser.add_argument('paths', type=path, nargs='+', metavar='PATH', help='pictures, videos and folders of them')
    parser.add_argument('--weights', type=path, required=True, metavar='FILE',
                        help='checkpoint of any network trained here, or an official one of NAFNet or Restormer')
    parser.add_argument('-opt', type=path, metavar='FILE',
                        help="option file of the network's training or test, where nothing beside the weights says which it is")
    parser.add_argument('--out', type=report_folder, default='results/restored',
                        help='folder for the results (default: results/restored)')
    there = parser.add_mutually_exclusive_group()
    there.add_argument('--overwrite', action='store_true', help='restore again what has a result already')
    there.add_argument('--skip-existing', action='store_true', help='go on: restore only what has no result yet')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N (default: auto)')
    parser.add_argument('--precision', choices=('fp32', 'bf16', 'fp16'), help="default: that of the option file's val, or fp32")
    parser.add_argument('--tile', help='auto, by free memory; none; or the side of tiles in pixels (default: auto)')
    parser.add_argument('--tile-overlap', type=int, metavar='PIXELS', help='that neighbouring tiles share (default: 128)')
    parser.add_argument('--tlc', action='store_true',
                        help='NAFNet: test-time local converter, means over windows of 1.5 times the training crops (256 '
                             'pixels, or network_g:train_size)')
    parser.add_argument('--param-key', help='entry of the checkpoint (default: params_ema, else params)')
    parser.add_argument('--steps', type=int, help="GLOWDeblur: sampling steps (default: those of the option file's val, or 20)")
    parser.add_argument('--solver', help='GLOWDeblur: euler, dpm or scm (default: euler)')
    parser.add_argument('--colour', help='GLOWDeblur: none, or wavelet: colours corrected towards the pre-reconstruction')
    parser.add_argument('--seed', type=int, default=0, help='GLOWDeblur: seed of the noise (default: 0)')
    parser.add_argument('--strips', action='store_true', help='also draw input and result side by side into strips/')
    parser.add_argument('--no-report', action='store_true', help='do not estimate the blur before and after')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from glowdeblur_plugin.inference.inputs import find_inputs, leave_existing

    convert(options.seed, Annotated[int, Between(0)], '--seed')
    found, others = find_inputs(options.paths, options.out)
    if others:
        kinds = ', '.join(f'{count} {suffix}' for suffix, count in others.most_common())
        print(f'left out, as no pictures or videos by their names: {kinds}')
    inputs = leave_existing(found, options.overwrite, options.skip_existing)
    if left := len(found) - len(inputs):
        print(f'{options.out}: {left} of {len(found)} results are there already')
    return _restore_all(inputs, _open_restorer(options), options) if inputs else 0


def _open_restorer(options: argparse.Namespace) -> 'Restorer':
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    from glowdeblur_plugin import compat

    compat.install()
    from glowdeblur_plugin.inference.restorer import SAMPLING, Restorer

    tile = int(options.tile) if options.tile and options.tile.isdecimal() else options.tile
    settings = {'device': options.device, 'tile': tile, 'tile_overlap': options.tile_overlap, 'precision': options.precision,
                'tlc': options.tlc or None, 'param_key': options.param_key,
                **{name: getattr(options, name) for name in SAMPLING}}
    given = {name: value for name, value in settings.items() if value is not None}
    try:
        return Restorer.from_weights(options.weights, options.opt, **given)
    except UserError as error:
        name, separator, rest = str(error).removeprefix('val:').partition(':')
        if name in given:
            raise UserError(f'--{name.replace("_", "-")}{separator}{rest}') from error
        raise


def _restore_all(inputs: list, restorer: 'Restorer', options: argparse.Namespace) -> int:
    from glowdeblur_plugin.commands.restore_file import FileRestorer
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.report.restoration import as_csv, as_table, with_earlier

    rows, progress = [], ProgressLine()
    files = FileRestorer(restorer, options.seed, not options.no_report, options.out / 'strips' if options.strips else None,
                         progress)
    pictures = sum(not item.is_video for item in inputs)
    if pictures:
        progress('pictures', 0, pictures)
    try:
        for item in inputs:
            rows.append(files.restore(item))
            if not item.is_video:
                progress('pictures', len(rows), pictures)
    finally:
        if rows and not options.no_report:
            report: Path = options.out / 'report.csv'
            write_atomically(report, as_csv(with_earlier(rows, report)))
            print(as_table(rows))
    restored = len(rows) - files.failed
    print(f'{options.out}: {restored} of {len(rows)} restored by {restorer.name}')
    if files.failed:
        print(f'glowdeblur: {files.failed} of {len(rows)} failed', file=sys.stderr)
    return SOME_FAILED if files.failed else 0
