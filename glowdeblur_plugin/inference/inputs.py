"""Which files are restored, and where their results go."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from glowdeblur_plugin.data.decode import PICTURE_SUFFIXES
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.inference.video import VIDEO_SUFFIXES

SUFFIXES = (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES)


@dataclass(frozen=True)
class Input:
    """A picture or video to restore.

    Attributes:
        source: the file.
        name: where it stands below its folder, and its result below the folder of results.
        out: the result.
    """

    source: Path
    name: Path
    out: Path

    @property
    def is_video(self) -> bool:
        """Whether it is a video, by its suffix."""
        return self.source.suffix.lower() in VIDEO_SUFFIXES


def find_inputs(paths: list[Path], out: Path) -> tuple[list[Input], Counter[str]]:
    """All pictures and videos that `paths` name, pictures first, and how many other files there are of each suffix; folders are
    searched through, without hidden files and what lies below `out`.

    Args:
        paths: files, or folders whose structure is kept below `out`.

    Raises:
        UserError: a path that is not there, another kind of file, a folder without pictures or videos, two inputs with one
            result, a result in place of its input, or a file's name for the folder of results.
    """
    if out.suffix.lower() in SUFFIXES and not out.is_dir():
        raise UserError(f"--out: {out} is a file's name; give a folder, in which results have the names of their inputs")
    found: dict[Path, Input] = {}
    others: Counter[str] = Counter()
    for path in paths:
        for source, name in _files(path, out):
            if source.suffix.lower() not in SUFFIXES:
                others[source.suffix.lower() or source.name] += 1
                continue
            item = Input(source, name, out / name)
            other = found.setdefault(item.out, item)
            if not other.source.samefile(source):
                raise UserError(f'PATH: {other.source} and {source} would both be restored to {item.out}; give them one at a '
                                'time, each with its own --out')
            if item.out.exists() and item.out.samefile(source):
                raise UserError(f'--out: {source} would be overwritten by its result; give another folder')
    return sorted(found.values(), key=lambda item: (item.is_video, item.name)), others


def leave_existing(inputs: list[Input], overwrite: bool, skip: bool) -> list[Input]:
    """The inputs that are to be restored: all where results may be overwritten, those without a result with `skip`.

    Raises:
        UserError: results exist, and neither is set.
    """
    existing = [item for item in inputs if item.out.exists()]
    if overwrite or not existing:
        return inputs
    if not skip:
        number = 'is' if len(existing) == 1 else f'and {len(existing) - 1} more of {len(inputs)} are'
        raise UserError(f'--out: {existing[0].out} {number} already there; add --overwrite, or --skip-existing to restore only '
                        'what is missing, or give another folder')
    return [item for item in inputs if item not in existing]


def _files(path: Path, out: Path) -> list[tuple[Path, Path]]:
    """Files that `path` names, among them pictures or videos, and their names below it."""
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(f'PATH: {path} is no picture or video by its name; restored are {", ".join(SUFFIXES)}')
        return [(path, Path(path.name))]
    if not path.is_dir():
        raise UserError(f"PATH: {path} {'is no file or folder' if os.path.lexists(path) else 'does not exist'}")
    results = out.resolve()
    if path.resolve() == results:
        raise UserError(f'--out: {out} is the folder of the pictures; give another folder')
    inside = results.is_relative_to(path.resolve())
    files = [file for file in path.rglob('*') if file.is_file()
             and not any(part.startswith('.') for part in file.relative_to(path).parts)
             and not (inside and file.resolve().is_relative_to(results))]
    if not any(file.suffix.lower() in SUFFIXES for file in files):
        raise UserError(f'PATH: {path} holds no picture or video ({", ".join(SUFFIXES)})')
    return [(file, file.relative_to(path)) for file in files]
