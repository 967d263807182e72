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
from glowdeblur_plugin.report.blur_estimate import BlurEstimate, estimate_blur, grey_levels, noise_level
from glowdeblur_plugin.report.blur_set import BlurSet, MotionOrigin, chosen
from glowdeblur_plugin.report.structure_functions import pool

SATURATED = 250
PICTURES_PER_PROCESS = 200


class PictureRecord(NamedTuple):
    """One picture.

    Attributes:
        index: its number in the set.
        noise: standard deviation in 8-bit levels, see `noise_level`.
        saturation: share of the pixels with a channel at 250 or above.
        blind: blur estimated from the blurry picture alone.
        best: the best that is known of it: the true blur, its mean over each cell, all sure; else estimated with the sharp
            picture; else `blind`.
    """

    index: int
    noise: float
    saturation: float
    blind: BlurEstimate
    best: BlurEstimate


@dataclass(frozen=True)
class SetRecord:
    """All pictures of a set that were looked at; `origin` says where `best` comes from."""

    label: str
    origin: MotionOrigin
    pictures: list[PictureRecord]

    def best_cells(self) -> list[np.ndarray]:
        """Blur tensors (n, 3) of each picture's sure cells as they are best known; pictures without any are left out."""
        return _sure_cells([picture.best for picture in self.pictures])

    def blind_cells(self) -> list[np.ndarray]:
        """The same, all estimated from the blurry pictures alone: what sets of different kinds are compared by."""
        return _sure_cells([picture.blind for picture in self.pictures])


def _sure_cells(estimates: list[BlurEstimate]) -> list[np.ndarray]:
    return [motion[:, sure].T for motion, sure in estimates if sure.any()]


def measure_picture(blur_set: BlurSet, index: int) -> PictureRecord:
    """Read one picture, of at least a cell, and measure it.

    Raises:
        UserError: it cannot be read.
    """
    picture, sharp, motion = blur_set.read(index)
    best = blind = estimate_blur(picture)
    if motion is not None:
        best = BlurEstimate(np.stack([pool(plane) for plane in motion]), np.ones_like(blind.sure))
    elif sharp is not None:
        best = estimate_blur(picture, sharp)
    saturation = float((picture.max(axis=2) >= SATURATED).mean())
    return PictureRecord(index, noise_level(grey_levels(picture)), saturation, blind, best)


def measure_set(blur_set: BlurSet, pictures: int | None = None, workers: int = 1, progress: Progress = silent) -> SetRecord:
    """Measure all pictures of a set, or `pictures` of them, evenly spaced, in up to `workers` processes, one for each 200
    pictures, as starting one takes seconds; the result is the same.

    Raises:
        UserError: see `measure_picture` and `chosen`; or no picture has a cell with enough contrast.
    """
    indices = chosen(blur_set, pictures)
    task = f'{blur_set.label}: measured'
    progress(task, 0, len(indices))
    records = []
    for record in _measured(blur_set, indices, min(workers, len(indices) // PICTURES_PER_PROCESS)):
        records.append(record)
        progress(task, len(records), len(indices))
    if not any(record.blind.sure.any() and record.best.sure.any() for record in records):
        raise UserError(f'{blur_set.label}: no picture has a cell with enough contrast to measure blur in')
    return SetRecord(blur_set.label, blur_set.origin, records)


def _measured(blur_set: BlurSet, indices: list[int], processes: int) -> Iterator[PictureRecord]:
    if processes < 2:
        for index in indices:
            yield measure_picture(blur_set, index)
        return
    # Spawned: forked children of a process that has measured pictures itself were seen to hang.
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
