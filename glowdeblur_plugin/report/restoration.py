"""What restoring did to photographs, without the sharp picture: their blur before and after, and what that means."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from glowdeblur_plugin.drawing import labelled_strip
from glowdeblur_plugin.report.blur_estimate import estimate_blur

# The blind estimate is below 2 pixels for most sharp photographs, and takes added grain or contrast for sharpness. What tells
# is the blur that would turn the result into the input, at a scale where the input's is 8 pixels long, which grain does not
# reach. Of GoPro's nine pairs with more than 12 pixels the sharp picture removes 0.6 to 1.4 of them, 12 pixels at least; an
# unsharp mask of amount 1.5, noise and the nano network's grain 1 to 5.5 pixels (but one of amount 4 removes 12 to 21). Of
# simulated blurs of crisp photographs the sharp ones remove at least 0.37 of 12 pixels and more, unsharp masks at most 4.3
# pixels. The limits are our choice.
SHARP_LENGTH, LIGHT_LENGTH, COMPARED_LENGTH = 2.0, 12.0, 8.0
LEAST_REMOVED, LEAST_REMOVED_SHARE = 6.0, 0.3
UNCHANGED_PSNR = 40.0
LEAST_SURE = 0.05  # a share of sure cells below this is a corner of a picture
SMALLEST_SIDE, SMALLEST_SCALED_SIDE = 32, 64
STRIP_WIDTH = 1600
COLUMNS = ('picture', 'blur_before', 'blur_after', 'blur_removed', 'psnr', 'seconds', 'verdict')
Row = Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """What became of a picture.

    Attributes:
        before: typical length of the blur in pixels, see `blur_length`; None where it cannot be told.
        after: the same of the result; None also where it is shorter and yet no removal is proven, since added texture and
            contrast look like that.
        removed: length in pixels of the blur that would turn the result into the input; some pixels even where nothing changed.
        psnr: between both pictures in dB, infinite where they are equal.
    """

    before: float | None
    after: float | None
    removed: float | None
    psnr: float

    @property
    def deblurred(self) -> bool:
        """Whether more blur was removed than sharpening does."""
        return (self.before is not None and self.removed is not None
                and self.removed >= max(LEAST_REMOVED, LEAST_REMOVED_SHARE * self.before))

    @property
    def verdict(self) -> str:
        """What a user should know about it, in words."""
        unchanged = self.psnr > UNCHANGED_PSNR
        if self.before is None or self.removed is None:
            return 'too little texture to tell' + (', and it hardly changed' if unchanged else '')
        if self.before < SHARP_LENGTH:
            return f'most of it looks sharp already (about {self.before:.1f} px); blur in dark pictures can be missed'
        if self.deblurred:
            return f'deblurred: about {min(self.removed, self.before):.0f} of {self.before:.0f} px'
        if unchanged:
            return (f'it hardly changed: this network may not know this kind of blur ({self.before:.1f} px), or the scene is '
                    'soft by itself')
        if self.before < LIGHT_LENGTH:
            return f'blur of {self.before:.1f} px is too short to tell deblurring from sharpening: look at the result'
        return (f'little of the blur ({self.before:.0f} px) is gone, the change is sharpening or texture: this network may not '
                'know this kind of blur')


def measure_change(picture: np.ndarray, restored: np.ndarray) -> Change:
    """Blur before, after and removed, and the difference, of two uint8 RGB pictures (H, W, 3)."""
    error = np.mean(np.square(picture.astype(np.float32) - restored), dtype=np.float64)
    psnr = 10 * math.log10(255 ** 2 / error) if error else math.inf
    before, after = blur_length(picture), blur_length(restored)
    removed = None if before is None else _removed(picture, restored, before)
    change = Change(before, after, removed, psnr)
    hidden = not change.deblurred and None not in (before, after) and SHARP_LENGTH <= before and after < before - 1
    return replace(change, after=None) if hidden else change


def blur_length(picture: np.ndarray, sharp: np.ndarray | None = None) -> float | None:
    """Median of the blur's length L = D + L_minor in pixels over the cells that are sure, see `estimate_blur`; None where these
    are less than 5 % of the picture, or it is smaller than a cell.

    Args:
        picture: uint8 RGB (H, W, 3).
        sharp: what the picture is blurred against, of the same kind; without it the picture alone tells.
    """
    if min(picture.shape[:2]) < SMALLEST_SIDE:
        return None
    motion, sure = estimate_blur(picture, sharp)
    if sure.mean() < LEAST_SURE:
        return None
    return float(np.median((np.hypot(motion[0], motion[1]) + motion[2])[sure]))


def _removed(picture: np.ndarray, restored: np.ndarray, before: float) -> float | None:
    scale = max(1.0, min(before / COMPARED_LENGTH, min(picture.shape[:2]) / SMALLEST_SCALED_SIDE))
    sides = (cv2.resize(side, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA) for side in (picture, restored))
    length = blur_length(*sides)
    return None if length is None else scale * length


def restoration_row(name: str, change: Change, seconds: float) -> dict[str, str]:
    """The row of a restored picture."""
    lengths = ('' if length is None else f'{length:.2f}' for length in (change.before, change.after, change.removed))
    return dict(zip(COLUMNS, (name, *lengths, f'{change.psnr:.2f}', f'{seconds:.2f}', change.verdict)))


def failure_row(name: str, why: str) -> dict[str, str]:
    """The row of a picture that was not restored."""
    return {**dict.fromkeys(COLUMNS, ''), 'picture': name, 'verdict': f'failed: {why}'}


def with_earlier(rows: Sequence[Row], report: Path) -> list[Row]:
    """Rows of an earlier report for pictures that these do not name, and these."""
    try:
        earlier = list(csv.DictReader(io.StringIO(report.read_text(encoding='utf-8'))))
    except (OSError, UnicodeDecodeError, csv.Error):
        return list(rows)
    new = {row['picture'] for row in rows}
    return [*(row for row in earlier if set(row) == set(COLUMNS) and row['picture'] not in new), *rows]


def as_csv(rows: Sequence[Row]) -> str:
    """All rows with a header; lengths in pixels, PSNR in dB between the input and its result."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_table(rows: Sequence[Row]) -> str:
    """The rows in columns for a terminal."""
    width = max(len('picture'), *(len(row['picture']) for row in rows))
    lines = [f'{"picture":{width}}  blur px before  after  removed  PSNR dB  what it means']
    lines += [f'{row["picture"]:{width}}  {row["blur_before"]:>14}  {row["blur_after"]:>5}  {row["blur_removed"]:>7}  '
              f'{row["psnr"]:>7}  {row["verdict"]}' for row in rows]
    return '\n'.join(lines)


def restoration_strip(picture: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """Input and result side by side, at most about 1600 pixels wide; all uint8 RGB (H, W, 3)."""
    height, width = picture.shape[:2]
    scale = min(1.0, STRIP_WIDTH / 2 / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return labelled_strip([(label, cv2.resize(panel, size, interpolation=cv2.INTER_AREA))
                           for label, panel in (('input', picture), ('restored', restored))])
