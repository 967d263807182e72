"""What arguments of the command line are read as."""

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
        UserError: an empty text, or the name of a set.
    """
    folder = path(text)
    if folder.suffix == '.lmdb':
        raise UserError(f'--out: {folder} has the name of a packed set; give the folder that <split>_lq.lmdb and <split>_gt.lmdb '
                        'go into')
    return folder
