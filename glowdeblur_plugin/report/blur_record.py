"""What is measured in each picture of a set, over one process or several."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.report.blur_estimate import CELL, estimate_blur, pool
from glowdeblur_plugin.report.blur_set import BlurSet, chosen

SATURATED = 250
PICTURES_PER_PROCESS = 32


class PictureRecord(NamedTuple):
    """One picture.

    Attributes:
        index: its number in the set.
        noise: standard deviation in 8-bit levels, see `noise_level`.
        saturation: share of the pixels with a channel at 250 or above.
        estimate, sure: estimated blur tensor float32 (3, h, w) in pixels and bool (h, w), see `estimate_blur`.
        truth: true blur tensor float32 (3, h, w), its mean over each cell, or None.
    """

    index: int
    noise: float
    saturation: float
    estimate: np.ndarray
    sure: np.ndarray
    truth: np.ndarray | None


@dataclass(frozen=True)
class SetRecord:
    """All pictures of a set that were looked at."""

    label: str
    motion_known: bool
    pictures: list[PictureRecord]

    def estimated_cells(self) -> list[np.ndarray]:
        """Estimated blur tensors (n, 3) of each picture's sure cells; pictures without any are left out."""
        cells = [picture.estimate[:, picture.sure].T for picture in self.pictures]
        return [entry for entry in cells if len(entry)]

    def true_cells(self) -> list[np.ndarray]:
        """True blur tensors (n, 3) of all cells of each picture, for a set of known motion."""
        return [picture.truth.reshape(3, -1).T for picture in self.pictures]

    def cells(self) -> list[np.ndarray]:
        """The true blur tensors where they are known, else the estimated ones."""
        return self.true_cells() if self.motion_known else self.estimated_cells()


def measure_picture(blur_set: BlurSet, index: int) -> PictureRecord:
    """Read one picture and measure it.

    Raises:
        UserError: it cannot be read, or is smaller than a cell.
    """
    picture, motion = blur_set.read(index)
    if min(picture.shape[:2]) < CELL:
        height, width = picture.shape[:2]
        raise UserError(f'{blur_set.describe(index)}: is {width}x{height}, too small for a cell of {CELL}x{CELL} pixels')
    estimate = estimate_blur(picture)
    saturation = float((picture.max(axis=2) >= SATURATED).mean())
    truth = None if motion is None else np.stack([pool(plane) for plane in motion])
    return PictureRecord(index, estimate.noise, saturation, estimate.motion, estimate.sure, truth)


def measure_set(blur_set: BlurSet, pictures: int | None = None, workers: int = 1, progress: Progress = silent) -> SetRecord:
    """Measure all pictures of a set, or `pictures` of them, evenly spaced; the result does not depend on `workers`.

    Raises:
        UserError: see `measure_picture` and `chosen`; or no picture has a cell with enough contrast.
    """
    indices = chosen(len(blur_set), pictures, blur_set.label)
    task = f'{blur_set.label}: measured'
    progress(task, 0, len(indices))
    records = []
    for record in _measured(blur_set, indices, min(workers, len(indices) // PICTURES_PER_PROCESS)):
        records.append(record)
        progress(task, len(records), len(indices))
    if not any(record.sure.any() for record in records):
        raise UserError(f'{blur_set.label}: no picture has a cell with enough contrast to measure blur in')
    return SetRecord(blur_set.label, blur_set.motion_known, records)


def _measured(blur_set: BlurSet, indices: list[int], processes: int) -> Iterator[PictureRecord]:
    if processes < 2:
        for index in indices:
            yield measure_picture(blur_set, index)
        return
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(processes, context, _start, (blur_set,)) as executor:
        try:
            yield from executor.map(_measure, indices, chunksize=4)
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise


_process_set: BlurSet


def _start(blur_set: BlurSet) -> None:
    global _process_set
    _process_set = blur_set
    cv2.setNumThreads(1)


def _measure(index: int) -> PictureRecord:
    return measure_picture(_process_set, index)
