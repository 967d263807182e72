"""What arguments of the command line are read as."""

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between, convert

if TYPE_CHECKING:
    from glowdeblur_plugin.data.packers.settings import Shard


def path(text: str) -> Path:
    """A file or folder.

    Raises:
        UserError: an empty text, which would otherwise stand for the working folder.
    """
    if not text:
        raise UserError('an argument that should be a file or folder is empty')
    return Path(text)


def packed_set(text: str) -> Path:
    """A packed set, there or to be made.

    Raises:
        UserError: another name than `<name>.lmdb`.
    """
    folder = path(text)
    if folder.suffix != '.lmdb':
        raise UserError(f"{folder}: is not the name of a packed set, which ends in '.lmdb'")
    return folder


def out_folder(text: str) -> Path:
    """A folder that packed sets go into.

    Raises:
        UserError: an empty text, the name of a set, or a file.
    """
    folder = path(text)
    if folder.suffix == '.lmdb':
        raise UserError(f'--out: {folder} has the name of a packed set; give the folder that <split>_lq.lmdb and <split>_gt.lmdb '
                        'go into')
    if os.path.isfile(folder):
        raise UserError(f'--out: {folder} is a file; give a folder')
    return folder


def report_folder(text: str) -> Path:
    """A folder that results go into, before work begins; it is made only when there is something to write.

    Raises:
        UserError: an empty text, a file, or a place that cannot be written to.
    """
    folder = path(text)
    place = next(above for above in (folder, *folder.absolute().parents) if above.exists())
    if not place.is_dir():
        raise UserError(f'--out: {place} is a file; give a folder')
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UserError(f'--out: {place} cannot be written to ({error.strerror or error}); give another folder') from None
    return folder


def add_batches(parser: argparse.ArgumentParser, what: str, batch: int) -> None:
    """Add `--batch` and `--shard` of commands that make side data with a model; see `read_shard`."""
    parser.add_argument('--batch', type=int, default=batch, help=f'{what} at once (default: {batch})')
    parser.add_argument('--shard', metavar='i/n',
                        help='only the i-th of n shares, such as one a GPU; `glowdeblur pack merge` joins them')


def read_shard(options: argparse.Namespace, **counts: int) -> 'Shard | None':
    """The share of `--shard`, None for all, after a check of `--batch` and other `counts` by the names of their options.

    Raises:
        UserError: no share, or a count below 1.
    """
    from glowdeblur_plugin.data.packers.settings import Shard

    for name, value in {**counts, 'batch': options.batch}.items():
        convert(value, Annotated[int, Between(1)], f'--{name.replace("_", "-")}')
    return None if options.shard is None else Shard.parse(options.shard)


def picture_size(text: str) -> tuple[int, int]:
    """Width and height in pixels, from a text such as 1280x720.

    Raises:
        UserError: another text, or a side of 0.
    """
    sides = text.split('x')
    if len(sides) != 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise UserError(f'--size: expected width x height such as 1280x720, found {text!r}')
    return int(sides[0]), int(sides[1])
