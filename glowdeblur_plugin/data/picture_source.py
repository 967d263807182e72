"""Where pictures come from: a packed set or a plain folder, behind one interface."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from mmengine import fileio

from glowdeblur_plugin.data.decode import PICTURE_SUFFIXES, decode_picture, picture_size
from glowdeblur_plugin.data.lmdb_store import check_whole, read_manifest, read_record, read_sizes
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError, made_by

CACHE_BYTES = 64 << 20
KEYS_NAMED = 3


class Window(NamedTuple):
    """A rectangle of pixels: its first row and column, its height and width."""

    top: int
    left: int
    height: int
    width: int


class PictureSource(ABC):
    """Sharp or blurry pictures under sorted keys. May be pickled and forked; each process has its own cache of decoded pictures.

    Attributes:
        root: the set's folder.
        sizes: key -> (height, width) in pixels, in sorted order of the keys.
    """

    def __init__(self, root: Path, sizes: dict[str, tuple[int, int]]) -> None:
        if not sizes:
            raise UserError(f'{root}: holds no picture')
        self.root = root
        self.sizes = dict(sorted(sizes.items()))
        self._cache: OrderedDict[str, np.ndarray] = OrderedDict()
        self._cached_bytes = 0

    @abstractmethod
    def describe(self, key: str) -> str:
        """Where the picture under `key` lies, for error messages and the sample's path."""

    @abstractmethod
    def _load(self, key: str) -> bytes:
        """The encoded picture under `key`."""

    def read(self, key: str, window: Window | None = None) -> np.ndarray:
        """The picture under `key`, or a window of it, uint8 RGB (H, W, 3); a view that must not be written to.

        The last pictures are kept decoded, up to 64 MiB a process and source: small sets are decoded once.

        Raises:
            UserError: missing, damaged or too large picture, or one whose size is not the listed one.
        """
        picture = self._cache.get(key)
        if picture is None:
            picture = decode_picture(self._load(key), self.describe(key))
            if picture.shape[:2] != self.sizes[key]:
                raise UserError(f'{self.describe(key)}: is {_size(picture.shape)}, but listed as {_size(self.sizes[key])}')
            self._keep(key, picture)
        else:
            self._cache.move_to_end(key)
        if window is None:
            return picture
        return picture[window.top:window.top + window.height, window.left:window.left + window.width]

    def _keep(self, key: str, picture: np.ndarray) -> None:
        self._cache[key] = picture
        self._cached_bytes += picture.nbytes
        while self._cached_bytes > CACHE_BYTES:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= dropped.nbytes

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_cache': OrderedDict(), '_cached_bytes': 0}


class LmdbSource(PictureSource):
    """A packed set, ours or one made by BasicSR's tools."""

    def __init__(self, root: Path) -> None:
        read_manifest(root)
        super().__init__(root, read_sizes(root))
        check_whole(root)

    def describe(self, key: str) -> str:
        """The set's folder and the key in it."""
        return f'{self.root}/{key}'

    def _load(self, key: str) -> bytes:
        return read_record(self.root, key)


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
        return str(self.root / self._files[key])

    def _load(self, key: str) -> bytes:
        try:
            return fileio.get(self.root / self._files[key])
        except OSError as error:
            raise UserError(f'{self.describe(key)}: cannot be read ({error.strerror or error})') from None


def open_source(dataroot: str | Path, option: str, command: str | None = None, progress: Progress = silent) -> PictureSource:
    """Open what `dataroot` names: a packed set when it ends in '.lmdb', else a plain folder.

    Args:
        option: the option that held the path, such as `datasets:train:dataroot_gt`; it starts each error.
        command: makes the set; quoted when it is missing.
        progress: told while the headers of a folder's pictures are read.

    Raises:
        UserError: missing path, no picture in it, or one that cannot be read.
    """
    root = Path(dataroot)
    if not root.is_dir():
        problem = 'is not a folder' if root.exists() else 'does not exist'
        advice = made_by(command) or ', give a packed set (.lmdb) or a folder of pictures'
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
