"""What all metrics share: what is known of them, how they are called, and how they fail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.protocols import Protocol

Score = Callable[..., float]
SetScore = Callable[[Sequence[Path], Sequence[Path]], float]


class MetricUnavailable(UserError):
    """A metric cannot run here: a package or a file of weights is missing, or there are too few pictures for it."""


class PictureFailed(UserError):
    """A metric has no value for this one picture."""


@dataclass(frozen=True)
class MetricInfo:
    """What is known of a metric.

    Attributes:
        name: in option files and results.
        label: in tables.
        better: which values are.
        digits: behind the point in tables.
        needs: pictures beside the restored one: `sharp`, `blurry`.
        per_set: has one value for a whole set, see `Metric.over_set`.
        source: paper.
    """

    name: str
    label: str
    better: Literal['higher', 'lower']
    digits: int
    needs: frozenset[str]
    per_set: bool
    source: str


@dataclass(frozen=True)
class Metric:
    """One metric under one protocol.

    Attributes:
        score: gets what `info.needs` names and `restored`, by these names, prepared by the protocol and cropped; float64.
        score_set: the same of a metric for a whole set, from files.
        crop_border: pixels that are left out at each side.
    """

    info: MetricInfo
    protocol: Protocol
    score: Score | None = None
    score_set: SetScore | None = None
    crop_border: int = 0

    def __call__(self, restored: np.ndarray, sharp: np.ndarray | None = None, blurry: np.ndarray | None = None) -> float:
        """The value for one picture, float RGB (H, W, 3) in [0, 1] as all; infinite for the PSNR of equal pictures.

        Raises:
            UserError: what the metric needs is missing, or it is one for whole sets.
            PictureFailed: pictures of different sizes, too small or not numbers; no alignment was found.
        """
        if self.score is None:
            raise UserError(f'{self.info.name}: has no value for one picture, only for a whole set')
        given = {'restored': restored, 'sharp': sharp, 'blurry': blurry}
        pictures = {name: given[name] for name in ('restored', *sorted(self.info.needs))}
        for name, picture in pictures.items():
            self._check(name, picture, restored.shape)
        border = self.crop_border
        value = float(self.score(**{name: self.protocol.prepare(picture[border:len(picture) - border,
                                                                        border:picture.shape[1] - border])
                                    for name, picture in pictures.items()}))
        if np.isnan(value):
            raise PictureFailed(f'{self.info.name}: the value of this picture is not a number')
        return value

    def over_set(self, restored: Sequence[Path], sharp: Sequence[Path]) -> float:
        """The value for a whole set of picture files; the two lists need not be in the same order.

        Raises:
            UserError: a metric for single pictures.
            MetricUnavailable: too few pictures.
        """
        if self.score_set is None:
            raise UserError(f'{self.info.name}: has a value for each picture, none for a set of files')
        return self.score_set(restored, sharp)

    def _check(self, name: str, picture: np.ndarray | None, shape: tuple[int, ...]) -> None:
        if picture is None:
            raise UserError(f'{self.info.name}: needs the {name} picture, and there is none')
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype.kind != 'f':
            raise UserError(f'{self.info.name}: expected the {name} picture as floats (H, W, 3) in [0, 1], found '
                            f'{picture.dtype} {picture.shape}')
        if picture.shape != shape:
            raise PictureFailed(f'{self.info.name}: the restored picture is {_size(shape)} and the {name} one '
                                f'{_size(picture.shape)}')
        if min(shape[:2]) <= 2 * self.crop_border:
            raise PictureFailed(f'{self.info.name}: a border of {self.crop_border} pixels leaves nothing of {_size(shape)}')
        if not np.isfinite(picture).all():
            raise PictureFailed(f'{self.info.name}: the {name} picture holds values that are not numbers')


def require_size(name: str, picture: np.ndarray, height: int, width: int) -> None:
    """Refuse a picture (H, W, C) that a metric's window does not fit into.

    Raises:
        PictureFailed: it is smaller.
    """
    if picture.shape[0] < height or picture.shape[1] < width:
        raise PictureFailed(f'{name}: needs at least {width}x{height} pixels, found {_size(picture.shape)}')


def _size(shape: tuple[int, ...]) -> str:
    return f'{shape[1]}x{shape[0]}'
