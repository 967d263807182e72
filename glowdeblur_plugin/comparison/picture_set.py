"""The pictures of a set, one pair at a time."""

import hashlib
import json
from typing import Any, NamedTuple

import numpy as np
from basicsr.utils.registry import DATASET_REGISTRY
from torch import Tensor

from glowdeblur_plugin.comparison.options import SetOptions
from glowdeblur_plugin.comparison.picture_files import read_picture
from glowdeblur_plugin.data.dataset_base import to_unit_range
from glowdeblur_plugin.data.lmdb_store import DATA_FILE, read_checksums
from glowdeblur_plugin.data.picture_source import FolderSource, PictureSource
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.validation import picture_stem


class Pair(NamedTuple):
    """A blurry picture and, where it is known, the sharp one: float32 RGB (H, W, 3) in [0, 1]."""

    name: str
    blurry: np.ndarray
    sharp: np.ndarray | None


class PictureSet:
    """A section of `sets`, opened. Pictures are read when they are asked for.

    Args:
        data: the keys of the data set.

    Attributes:
        names: of the pictures that are taken, unlike each other and fit for files.
        scenes: picture -> the scene that it shows, which several blurs of one sharp picture share.
        with_truth: there are sharp pictures.
        origin: the set that the pictures belong to, itself or the one that it is `same_as`.
        identity: what tells it from other sets, and its pictures from those that lay there before; `first` has no part in it.

    Raises:
        UserError: a wrong key, a set that is not there or holds no picture, or two pictures of one name.
    """

    def __init__(self, name: str, options: SetOptions, data: dict[str, Any]) -> None:
        self.name, self.options, self.origin = name, options, options.same_as or name
        section = {**data, 'phase': 'test', 'name': name}
        self._dataset = DATASET_REGISTRY.get(options.type)(section, f'sets:{name}')
        self.with_truth = options.type == 'SimulatedBlurDataset' or section.get('dataroot_gt') is not None
        count = min(len(self._dataset), options.first or len(self._dataset))
        self.names = [picture_stem(self._dataset.lq_path(index), section) for index in range(count)]
        if len(set(self.names)) < count:
            twice = next(entry for entry in self.names if self.names.count(entry) > 1)
            raise UserError(f"sets:{name}: two pictures come to the name '{twice}', in which '/' is written '_'; rename one")
        several = section.get('draws_per_picture', 1) > 1
        self.scenes = {entry: entry.rpartition('_')[0] if several else entry for entry in self.names}
        sources = filter(None, (getattr(self._dataset, side, None) for side in ('lq', 'gt', 'source')))
        self.identity = {'type': options.type, 'data': self._dataset.fingerprint(), 'contents': list(map(_contents, sources))}

    @property
    def label(self) -> str:
        """In tables; says so where only the first pictures are taken."""
        label, first = self.options.label or self.name, self.options.first
        return f'{label} (first {len(self.names)})' if first is not None and len(self._dataset) > first else label

    def pair(self, index: int) -> Pair:
        """The picture at this place of `names`.

        Raises:
            UserError: it cannot be read.
        """
        if self.options.type == 'PairedLMDBDataset':
            key, sides = self._dataset.keys[index], (self._dataset.lq, self._dataset.gt)
            return Pair(self.names[index], *(None if side is None else _read(side, key) for side in sides))
        sample = self._dataset[index]
        return Pair(self.names[index], _floats(sample['lq']), _floats(sample['gt']))


def _contents(source: PictureSource) -> str:
    """A hash that differs where the pictures do: of the checksums of a packed set's records, wherever it lies, else of the
    files' sizes and times."""
    folder = isinstance(source, FolderSource)
    found: Any = {} if folder else read_checksums(source.root)
    if not found:
        files = map(source.file, source.sizes) if folder else [source.root / DATA_FILE]
        found = [[stat.st_size, stat.st_mtime_ns] for stat in (file.stat() for file in files)]
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:12]


def _read(source: PictureSource, key: str) -> np.ndarray:
    """A picture out of a packed set, or out of a folder in the depth of its file."""
    if isinstance(source, FolderSource):
        return read_picture(source.file(key))
    return source.read(key).astype(np.float32) / 255


def _floats(picture: Tensor) -> np.ndarray:
    unit = picture if picture.is_floating_point() else to_unit_range(picture)
    return np.ascontiguousarray(unit.numpy().transpose(1, 2, 0))
