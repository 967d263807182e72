"""The sets that the audit looks at: blurry pictures, alone or with what is packed beside them, and simulated domains."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from glowdeblur_plugin.data.picture_source import LmdbSource, PictureSource, check_pairs, open_source
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.side_data import MotionSource, motion_sibling
from glowdeblur_plugin.data.simulate.domains import DOMAINS
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import unknown_key
from glowdeblur_plugin.report.structure_functions import CELL

MotionOrigin = Literal['true', 'pairs', 'estimated']


class Shot(NamedTuple):
    """A blurry `picture` and the `sharp` one of the same scene or None, uint8 RGB (H, W, 3), and the true blur tensor `motion`,
    float32 (3, H, W), or None; the same of them for each picture of a set."""

    picture: np.ndarray
    sharp: np.ndarray | None
    motion: np.ndarray | None


class BlurSet(ABC):
    """Blurry pictures by number, the same ones each time; may be pickled.

    Attributes:
        label: how the set is called in tables and pictures.
        origin: where the motion of its pictures is best known from: the `true` one, `pairs` of a blurry and a sharp picture, or
            `estimated` from the blurry one.
    """

    label: str
    origin: MotionOrigin

    @abstractmethod
    def __len__(self) -> int:
        """Number of pictures."""

    @abstractmethod
    def read(self, index: int) -> Shot:
        """The picture with this number."""

    @abstractmethod
    def describe(self, index: int) -> str:
        """Where it lies, for error messages."""

    @abstractmethod
    def size(self, index: int) -> tuple[int, int]:
        """Its height and width in pixels."""


class BlurryPictures(BlurSet):
    """A packed set or folder of blurry pictures; `<split>_motion.lmdb` and `<split>_gt.lmdb` beside `<split>_lq.lmdb` are
    used."""

    def __init__(self, label: str, source: PictureSource) -> None:
        self.label, self.source = label, source
        self.keys = list(source.sizes)
        self.motion = self.sharp = None
        self.origin = 'estimated'
        if isinstance(source, LmdbSource) and source.root.stem.endswith('_lq'):
            motion, sharp = motion_sibling(source.root), _sharp_sibling(source.root)
            if sharp is not None:
                self.sharp, self.origin = LmdbSource(sharp), 'pairs'
                check_pairs(source, self.sharp, label)
            if motion is not None:
                self.motion, self.origin = _motion_of(source, motion), 'true'

    def __len__(self) -> int:
        return len(self.keys)

    def read(self, index: int) -> Shot:
        """See the base class."""
        key = self.keys[index]
        picture = self.source.read(key)
        sharp = None if self.sharp is None else self.sharp.read(key)
        motion = None if self.motion is None else self.motion.window(key, Window(0, 0, *picture.shape[:2]))
        return Shot(picture, sharp, motion)

    def describe(self, index: int) -> str:
        """See the base class."""
        return self.source.describe(self.keys[index])

    def size(self, index: int) -> tuple[int, int]:
        """See the base class."""
        return self.source.sizes[self.keys[index]]


def _motion_of(source: PictureSource, root: Path) -> MotionSource:
    motion = MotionSource(root)
    missing = [key for key in source.sizes if key not in motion.sizes]
    if missing:
        raise UserError(f'{root}: has no motion for {len(missing)} pictures of {source.root}, such as {missing[0]}; '
                        'pack it again')
    for key, size in source.sizes.items():
        motion.check_grid(key, size)
    return motion


def _sharp_sibling(root: Path) -> Path | None:
    sibling = root.with_name(f'{root.stem.removesuffix("_lq")}_gt.lmdb')
    return sibling if sibling.is_dir() else None


class SimulatedBlur(BlurSet):
    """Sharp pictures blurred by the simulator, whole ones less the margin; seed 0, so it comes out the same each time.

    Args:
        section: keys of a `SimulatedBlurDataset`, with its `domain` and `dataroot_gt`.
        pictures: how many are wanted; None for one of each sharp picture.
    """

    origin = 'true'

    def __init__(self, label: str, section: Mapping[str, Any], pictures: int | None) -> None:
        # It takes seconds, which sets of pictures need not wait for.
        from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset

        self.label = label
        section = {**section, 'phase': 'val', 'dtype': 'uint8', 'draws_per_picture': 1}
        dataset = SimulatedBlurDataset(section, label)
        if pictures is not None and pictures > len(dataset):
            section['draws_per_picture'] = math.ceil(pictures / len(dataset))
            dataset = SimulatedBlurDataset(section, label)
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, index: int) -> Shot:
        """See the base class."""
        sample = self.dataset[index]
        picture, sharp = (np.ascontiguousarray(sample[side].numpy().transpose(1, 2, 0)) for side in ('lq', 'gt'))
        return Shot(picture, sharp, sample['motion'].numpy())

    def describe(self, index: int) -> str:
        """See the base class."""
        return self.dataset.source.describe(self._key(index))

    def size(self, index: int) -> tuple[int, int]:
        """See the base class."""
        height, width = self.dataset.source.sizes[self._key(index)]
        return height - 2 * self.dataset.edge, width - 2 * self.dataset.edge

    def _key(self, index: int) -> str:
        return self.dataset.keys[index % len(self.dataset.keys)]


@contextmanager
def naming(option: str) -> Iterator[None]:
    """Errors begin with the option that named the set."""
    try:
        yield
    except UserError as error:
        raise UserError(f'{option}: {error}') from None


def open_set(text: str, pictures: int | None = None, progress: Progress = silent, option: str = 'SET') -> BlurSet:
    """Open what the user names: a packed set, a folder, or `DOMAIN:PATH`, a domain of the simulator on the sharp pictures in
    PATH.

    Args:
        pictures: how many are wanted; a simulated set draws further blurs of its pictures when it has fewer.
        option: what named the set; it starts each error.

    Raises:
        UserError: missing set, no picture in it, or a domain that does not exist.
    """
    domain, colon, path = text.partition(':')
    if not colon or Path(text).exists():
        source = open_source(text, option, progress=progress)
        with naming(option):
            return BlurryPictures(short_name(source.root), source)
    with naming(option):
        if domain not in DOMAINS:
            raise unknown_key(text, domain, DOMAINS)
        if not path:
            raise UserError(f'{text} names no sharp pictures; give {text}PATH, a packed set (.lmdb) or a folder')
        return SimulatedBlur(f'{domain}:{short_name(Path(path))}', {'dataroot_gt': path, 'domain': domain}, pictures)


def short_name(root: Path) -> str:
    """The last two parts of a path without `.lmdb`, such as gopro/test_lq."""
    parts = root.resolve().parts[-2:]
    return '/'.join(part for part in parts if part != root.anchor).removesuffix('.lmdb')


def file_name(label: str) -> str:
    """A label as a file name without suffix."""
    return re.sub(r'[^A-Za-z0-9_\-]+', '_', label).strip('_')


def tell_apart(opened: dict[str, BlurSet]) -> None:
    """Where the file names of sets would be equal, take what the user called them, the keys of `opened`, as labels."""
    files = [file_name(blur_set.label) for blur_set in opened.values()]
    for name, blur_set in opened.items():
        if files.count(file_name(blur_set.label)) > 1:
            blur_set.label = name


def chosen(blur_set: BlurSet, pictures: int | None) -> list[int]:
    """Numbers of the pictures to look at: all, or `pictures` of them, evenly spaced.

    Raises:
        UserError: there are fewer, or one of them is smaller than a cell.
    """
    count = len(blur_set)
    if pictures is not None and pictures > count:
        raise UserError(f'{blur_set.label} has {count} pictures, but {pictures} were asked for (--pictures)')
    indices = list(range(count)) if pictures is None else [index * count // pictures for index in range(pictures)]
    for index in indices:
        height, width = blur_set.size(index)
        if min(height, width) < CELL:
            raise UserError(f'{blur_set.describe(index)}: {width}x{height} pixels are too few, the audit needs {CELL}x{CELL}')
    return indices
