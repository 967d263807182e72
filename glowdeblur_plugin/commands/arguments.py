"""What arguments of the command line are read as."""

import os
import tempfile
from pathlib import Path

from glowdeblur_plugin.errors import UserError


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
