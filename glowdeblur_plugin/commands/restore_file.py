"""One file of `glowdeblur restore`: read, restored, judged and written; a failure is told and the next one follows."""

import sys
import time
from pathlib import Path

import numpy as np
import torch

from glowdeblur_plugin.data.progress import Progress
from glowdeblur_plugin.drawing import encode_png
from glowdeblur_plugin.errors import UserError, printable
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.inference.inputs import Input
from glowdeblur_plugin.inference.photographs import read_photograph, write_photograph
from glowdeblur_plugin.inference.plausibility import refuse_implausible
from glowdeblur_plugin.inference.restorer import Restorer
from glowdeblur_plugin.inference.video import restore_video
from glowdeblur_plugin.report.restoration import failure_row, measure_change, restoration_row, restoration_strip

PROGRESS_WIDTH = 70  # what is written over a line of progress is at least as long


class FileRestorer:
    """Restores files one after the other.

    Args:
        seed: the same for all pictures and frames.
        measure: whether blur is estimated before and after.
        strips: folder for strips of input and result; None for none.
        progress: told about the frames of videos.

    Attributes:
        failed: how many files were not restored.
    """

    def __init__(self, restorer: Restorer, seed: int, measure: bool, strips: Path | None, progress: Progress) -> None:
        self.failed = 0
        self._restorer, self._seed, self._measure, self._strips, self._progress = restorer, seed, measure, strips, progress

    def restore(self, item: Input) -> dict[str, str]:
        """Write the result of a file, or tell on stderr why there is none; returns its row of the report."""
        try:
            return self._video(item) if item.is_video else self._picture(item)
        except (UserError, MemoryError, torch.OutOfMemoryError) as error:
            why = str(error) if isinstance(error, UserError) else 'too little memory; try --tile 512'
        except RuntimeError as error:
            if 'allocate' not in str(error):
                raise
            why = 'too little memory; try --tile 512'
        self.failed += 1
        why = why.removeprefix(f'{printable(item.source)}: ')
        _tell(f'{item.source}: {why}')
        return failure_row(printable(item.name), why)

    def _picture(self, item: Input) -> dict[str, str]:
        photograph, started = read_photograph(item.source), time.monotonic()
        restored = self._restored(photograph.picture)
        seconds = time.monotonic() - started
        lost = write_photograph(item.out, photograph, restored)
        for note in (*photograph.notes, *lost):
            _tell(f'{item.source}: {note}')
        return self._report(item, photograph.picture, restored, seconds)

    def _video(self, item: Input) -> dict[str, str]:
        first: list[tuple[np.ndarray, np.ndarray]] = []

        def restore_frame(frame: np.ndarray) -> np.ndarray:
            restored = self._restored(frame)
            if not first:
                first.append((frame, restored))
            return restored

        started = time.monotonic()
        for note in restore_video(item.source, item.out, restore_frame, self._progress):
            _tell(f'{item.source}: {note}')
        return self._report(item, *first[0], time.monotonic() - started)

    def _restored(self, picture: np.ndarray) -> np.ndarray:
        restored = self._restorer.restore(picture, self._seed)
        refuse_implausible(picture, restored)
        return restored

    def _report(self, item: Input, picture: np.ndarray, restored: np.ndarray, seconds: float) -> dict[str, str]:
        """The row of a result, of a video that of its first frame; empty where nothing is measured."""
        pair = [np.round(np.clip(side, 0, 1) * 255).astype(np.uint8) for side in (picture, restored)]
        if self._strips is not None:
            write_atomically(self._strips / f'{item.name}.png', encode_png(restoration_strip(*pair)))
        return restoration_row(printable(item.name), measure_change(*pair), seconds) if self._measure else {}


def _tell(message: str) -> None:
    print(f'glowdeblur: {printable(message)}'.ljust(PROGRESS_WIDTH), file=sys.stderr)
