"""Blur made of your own high-speed videos: consecutive sharp frames averaged, as for GoPro."""

import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath

from glowdeblur_plugin.data.packers.engine import Packed, pack_plans
from glowdeblur_plugin.data.packers.plan import Entry, SplitPlan, checked_split, clean_key
from glowdeblur_plugin.data.packers.settings import PackSettings
from glowdeblur_plugin.data.packers.trees import picture_files
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.simulate.camera import Response
from glowdeblur_plugin.errors import UserError

SET, VERSION = 'frames', 1
SCENE = r'^.*?(?=_?\d+_\d+f$)'


@dataclass(frozen=True, kw_only=True)
class Averaging:
    """How frames become pairs.

    Attributes:
        frames: numbers of frames to average, odd; used in turn, one a pair.
        step: frames from the start of one pair to that of the next; None: the pairs do not share frames.
        response: through which the frames were taken, see `simulate.high_speed.average_frames`.
    """

    frames: tuple[int, ...] = (7, 9, 11)
    step: int | None = None
    response: Response = 'gamma22'

    def __post_init__(self) -> None:
        if not self.frames or any(number < 3 or number % 2 == 0 for number in self.frames):
            found = ','.join(map(str, self.frames))
            raise UserError(f'--frames: expected odd numbers of at least 3, such as 7,9,11, found {found}')
        if self.step is not None and self.step < 1:
            raise UserError(f'--frame-step: expected at least 1 frame, found {self.step}')

    def windows(self, length: int) -> list[tuple[int, int]]:
        """First frame and number of frames of each pair out of `length` consecutive frames."""
        found, start = [], 0
        for turn in count():
            number = self.frames[turn % len(self.frames)]
            if start + number > length:
                return found
            found.append((start, number))
            start += number if self.step is None else self.step


def pack_frames(root: Path, out: Path, averaging: Averaging, split: str = 'train', progress: Progress = silent,
                settings: PackSettings = PackSettings()) -> list[Packed]:
    """Pack pairs of the mean of consecutive frames and the frame in the middle.

    Pictures of one folder whose names differ only in the number at their end are the frames of a video, and a video is a scene.
    A missing number ends a run of frames. Keys are <folders>_<name of the middle frame>_<number of frames>f.

    Raises:
        UserError: a name without a number, no run that is long enough, or as `pack_plans` does.
    """
    entries = [entry for run in _runs(root) for entry in _pairs(root, run, averaging)]
    if not entries:
        raise UserError(f'--root: {root} holds no {averaging.frames[0]} consecutive frames of one video')
    details = {'frames': list(averaging.frames), 'frame_step': averaging.step, 'response': averaging.response, 'scene': SCENE}
    plan = SplitPlan(SET, VERSION, checked_split(split), entries, details=details, response=averaging.response)
    return pack_plans([plan], out, settings, progress)


def _runs(root: Path) -> list[list[str]]:
    """Paths below `root` of frames whose numbers follow each other."""
    videos: dict[str, list[tuple[int, str]]] = {}
    for stem, file in picture_files(root, '--root').items():
        digits = re.search(r'\d+$', stem)
        if digits is None:
            raise UserError(f'--root: {root / file} has no frame number at the end of its name')
        videos.setdefault(stem[:digits.start()], []).append((int(digits[0]), file))
    runs = []
    for frames in videos.values():
        previous = None
        for number, file in sorted(frames):
            if previous is None or number != previous + 1:
                runs.append([])
            runs[-1].append(file)
            previous = number
    return runs


def _pairs(root: Path, run: list[str], averaging: Averaging) -> list[Entry]:
    found = []
    for start, number in averaging.windows(len(run)):
        files = tuple(root / file for file in run[start:start + number])
        middle = run[start + number // 2]
        key = clean_key(f'{PurePosixPath(middle).with_suffix("")}_{number}f')
        found.append(Entry(key, {'lq': files, 'gt': (files[number // 2],)}))
    return found
