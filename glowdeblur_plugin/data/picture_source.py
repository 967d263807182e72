"""Where pictures come from: a packed set or a plain folder, behind one interface."""

from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import numpy as np
from mmengine import fileio

from glowdeblur_plugin.data.decode import PICTURE_SUFFIXES, picture_size
from glowdeblur_plugin.data.encodings import Encoding, decode_file, decode_record
from glowdeblur_plugin.data.lmdb_store import check_whole, open_record, read_manifest, read_sizes
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError, made_by, printable

CACHE_BYTES = 64 << 20
KEYS_NAMED = 3


class PictureSource(ABC):
    """Sharp or blurry pictures under sorted keys. May be pickled and forked; each process keeps decoded pictures of its own.

    Attributes:
        root: the set's folder.
        sizes: key -> (height, width) in pixels, in sorted order of the keys.
    """

    def __init__(self, root: Path, sizes: dict[str, tuple[int, int]]) -> None:
        if not sizes:
            raise UserError(f'{root}: holds no picture')
        self.root = root
        self.sizes = dict(sorted(sizes.items()))
        self._fits = 3 * sum(height * width for height, width in sizes.values()) <= CACHE_BYTES
        self._cache: dict[str, np.ndarray] = {}

    @abstractmethod
    def describe(self, key: str) -> str:
        """Where the picture under `key` lies, for error messages and the sample's path; text that can be printed."""

    @abstractmethod
    def _decode(self, key: str) -> np.ndarray:
        """The whole picture under `key`, uint8 RGB (H, W, 3), an array of its own."""

    def read(self, key: str, window: Window | None = None) -> np.ndarray:
        """The picture under `key`, or a window of it, uint8 RGB (H, W, 3); perhaps a view that must not be written to.

        Where a window costs the whole picture, pictures are kept decoded if all of them take at most 64 MiB: small sets are
        decoded once a process. Of a larger set nothing is kept: a part would hardly be met again in an epoch.

        Raises:
            UserError: missing, damaged or too large picture, or one whose size is not the listed one.
        """
        picture = self._cache.get(key)
        if picture is None:
            picture = self._decode(key)
            if self._fits:
                self._cache[key] = picture
        return picture if window is None else window.cut(picture)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_cache': {}}


class LmdbSource(PictureSource):
    """A packed set of pictures, ours or one made by BasicSR's tools.

    Attributes:
        manifest: what the set says about itself; None for a set of other tools.
        encoding: form of the records; under all but `png` a window costs only what it covers, and nothing is kept decoded.
    """

    def __init__(self, root: Path) -> None:
        self.manifest = read_manifest(root)
        self.encoding = 'png' if self.manifest is None else self.manifest.encoding
        if self.encoding not in get_args(Encoding):
            raise UserError(f'{root}: holds {self.encoding} records, expected pictures ({", ".join(get_args(Encoding))})')
        super().__init__(root, read_sizes(root))
        check_whole(root)

    def describe(self, key: str) -> str:
        """The set's folder and the key in it."""
        return printable(f'{self.root}/{key}')

    def read(self, key: str, window: Window | None = None) -> np.ndarray:
        """See the base class."""
        return super().read(key, window) if self.encoding == 'png' else self._decode(key, window)

    def _decode(self, key: str, window: Window | None = None) -> np.ndarray:
        with open_record(self.root, key) as data:
            picture = decode_record(data, self.encoding, self.sizes[key], window, self.describe(key))
            return picture.copy() if self.encoding == 'raw' else picture


class FolderSource(PictureSource):
    """A plain folder, searched through its sub-folders; the key is the path below the folder without its suffix.

    Reads the header of every picture at the start, so that damaged and too small ones are named before a run begins.
    """

    def __init__(self, root: Path, progress: Progress = silent) -> None:
        suffixes = (*PICTURE_SUFFIXES, *(suffix.upper() for suffix in PICTURE_SUFFIXES))
        self._files: dict[str, str] = {}
        for file in sorted(fileio.list_dir_or_file(root, list_dir=False, suffix=suffixes, recursive=True)):
            key = str(PurePosixPath(file).with_suffix(''))
            if key in self._files:
                raise UserError(f'{root}: {self._files[key]} and {file} have the same name apart from the suffix; keep one')
            self._files[key] = file
        sizes = {}
        progress(f'{root}: checked', 0, len(self._files))
        for key, file in self._files.items():
            sizes[key] = picture_size(root / file)
            progress(f'{root}: checked', len(sizes), len(self._files))
        super().__init__(root, sizes)

    def describe(self, key: str) -> str:
        """The picture's file."""
        return printable(self.file(key))

    def file(self, key: str) -> Path:
        """The picture's file."""
        return self.root / self._files[key]

    def _decode(self, key: str) -> np.ndarray:
        try:
            data = fileio.get(self.file(key))
        except OSError as error:
            raise UserError(f'{self.describe(key)}: cannot be read ({error.strerror or error})') from None
        return decode_file(data, self.sizes[key], self.describe(key))


def open_source(dataroot: str | Path, option: str, command: str | None = None, progress: Progress = silent) -> PictureSource:
    """Open what `dataroot` names: a packed set when it ends in '.lmdb', else a plain folder.

    Args:
        option: the option that held the path, such as `datasets:train:dataroot_gt`; it starts each error.
        command: makes the set; quoted when it is missing.
        progress: told while the headers of a folder's pictures are read.

    Raises:
        UserError: missing path, no picture in it, or one that cannot be read.
    """
    root, advice = Path(dataroot), made_by(command) or ', give a packed set (.lmdb) or a folder of pictures'
    if not str(dataroot):
        raise UserError(f'{option}: the path is empty{advice}')
    if not root.is_dir():
        problem = 'is not a folder' if root.exists() else 'does not exist'
        raise UserError(f'{option}: {root} {problem}{advice}')
    try:
        return LmdbSource(root) if root.suffix == '.lmdb' else FolderSource(root, progress)
    except UserError as error:
        raise UserError(f'{option}: {error}') from None


def check_pairs(lq: PictureSource, gt: PictureSource, section: str) -> None:
    """Refuse two sources that do not pair.

    Raises:
        UserError: names keys that only one side has, or the first pair of different sizes.
    """
    for side, missing in (('blurry', lq.sizes.keys() - gt.sizes.keys()), ('sharp', gt.sizes.keys() - lq.sizes.keys())):
        if missing:
            named = ', '.join(sorted(missing)[:KEYS_NAMED]) + (', ...' if len(missing) > KEYS_NAMED else '')
            raise UserError(f'{section}: {len(missing)} pictures are only on the {side} side: {named} ({lq.root} and {gt.root})')
    for key, size in gt.sizes.items():
        if lq.sizes[key] != size:
            raise UserError(f'{section}: sizes of a pair differ: {lq.describe(key)} is {_size(lq.sizes[key])}, '
                            f'{gt.describe(key)} is {_size(size)}')


def _size(shape: tuple[int, ...]) -> str:
    return f'{shape[1]}x{shape[0]}'
