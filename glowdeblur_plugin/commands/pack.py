"""`glowdeblur pack`: pictures into packed sets."""

import argparse

from glowdeblur_plugin.commands import pack_sets
from glowdeblur_plugin.commands.arguments import out_folder, path
from glowdeblur_plugin.commands.lazy_parser import LazyParser


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command with one sub-command of its own a set, and two for sets that are packed already."""
    commands.add_parser('pack', help='pack pictures into LMDB', fill=_add_sets)


def _add_sets(parser: LazyParser) -> None:
    sets = parser.add_subparsers(required=True, metavar='set')
    pack_sets.add(sets)
    for name, text in (('photographs', 'the sample photographs of scikit-image, sharp'),
                       ('photograph_pairs', 'pairs of simulated blur from the sample photographs')):
        sample = sets.add_parser(name, help=text)
        sample.add_argument('--out', type=out_folder, required=True, help='folder for the packed sets')
        sample.set_defaults(run=_pack_sample, set=name)
    merge = sets.add_parser('merge', help='join the shards that were packed with --shard')
    merge.add_argument('out', type=path, help='folder that holds the shards; the joined sets go there too')
    merge.set_defaults(run=_merge)
    unpaired = sets.add_parser('split-unpaired', help='disjoint sharp and blurry halves of a packed set of pairs')
    unpaired.add_argument('source', type=path, help='folder with <split>_gt.lmdb and <split>_lq.lmdb')
    unpaired.add_argument('--out', type=out_folder, required=True, help='folder for the halves and their lists')
    unpaired.add_argument('--split', default='train', help='which split to halve (default: train)')
    unpaired.add_argument('--sharp-share', type=float, default=0.6, help='share of the sharp half (default: 0.6)')
    unpaired.add_argument('--seed', type=int, default=0, help='draws the halves (default: 0)')
    unpaired.add_argument('--scene', metavar='REGEX', help='part of a key that is equal in pictures of one scene, which stay '
                          "together (default: the set's own rule)")
    unpaired.set_defaults(run=_split_unpaired)


def _pack_sample(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.packers.prepare import PACKERS
    from glowdeblur_plugin.data.progress import ProgressLine

    packed = PACKERS[options.set](options.out, ProgressLine())
    print(f'{options.out}: {"packed" if packed else "is packed already"}')


def _merge(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.packers.shards import merge_shards
    from glowdeblur_plugin.data.progress import ProgressLine

    pack_sets.say(merge_shards(options.out, ProgressLine()))


def _split_unpaired(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.packers.split_unpaired import split_unpaired
    from glowdeblur_plugin.data.progress import ProgressLine

    pack_sets.say(split_unpaired(options.source, options.out, options.split, options.sharp_share, options.seed, options.scene,
                                 ProgressLine()))
