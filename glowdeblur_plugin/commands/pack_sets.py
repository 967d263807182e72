"""`glowdeblur pack <set>`: published sets, your own pictures and your own high-speed videos."""

import argparse
import dataclasses
import inspect
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from glowdeblur_plugin.commands.arguments import out_folder, path

if TYPE_CHECKING:
    from glowdeblur_plugin.data.packers.engine import Packed
    from glowdeblur_plugin.data.packers.plan import PublicSet
    from glowdeblur_plugin.data.packers.settings import PackSettings


def add(sets: argparse._SubParsersAction) -> None:
    """Add one sub-command a set; a published set's own options are the fields of its class."""
    from glowdeblur_plugin.data.packers.public_sets import PUBLIC_SETS
    from glowdeblur_plugin.data.simulate.camera import Response
    from glowdeblur_plugin.data.simulate.domains import DOMAINS

    for name, packer in PUBLIC_SETS.items():
        parser = sets.add_parser(name, help=packer.title, description=inspect.getdoc(packer),
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument('--root', type=path, required=True, help='folder that the archives were unpacked into')
        parser.add_argument('--split', nargs='+', help='splits to pack (default: all published ones)')
        _add_own(parser, packer)
        _add_common(parser)
        parser.set_defaults(run=_pack_public, packer=packer)
    folder = sets.add_parser('folder', help='your own pictures: pairs, or blurry or sharp ones alone')
    folder.add_argument('--gt', type=path, help='folder of sharp pictures')
    folder.add_argument('--lq', type=path, help='folder of blurry pictures; in pairs with the same names')
    folder.add_argument('--split', default='train', help='name of the split, such as train, val or test (default: train)')
    _add_common(folder)
    folder.set_defaults(run=_pack_folder)
    frames = sets.add_parser('frames', help='your own high-speed videos: blur by averaging frames')
    frames.add_argument('--root', type=path, required=True, help='folder with one folder of numbered frames a video')
    frames.add_argument('--frames', default='7,9,11', help='numbers of frames to average, in turn (default: 7,9,11)')
    frames.add_argument('--frame-step', type=int, help='frames between the starts of pairs (default: pairs share no frame)')
    frames.add_argument('--response', choices=typing.get_args(Response), default='gamma22',
                        help='through which the frames were taken (default: gamma22)')
    frames.add_argument('--split', default='train', help='name of the split, such as train, val or test (default: train)')
    _add_common(frames)
    frames.set_defaults(run=_pack_frames)
    simulated = sets.add_parser('simulated', help='sharp pictures blurred by the simulator, with their true motion')
    simulated.add_argument('--gt', type=path, required=True, help='packed set or folder of sharp pictures')
    simulated.add_argument('--domain', choices=tuple(DOMAINS), required=True, help='parameter set of the simulator')
    simulated.add_argument('--blurs', type=int, default=1, help='of each picture (default: 1)')
    simulated.add_argument('--seed', type=int, default=0, help='of the blurs (default: 0)')
    simulated.add_argument('--cell', type=int, default=8, help='pixels a side of the cells whose motion is kept (default: 8)')
    simulated.add_argument('--split', default='val', help='name of the split, such as train, val or test (default: val)')
    _add_form(simulated)
    simulated.set_defaults(run=_pack_simulated)


def say(packed: Iterable['Packed']) -> None:
    """Print one line a packed set."""
    for one in packed:
        print(f'{one.path}: {"packed" if one.now else "is packed already"}')


def _add_own(parser: argparse.ArgumentParser, packer: type['PublicSet']) -> None:
    hints = typing.get_type_hints(packer)
    for field in dataclasses.fields(packer):
        choices = typing.get_args(hints[field.name]) if typing.get_origin(hints[field.name]) is typing.Literal else None
        kind = path if hints[field.name] == Path | None else str
        default = '' if field.default is None else f' (default: {field.default})'
        parser.add_argument(f'--{field.name.replace("_", "-")}', type=kind, choices=choices, default=field.default,
                            help=field.metadata['help'] + default)


def _add_form(parser: argparse.ArgumentParser) -> None:
    from glowdeblur_plugin.data.encodings import Encoding

    parser.add_argument('--out', type=out_folder, required=True, help='folder for <split>_lq.lmdb and <split>_gt.lmdb')
    parser.add_argument('--encoding', choices=typing.get_args(Encoding), default='png',
                        help='form of the records (default: png)')
    parser.add_argument('--workers', type=int, metavar='N', help='processes (default: the cores)')


def _add_common(parser: argparse.ArgumentParser) -> None:
    _add_form(parser)
    parser.add_argument('--crop', type=int, metavar='PIXELS', help='cut square sub-images of this size')
    parser.add_argument('--step', type=int, metavar='PIXELS', help='from one sub-image to the next (default: half of --crop)')
    parser.add_argument('--shard', metavar='I/N', help='pack only the I-th of N shares; `pack merge` joins them')


def _settings(options: argparse.Namespace) -> 'PackSettings':
    from glowdeblur_plugin.data.packers.settings import PackSettings

    return PackSettings.parse(encoding=options.encoding, crop=options.crop, step=options.step, shard=options.shard,
                              workers=options.workers)


def _pack_public(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.packers.engine import pack_plans
    from glowdeblur_plugin.data.progress import ProgressLine

    packer = options.packer(**{field.name: getattr(options, field.name) for field in dataclasses.fields(options.packer)})
    say(pack_plans(packer.plans(options.root, options.split), options.out, _settings(options), ProgressLine()))


def _pack_folder(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.packers.folder import pack_folder
    from glowdeblur_plugin.data.progress import ProgressLine

    say(pack_folder(options.gt, options.out, options.lq, options.split, ProgressLine(), _settings(options)))


def _pack_frames(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.packers.frames import Averaging, pack_frames
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.errors import UserError

    try:
        numbers = tuple(int(number) for number in options.frames.split(','))
    except ValueError:
        raise UserError(f'--frames: expected odd numbers such as 7,9,11, found {options.frames!r}') from None
    averaging = Averaging(frames=numbers, step=options.frame_step, response=options.response)
    say(pack_frames(options.root, options.out, averaging, options.split, ProgressLine(), _settings(options)))


def _pack_simulated(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.packers.simulated import Simulation, pack_simulated
    from glowdeblur_plugin.data.progress import ProgressLine

    simulation = Simulation(gt=options.gt, domain=options.domain, blurs=options.blurs, seed=options.seed, cell=options.cell,
                            encoding=options.encoding)
    say(pack_simulated(simulation, options.out, options.split, options.workers, ProgressLine()))
