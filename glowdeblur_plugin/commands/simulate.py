"""`glowdeblur simulate`: a contact sheet of the blur domains."""

import argparse
from pathlib import Path

MOST_PICTURES = 24


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('simulate', help='draw a contact sheet of the blur domains from your sharp pictures')
    parser.add_argument('sharp', type=Path, nargs='+', help='sharp pictures, or folders of them')
    parser.add_argument('--out', type=Path, required=True, help='the sheet, a .png file')
    parser.add_argument('--domain', default='all', help='name of a domain (default: all)')
    parser.add_argument('--seed', type=int, default=0, help='of the crops and blurs (default: 0)')
    parser.add_argument('--beside', type=Path, help='folder of real blurry pictures, shown in a last row')
    parser.set_defaults(run=_simulate)


def _simulate(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.data.simulate.domains import DOMAINS
    from glowdeblur_plugin.errors import UserError
    from glowdeblur_plugin.report.contact_sheet import contact_sheet

    if options.domain not in {'all', *DOMAINS}:
        raise UserError(f'--domain: {options.domain!r} is not one of all, {", ".join(DOMAINS)}')
    if options.out.suffix.lower() != '.png':
        raise UserError(f'--out: {options.out} must end in .png')
    names = list(DOMAINS) if options.domain == 'all' else [options.domain]
    beside = [] if options.beside is None else _read([options.beside], '--beside', options.seed)
    pictures = _read(options.sharp, 'sharp', options.seed)
    _write(options.out, contact_sheet(pictures, names, beside, options.seed, progress=ProgressLine()))
    print(options.out)


def _read(paths: list[Path], option: str, seed: int) -> list:
    """At most 24 of the pictures in `paths`, drawn at random."""
    import numpy as np

    from glowdeblur_plugin.data.decode import PICTURE_SUFFIXES, decode_picture
    from glowdeblur_plugin.errors import UserError

    files = []
    for path in paths:
        if not path.exists():
            raise UserError(f'{option}: {path} does not exist, give a picture or a folder of pictures')
        inside = sorted(path.rglob('*')) if path.is_dir() else [path]
        files += [file for file in inside if file.suffix.lower() in PICTURE_SUFFIXES]
    if not files:
        raise UserError(f'{option}: no picture in {", ".join(map(str, paths))}; readable are {", ".join(PICTURE_SUFFIXES)}')
    chosen = np.random.default_rng(seed).permutation(len(files))[:MOST_PICTURES]
    return [decode_picture(files[index].read_bytes(), str(files[index])) for index in chosen]


def _write(path: Path, picture: 'np.ndarray') -> None:
    """Write an RGB picture as PNG under another name first, so that no half picture is ever at `path`."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f'{path.name}.unfinished')
    unfinished.write_bytes(cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
    unfinished.replace(path)
