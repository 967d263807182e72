"""Finding one's way in released trees: folders at unsure depths, picture files, lists."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from glowdeblur_plugin.data.decode import PICTURE_SUFFIXES
from glowdeblur_plugin.errors import UserError

LEVELS = 4


def find_folder(root: Path, name: str, holds: str) -> Path:
    """The folder called `name` nearest to `root`, or `root` itself, in which the pattern `holds` matches something.

    Archives nest their folders in different ways, so up to four levels are searched, one after the other.

    Raises:
        UserError: there is none, there are two at the same level, or a folder cannot be read.
    """
    for folders in _levels(root):
        found = [folder for folder in folders if folder.name == name and any(folder.glob(holds))]
        if len(found) > 1:
            raise UserError(f"--root: two folders called '{name}', {found[0]} and {found[1]}; "
                            'give a folder that holds one of them')
        if found:
            return found[0]
    raise UserError(f"--root: no folder '{name}' with {holds} in {root} or {LEVELS - 1} levels below it")


def find_file(root: Path, name: str) -> Path | None:
    """The file called `name` nearest to `root`, searched as `find_folder` does; None when there is none."""
    for folders in _levels(root):
        for folder in folders:
            if os.path.isfile(folder / name):
                return folder / name
    return None


def _levels(root: Path) -> Iterator[list[Path]]:
    folders = [root.absolute()]
    for _ in range(LEVELS):
        yield folders
        folders = [folder / name for folder in folders for name in folder_names(folder)]


def folder_names(folder: Path, option: str = '--root') -> list[str]:
    """Names of the folders in `folder`, sorted; empty when it is not there. `option` starts each error.

    Raises:
        UserError: it cannot be read.
    """
    return _names(folder, os.DirEntry.is_dir, option)


def file_names(folder: Path) -> dict[str, str]:
    """Stem to name of the picture files in `folder`, sorted; empty when it is not there.

    Raises:
        UserError: two names with one stem, or it cannot be read.
    """
    return _by_stem(folder, _names(folder, lambda entry: True, '--root'), '--root')


def _names(folder: Path, chosen: Callable[[os.DirEntry[str]], bool], option: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith('.') and chosen(entry))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(error, option) from None


def require_folder(folder: Path, option: str) -> None:
    """Refuse what is no folder.

    Raises:
        UserError: it is not there or a file; starts with `option`.
    """
    if not os.path.isdir(folder):
        raise UserError(f'{option}: {folder} {"is a file" if os.path.exists(folder) else "does not exist"}; give a folder')


def picture_files(folder: Path, option: str) -> dict[str, str]:
    """Path below `folder` without its suffix to the path with it, of all pictures in it and in its sub-folders, sorted.

    Args:
        option: that named the folder; it starts each error.

    Raises:
        UserError: not a folder, a sub-folder that cannot be read or a link that leads back to a folder above it, or two
            pictures whose paths differ only in the suffix.
    """
    require_folder(folder, option)

    def refuse(error: OSError) -> None:
        raise _unreadable(error, option)

    paths, above = [], {str(folder): (os.path.realpath(folder),)}
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith('.')]
        real_places = above.pop(place)
        for path in (os.path.join(place, name) for name in folders):
            real = os.path.realpath(path) if os.path.islink(path) else os.path.join(real_places[-1], os.path.basename(path))
            if real in real_places:
                raise UserError(f'{option}: {path}: links back to {real}, which holds it; take the link away')
            above[path] = (*real_places, real)
        below = Path(place).relative_to(folder)
        paths += [(below / name).as_posix() for name in names if not name.startswith('.')]
    return _by_stem(folder, sorted(paths), option)


def _unreadable(error: OSError, option: str) -> UserError:
    return UserError(f'{option}: {error.filename}: cannot be read ({error.strerror})')


def _by_stem(folder: Path, paths: list[str], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        stem, suffix = os.path.splitext(path)
        if suffix.lower() not in PICTURE_SUFFIXES:
            continue
        if stem in found:
            raise UserError(f'{option}: {folder} holds {found[stem]} and {path}, which differ only in the suffix; keep one')
        found[stem] = path
    return found


def read_list(file: Path, columns: int) -> list[list[str]]:
    """The lines of a released list, split at white space; empty lines are left out.

    Raises:
        UserError: not there, no text, no line, or one with another number of columns.
    """
    try:
        lines = file.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{file}: cannot be read ({error})') from None
    rows = []
    for number, line in enumerate(lines, start=1):
        row = line.split()
        if row and len(row) != columns:
            raise UserError(f'{file}: line {number} has {len(row)} columns, expected {columns}: {line!r}')
        rows += [row] if row else []
    if not rows:
        raise UserError(f'{file}: names no picture')
    return rows
