"""The sets that the audit looks at: blurry pictures with or without known motion, and simulated domains on sharp pictures."""

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glowdeblur_plugin.data.picture_source import LmdbSource, PictureSource, open_source
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.side_data import MotionSource, motion_sibling
from glowdeblur_plugin.data.simulate.domains import DOMAINS
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import unknown_key


class Shot(NamedTuple):
    """A blurry `picture`, uint8 RGB (H, W, 3), and its true blur tensor `motion`, float32 (3, H, W), or None."""

    picture: np.ndarray
    motion: np.ndarray | None


class BlurSet(ABC):
    """Blurry pictures by number, the same ones each time; may be pickled.

    Attributes:
        label: how the set is called in tables and pictures.
        motion_known: whether the shots come with their true motion.
    """

    label: str
    motion_known: bool

    @abstractmethod
    def __len__(self) -> int:
        """Number of pictures."""

    @abstractmethod
    def read(self, index: int) -> Shot:
        """The picture with this number."""

    @abstractmethod
    def describe(self, index: int) -> str:
        """Where it lies, for error messages."""


class BlurryPictures(BlurSet):
    """A packed set or folder of blurry pictures, with the motion maps beside it if it has some."""

    def __init__(self, label: str, source: PictureSource, motion: MotionSource | None) -> None:
        self.label, self.source, self.motion = label, source, motion
        self.keys = list(source.sizes)
        self.motion_known = motion is not None

    def __len__(self) -> int:
        return len(self.keys)

    def read(self, index: int) -> Shot:
        """See the base class."""
        key = self.keys[index]
        picture = self.source.read(key)
        if self.motion is None:
            return Shot(picture, None)
        return Shot(picture, self.motion.window(key, Window(0, 0, *picture.shape[:2])))

    def describe(self, index: int) -> str:
        """See the base class."""
        return self.source.describe(self.keys[index])


class SimulatedBlur(BlurSet):
    """A domain of the blur simulator on sharp pictures, whole ones less the margin; seed 0, so it comes out the same each time."""

    motion_known = True

    def __init__(self, label: str, domain: str, root: Path, pictures: int | None) -> None:
        self.label = label
        section = {'phase': 'val', 'dataroot_gt': str(root), 'domain': domain, 'dtype': 'uint8'}
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
        return Shot(np.ascontiguousarray(sample['lq'].numpy().transpose(1, 2, 0)), sample['motion'].numpy())

    def describe(self, index: int) -> str:
        """See the base class."""
        return f'{self.label}, picture {index}'


def open_set(text: str, pictures: int | None = None, progress: Progress = silent) -> BlurSet:
    """Open what the user names: a packed set, a folder, or `DOMAIN:PATH`, a domain of the simulator on the sharp pictures in PATH.

    Args:
        pictures: how many are wanted; a simulated set draws further blurs of its pictures when it has fewer.

    Raises:
        UserError: missing set, no picture in it, or a domain that does not exist.
    """
    domain, colon, path = text.partition(':')
    if colon and not Path(text).exists():
        if domain not in DOMAINS:
            raise unknown_key(text, domain, DOMAINS)
        return SimulatedBlur(f'{domain}:{short_name(Path(path))}', domain, Path(path), pictures)
    source = open_source(text, 'set', progress=progress)
    sibling = motion_sibling(source.root) if isinstance(source, LmdbSource) else None
    return BlurryPictures(short_name(source.root), source, None if sibling is None else _motion_of(source, sibling))


def _motion_of(source: PictureSource, sibling: Path) -> MotionSource:
    motion = MotionSource(sibling)
    missing = [key for key in source.sizes if key not in motion.sizes]
    if missing:
        raise UserError(f'{sibling}: has no motion for {len(missing)} pictures of {source.root}, such as {missing[0]}; pack it again')
    return motion


def short_name(root: Path) -> str:
    """The last two parts of a path without `.lmdb`, such as gopro/test_lq."""
    parts = root.resolve().parts[-2:]
    return '/'.join(part for part in parts if part != root.anchor).removesuffix('.lmdb')


def chosen(count: int, pictures: int | None, label: str) -> list[int]:
    """Numbers of the pictures to look at: all of `count`, or `pictures` of them, evenly spaced.

    Raises:
        UserError: there are fewer.
    """
    if pictures is None:
        return list(range(count))
    if pictures > count:
        raise UserError(f'--pictures: {label} has {count} pictures, {pictures} were asked for; ask for {count} or fewer')
    return [index * count // pictures for index in range(pictures)]
