"""The command `glowdeblur`: thin sub-commands over the packages below."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glowdeblur_plugin.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `glowdeblur <sub-command> ...` and return the exit status: 0, or 2 after one line on stderr on bad input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in ('train', 'test'):
        return _launch(arguments[0], arguments[1:])
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except UserError as error:
        print(f'glowdeblur: {error}', file=sys.stderr)
        return 2
    return 0


def _launch(command: str, arguments: list[str]) -> int:
    """Hand over to BasicSR's own command line, which reads `sys.argv`."""
    if command == 'train':
        from glowdeblur_plugin.train import main as launch
    else:
        from glowdeblur_plugin.test import main as launch
    sys.argv = [f'glowdeblur {command}', *arguments]
    return launch()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='glowdeblur', description='Generative deblurring of real photographs, on BasicSR.')
    commands = parser.add_subparsers(required=True, metavar='command')
    for name in ('train', 'test'):
        commands.add_parser(name, help=f'{name} a model: glowdeblur {name} -opt options/....yml', add_help=False)
    sets = commands.add_parser('pack', help='pack pictures into LMDB').add_subparsers(required=True, metavar='set')
    for name, text in (('photographs', 'the sample photographs of scikit-image, sharp'),
                       ('photograph_pairs', 'pairs of simulated blur from the sample photographs')):
        sample = sets.add_parser(name, help=text)
        sample.add_argument('--out', type=Path, required=True, help='folder for the packed sets')
        sample.set_defaults(run=_pack_sample, set=name)
    folder = sets.add_parser('folder', help='your own pictures: pairs, or sharp ones alone')
    folder.add_argument('--gt', type=Path, required=True, help='folder of sharp pictures')
    folder.add_argument('--lq', type=Path, help='folder of blurry pictures with the same names')
    folder.add_argument('--out', type=Path, required=True, help='folder for <split>_gt.lmdb and <split>_lq.lmdb')
    folder.add_argument('--split', default='train', help='train, val or test (default: train)')
    folder.set_defaults(run=_pack_folder)
    return parser


def _pack_sample(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.packers import PACKERS
    from glowdeblur_plugin.data.progress import ProgressLine

    packed = PACKERS[options.set](options.out, ProgressLine())
    print(f'{options.out}: {"packed" if packed else "is packed already"}')


def _pack_folder(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.packers.folder import pack_folder
    from glowdeblur_plugin.data.progress import ProgressLine

    for path in pack_folder(options.gt, options.out, options.lq, options.split, ProgressLine()):
        print(path)


if __name__ == '__main__':
    sys.exit(main())
