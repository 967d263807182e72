"""`glowdeblur pack`: pictures into packed sets."""

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command with one sub-command of its own a set."""
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
