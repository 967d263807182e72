"""The rows of a comparison: where their pictures come from."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from glowdeblur_plugin.comparison.options import FolderOptions
from glowdeblur_plugin.comparison.picture_files import read_picture
from glowdeblur_plugin.comparison.picture_set import Pair, PictureSet
from glowdeblur_plugin.comparison.summary import Kind, MethodRecord
from glowdeblur_plugin.data.decode import PICTURE_SUFFIXES
from glowdeblur_plugin.errors import UserError, printable
from glowdeblur_plugin.models.validation import picture_stem

Restore = Callable[[Pair, int | None], np.ndarray]
NAMES_SHOWN = 3
LOSSY = ('.jpg', '.jpeg')


class Method(ABC):
    """A row of the tables.

    Attributes:
        name: as options and files have it.
        label: as tables have it.
        samples: its pictures depend on a seed.
        device: where it has worked, None where it has not or has no use of one.
    """

    kind: ClassVar[Kind]
    samples: bool = False
    device: str | None = None

    def __init__(self, name: str, label: str) -> None:
        self.name, self.label = name, label

    @abstractmethod
    def identity(self, picture_set: PictureSet) -> dict[str, Any]:
        """Plain values that differ where its pictures of this set may."""

    def why_not(self, picture_set: PictureSet) -> str | None:
        """Why it has no pictures of this set at all; None where it has."""
        return None

    def notes(self, picture_set: PictureSet) -> list[str]:
        """What a reader must know about its pictures of this set, a line each."""
        return []

    @abstractmethod
    def restorer(self, picture_set: PictureSet) -> Restore:
        """A function from a pair and a seed (None where it does not sample) to the picture, float32 RGB (H, W, 3) in [0, 1].

        It raises UserError where there is none.
        """

    def load(self) -> Any:
        """Load what it restores with, so that this is not taken for restoring."""

    def close(self) -> None:
        """Give memory back."""

    def record(self) -> MethodRecord:
        """What the summary says of it."""
        return MethodRecord(self.label, self.kind)


class BlurryInput(Method):
    """The blurry pictures as they are: what a method must beat."""

    kind = 'blurry'

    def __init__(self) -> None:
        super().__init__('blurry', 'Blurry input')

    def identity(self, picture_set: PictureSet) -> dict[str, Any]:
        """Nothing of its own."""
        return {'kind': self.kind}

    def restorer(self, picture_set: PictureSet) -> Restore:
        """See the base class."""
        return lambda pair, seed: pair.blurry


class ResultsFolder(Method):
    """Pictures made elsewhere, found by the names that the set's pictures have.

    Raises:
        UserError: `{set}` is misspelt; later, of each call that looks at the folder: two files come to one name.
    """

    kind = 'folder'

    def __init__(self, name: str, options: FolderOptions) -> None:
        super().__init__(name, options.label or name)
        self._options = options
        try:
            options.results.format(set='')
        except (KeyError, IndexError, ValueError):
            raise UserError(f"methods:{name}:results: {options.results!r} holds braces other than {{set}}") from None

    def folder(self, picture_set: PictureSet) -> Path:
        """Where its pictures of the set are."""
        return Path(self._options.results.format(set=picture_set.origin))

    def identity(self, picture_set: PictureSet) -> dict[str, Any]:
        """Names, sizes and times of the files."""
        stats = [(name, path.stat()) for name, path in sorted(self._files(picture_set).items())]
        return {'kind': self.kind, 'files': [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]}

    def why_not(self, picture_set: PictureSet) -> str | None:
        """There is no folder, or none of the set's pictures in it."""
        folder, files = self.folder(picture_set), self._files(picture_set)
        if not folder.is_dir():
            return printable(f'{folder} is no folder')
        if not set(files) & set(picture_set.names):
            found = ', '.join(list(files)[:NAMES_SHOWN]) or 'no picture'
            return printable(f'{folder} holds none of the pictures of the set: expected names such as '
                             f'{picture_set.names[0]}{self._options.suffix}.png, found {found}')
        return None

    def notes(self, picture_set: PictureSet) -> list[str]:
        """Pictures that are JPEG; files that are no picture of the set, as renamed ones are, unless only the set's first ones
        are taken."""
        if self.why_not(picture_set):
            return []
        files, folder, names = self._files(picture_set), self.folder(picture_set), set(picture_set.names)
        lossy = sum(name in names and path.suffix.lower() in LOSSY for name, path in files.items())
        notes = [f'{folder}: {lossy} of the pictures are JPEG, whose losses count against the method'] if lossy else []
        extra = sorted(set(files) - names)
        if extra and picture_set.options.first is None:
            more = ', ...' if len(extra) > NAMES_SHOWN else ''
            notes.append(f'{folder}: {len(extra)} files have no picture of {picture_set.name} of their name: '
                         f'{", ".join(extra[:NAMES_SHOWN])}{more}')
        return list(map(printable, notes))

    def restorer(self, picture_set: PictureSet) -> Restore:
        """See the base class."""
        folder, files = self.folder(picture_set), self._files(picture_set)

        def read(pair: Pair, seed: int | None) -> np.ndarray:
            path = files.get(pair.name)
            if path is None:
                raise UserError(f'{folder}: no picture {pair.name}{self._options.suffix} there')
            picture = read_picture(path)
            if picture.shape != pair.blurry.shape:
                raise UserError(f'{path}: is {_size(picture)}, expected {_size(pair.blurry)} as the blurry picture')
            return picture

        return read

    def record(self) -> MethodRecord:
        """See the base class."""
        return MethodRecord(self.label, self.kind, weights=self._options.results)

    def _files(self, picture_set: PictureSet) -> dict[str, Path]:
        folder, suffix, files = self.folder(picture_set), self._options.suffix, {}
        for path in sorted(folder.rglob('*')):
            stem = picture_stem(printable(path), {'dataroot': printable(folder)})
            if path.suffix.lower() in PICTURE_SUFFIXES and stem.endswith(suffix):
                first = files.setdefault(stem.removesuffix(suffix), path)
                if first is not path:
                    raise UserError(f'methods:{self.name}:results: {first} and {path} come to the same name; keep one')
        return files


def picture_seed(seed: int, name: str) -> int:
    """The seed of a picture's noise: pictures share none, whichever of them are taken."""
    return int(np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1)[0])


def _size(picture: np.ndarray) -> str:
    return f'{picture.shape[1]}x{picture.shape[0]}'
