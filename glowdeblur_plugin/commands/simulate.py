"""`glowdeblur simulate`: a contact sheet of the blur domains."""

import argparse
from pathlib import Path
from typing import Annotated

from glowdeblur_plugin.commands.arguments import path

MOST_PICTURES = 24


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('simulate', help='draw a contact sheet of the blur domains from your sharp pictures')
    parser.add_argument('sharp', type=path, nargs='+', help='sharp pictures, folders of them, or packed sets')
    parser.add_argument('--out', type=path, required=True, help='the sheet, a .png file')
    parser.add_argument('--domain', default='all', help='name of a domain (default: all)')
    parser.add_argument('--seed', type=int, default=0, help='of the crops and blurs (default: 0)')
    parser.add_argument('--beside', type=path, help='folder or packed set of real blurry pictures, shown in a last row')
    parser.set_defaults(run=_simulate)


def _simulate(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.data.simulate.domains import DOMAINS
    from glowdeblur_plugin.drawing import encode_png
    from glowdeblur_plugin.errors import UserError
    from glowdeblur_plugin.files import write_atomically
    from glowdeblur_plugin.options import Between, convert
    from glowdeblur_plugin.report.contact_sheet import contact_sheet

    convert(options.seed, Annotated[int, Between(0)], '--seed')
    if options.domain not in {'all', *DOMAINS}:
        raise UserError(f'--domain: {options.domain!r} is not one of all, {", ".join(DOMAINS)}')
    if options.out.suffix.lower() != '.png':
        raise UserError(f'--out: {options.out} must end in .png')
    names = list(DOMAINS) if options.domain == 'all' else [options.domain]
    beside = [] if options.beside is None else _read([options.beside], '--beside', options.seed)
    pictures = _read(options.sharp, 'sharp', options.seed)
    write_atomically(options.out, encode_png(contact_sheet(pictures, names, beside, options.seed, progress=ProgressLine())))
    print(options.out)


def _read(paths: list[Path], option: str, seed: int) -> list:
    """At most 24 of the pictures in `paths` (pictures, folders and packed sets), drawn at random."""
    from functools import partial

    import numpy as np

    from glowdeblur_plugin.data.decode import decode_picture
    from glowdeblur_plugin.data.picture_source import open_source
    from glowdeblur_plugin.errors import UserError

    def read_file(path: Path) -> np.ndarray:
        try:
            return decode_picture(path.read_bytes(), str(path))
        except OSError as error:
            raise UserError(f'{option}: {path} cannot be read ({error.strerror})') from None

    readers = []
    for place in paths:
        if place.is_file():
            readers.append(partial(read_file, place))
        else:
            source = open_source(place, option)
            readers += [partial(source.read, key) for key in source.sizes]
    chosen = np.random.default_rng(seed).permutation(len(readers))[:MOST_PICTURES]
    return [readers[index]() for index in chosen]
