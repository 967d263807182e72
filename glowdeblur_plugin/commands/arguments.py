"""What arguments of the command line are read as."""

import os
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
