"""What is measured in each picture of a set, over one process or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple, get_args

import numpy as np

from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.workers import WorkerKilledError, Workers
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.report.blur_estimate import BlurEstimate, estimate_blur, grey_levels, noise_level
from glowdeblur_plugin.report.blur_set import BlurSet, MotionOrigin, chosen
from glowdeblur_plugin.report.structure_functions import pool

SATURATED = 250
PICTURES_PER_PROCESS = 200
PICTURES_AT_ONCE = 4


class PictureRecord(NamedTuple):
    """One picture.

    Attributes:
        index: its number in the set.
        noise: standard deviation in 8-bit levels, see `noise_level`.
        saturation: share of the pixels with a channel at 250 or above.
        motion: the blur by where it is known from: `true`, its mean over each cell, all sure; `pairs`, estimated with the sharp
            picture; `estimated`, from the blurry picture alone, which is always there.
    """

    index: int
    noise: float
    saturation: float
    motion: dict[MotionOrigin, BlurEstimate]


@dataclass(frozen=True)
class SetRecord:
    """All pictures of a set that were looked at; `origin` says where their motion is best known from."""

    label: str
    origin: MotionOrigin
    pictures: list[PictureRecord]

    def estimates(self, origin: MotionOrigin | None = None) -> list[BlurEstimate]:
        """Blur of each picture by `origin`, or as it is best known."""
        return [picture.motion[origin or self.origin] for picture in self.pictures]

    def cells(self, origin: MotionOrigin | None = None) -> list[np.ndarray]:
        """Blur tensors (n, 3) of each picture's sure cells by `origin`, or as they are best known; pictures without any are
        left out."""
        return [motion[:, sure].T for motion, sure in self.estimates(origin) if sure.any()]


def common_origin(records: Sequence[SetRecord]) -> MotionOrigin:
    """The best origin of motion that all pictures of all sets have: only what is known alike is compared."""
    return next(origin for origin in get_args(MotionOrigin)
                if all(origin in picture.motion for record in records for picture in record.pictures))


def measure_picture(blur_set: BlurSet, index: int) -> PictureRecord:
    """Read one picture, of at least a cell, and measure it.

    Raises:
        UserError: it cannot be read.
    """
    picture, sharp, motion = blur_set.read(index)
    known: dict[MotionOrigin, BlurEstimate] = {'estimated': estimate_blur(picture)}
    if sharp is not None:
        known['pairs'] = estimate_blur(picture, sharp)
    if motion is not None:
        known['true'] = BlurEstimate(np.stack([pool(plane) for plane in motion]), np.ones_like(known['estimated'].sure))
    saturation = float((picture.max(axis=2) >= SATURATED).mean())
    return PictureRecord(index, noise_level(grey_levels(picture)), saturation, known)


def measure_set(blur_set: BlurSet, pictures: int | None = None, workers: int = 1, progress: Progress = silent) -> SetRecord:
    """Measure all pictures of a set, or `pictures` of them, evenly spaced, in up to `workers` processes, one for each 200
    pictures, as starting one takes seconds; the result is the same.

    Raises:
        UserError: see `measure_picture` and `chosen`; no picture has a cell with enough contrast; or a process was killed.
    """
    indices = chosen(blur_set, pictures)
    task = f'{blur_set.label}: measured'
    progress(task, 0, len(indices))
    records = []
    parts = [indices[start:start + PICTURES_AT_ONCE] for start in range(0, len(indices), PICTURES_AT_ONCE)]
    try:
        with Workers(max(1, min(workers, len(indices) // PICTURES_PER_PROCESS))) as processes:
            for record in chain.from_iterable(processes.map(partial(_measure_part, blur_set), parts)):
                records.append(record)
                progress(task, len(records), len(indices))
    except WorkerKilledError:
        raise UserError(f'{blur_set.label}: a process that measured it was killed, perhaps for want of memory; run again with '
                        'fewer --workers') from None
    found = SetRecord(blur_set.label, blur_set.origin, records)
    if not (found.cells() and found.cells('estimated')):
        raise UserError(f'{blur_set.label}: no picture has a cell with enough contrast to measure blur in')
    return found


def _measure_part(blur_set: BlurSet, indices: list[int]) -> list[PictureRecord]:
    return [measure_picture(blur_set, index) for index in indices]
