"""What all datasets of ours share: options, one random generator a draw, and the form of a sample."""

import hashlib
import json
import os
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

import cv2
import numpy as np
import torch
from basicsr.utils import get_root_logger
from torch.utils.data import Dataset, get_worker_info

from glowdeblur_plugin.data.picture_source import PictureSource
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.host_options import DATASET_KEYS
from glowdeblur_plugin.options import Between, read_section

Dtype = Literal['float32', 'uint8']
Side = Annotated[int, Between(16)]
FLIPS = {(True, False): 1, (False, True): 0, (True, True): -1}  # OpenCV's codes by (horizontal, vertical)


@dataclass(kw_only=True)
class DatasetOptions:
    """Keys of every dataset section.

    Attributes:
        seed: first part of the seed of all random numbers; the launcher gives `manual_seed` when a training section has none.
        dtype: of `lq` and `gt`: `float32` in [0, 1], or `uint8` in 0..255, which travels faster between processes.
        made_by: the command that makes the set, quoted when the set is missing.
    """

    seed: Annotated[int, Between(0)] = 0
    dtype: Dtype = 'float32'
    made_by: str | None = None


@dataclass(kw_only=True)
class CropOptions(DatasetOptions):
    """Keys of a dataset that cuts its training crops out of pictures.

    Attributes:
        gt_size: side of the crops in pixels; needed in training, while validation and test take whole pictures.
        use_hflip: flip training crops left to right in half of the cases.
        use_rot: flip training crops upside down and transpose them, each in half of the cases.
        skip_small: leave out training pictures that are too small for a crop, instead of refusing the set.
    """

    gt_size: Side | None = None
    use_hflip: bool = True
    use_rot: bool = True
    skip_small: bool = False


class DeblurDataset(Dataset):
    """A dataset whose samples depend on (seed, draw) alone: see the architecture's section on draws.

    Args:
        opt: the section of the option file, with `phase` as BasicSR fills it in.
        section: the section's name in errors; `datasets:<phase>` when None.

    Attributes:
        Options: dataclass of the section's keys.
        accepts_draws: an index may be any draw, far beyond the number of pictures; the picture is draw mod that number.
        render_edge: pixels around a crop in samples that the model renders; a mixture raises it to the largest of its parts.
        takes_places: an index is rather the sample's place in the run, see `MixtureOrder`.
    """

    Options: ClassVar[type[DatasetOptions]] = DatasetOptions
    accepts_draws: ClassVar[bool] = True
    render_edge: int = 0
    takes_places: ClassVar[bool] = False

    def __init__(self, opt: Mapping[str, Any], section: str | None = None) -> None:
        self.opt = opt
        self.training = opt['phase'] == 'train'
        self.section = section or f'datasets:{opt["phase"]}'
        self.options = self.read_options(opt, self.section)

    @classmethod
    def read_options(cls, opt: Mapping[str, Any], section: str) -> DatasetOptions:
        """Check a section, its sub-sections too, without opening anything.

        Raises:
            UserError: a key or value that is wrong.
        """
        options = read_section(cls.Options, opt, section, DATASET_KEYS)
        if isinstance(options, CropOptions) and opt.get('phase') == 'train' and options.gt_size is None:
            raise UserError(f"{section}: key 'gt_size' is missing (side of the training crops in pixels)")
        return options

    @abstractmethod
    def __len__(self) -> int:
        """Number of pictures."""

    @abstractmethod
    def __getitem__(self, draw: int) -> dict[str, Any]:
        """The sample of a draw: `lq`, `gt` (3, H, W), `lq_path`, `gt_path`, `domain`, and what else the dataset knows."""

    def blank_extras(self) -> dict[str, Any]:
        """Key -> what stands for "not known" there, in the shape and type of this dataset's training samples, for every key
        that they have beyond `lq`, `gt`, `domain` and the paths; a mixture fills it in where another part's samples lack it."""
        return {}

    @abstractmethod
    def fingerprint(self) -> str:
        """Short hash of the pictures' keys and sizes and of all settings that change samples."""

    def hash_of(self, sources: list[PictureSource], *settings: Any) -> str:
        """`fingerprint` of these sources and settings and of the section's keys, wherever the sets lie."""
        keys = _without_paths(asdict(self.options))
        text = json.dumps([type(self).__name__, keys, [source.sizes for source in sources], settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def usable_keys(self, source: PictureSource, edge: int = 0) -> list[str]:
        """Keys of the pictures large enough for a training crop (or, in validation, for any sample) with `edge` pixels around it.

        Raises:
            UserError: one is too small and `skip_small` is not set, or all are; names it, its size and the needed one.
        """
        side = self.options.gt_size if self.training else Side.__metadata__[0].low
        needed = side + 2 * edge
        small = {key: None for key, size in source.sizes.items() if min(size) < needed}
        if small and (len(small) == len(source.sizes) or not (self.training and self.options.skip_small)):
            first = next(iter(small))
            height, width = source.sizes[first]
            around = f' and {edge} pixels on each side for the largest displacement' if edge else ''
            raise UserError(f'{self.section}: {source.describe(first)} is too small: found {width}x{height}, needed '
                            f'{needed}x{needed} for a crop of {side}{around}; lower gt_size, or leave such pictures out by '
                            'skip_small: true')
        if small:
            get_root_logger().warning(f'{self.section}: {len(small)} of {len(source.sizes)} pictures are below {needed}x{needed} '
                                      'and left out.')
        return [key for key in source.sizes if key not in small]


def _without_paths(section: dict[str, Any]) -> dict[str, Any]:
    return {key: _without_paths(value) if isinstance(value, dict) else value for key, value in section.items()
            if not key.startswith('dataroot') and key != 'made_by'}


_limited_process: int | None = None


def limit_worker_threads() -> None:
    """Keep OpenCV to one thread in a loader worker, once a process. The main process is left alone.

    With 0, not 1: OpenCV then never asks its pool of threads, which a forked worker inherits without its threads. Where the
    parent had used them, `setNumThreads(1)` waits for ever.
    """
    global _limited_process
    if _limited_process != os.getpid() and get_worker_info() is not None:
        cv2.setNumThreads(0)
        _limited_process = os.getpid()


def random_crop(size: tuple[int, int], side: int, edge: int, rng: np.random.Generator) -> Window:
    """A window of `side` x `side` pixels in a picture of size (height, width), at least `edge` pixels from its borders."""
    top, left = (int(rng.integers(edge, length - edge - side + 1)) for length in size)
    return Window(top, left, side, side)


class Symmetry:
    """One of the eight symmetries of the square: flips, then a transpose.

    Args:
        options: `use_hflip` allows the left-to-right flip, `use_rot` the upside-down flip and the transpose.
        rng: each of the allowed ones is drawn with chance one half.
    """

    def __init__(self, options: CropOptions, rng: np.random.Generator) -> None:
        draws = rng.random(3) < 0.5
        self.horizontal = bool(options.use_hflip and draws[0])
        self.vertical = bool(options.use_rot and draws[1])
        self.transpose = bool(options.use_rot and draws[2])

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """The uint8 picture (H, W, 3) under the symmetry; itself where there is nothing to turn."""
        if self.horizontal or self.vertical:
            picture = cv2.flip(picture, FLIPS[self.horizontal, self.vertical])
        return cv2.transpose(picture) if self.transpose else picture


def to_tensor(picture: np.ndarray, dtype: Dtype) -> torch.Tensor:
    """uint8 RGB (H, W, 3) to a tensor (3, H, W): `uint8` in 0..255 or `float32` in [0, 1]."""
    planes = np.empty((3, *picture.shape[:2]), np.uint8)
    cv2.split(picture, list(planes))
    tensor = torch.from_numpy(planes)
    return tensor if dtype == 'uint8' else to_unit_range(tensor)


def to_unit_range(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 in 0..255 to float32 in [0, 1], any shape and device."""
    return pictures.float().div_(255)
