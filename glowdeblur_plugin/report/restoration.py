"""What restoring did to photographs, without the sharp picture: their blur before and after, and what that means."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from glowdeblur_plugin.drawing import labelled_strip
from glowdeblur_plugin.report.blur_estimate import BRIGHTEST, DARKEST, estimate_blur, grey_levels

# The estimate's median is below 2 pixels for most sharp photographs; a share of sure cells below 5 % is a corner of one. Both,
# and what counts as a change, are our choice.
SHARP_LENGTH = 2.0
LEAST_SURE = 0.05
UNCHANGED_PSNR = 40.0
LEAST_SHORTENED, LEAST_SHORTENED_SHARE = 1.0, 0.15
SMALLEST_SIDE, SMALLEST_SCALED_SIDE = 32, 64
# Grain that a network lays over a blur passes for sharpness. It is known by the flattest parts of the input, where 14 sharp
# pictures of GoPro have at most 1.0 level of detail more than the blurry ones and the nano network's results 1.3 to 7; and by the
# blur at a scale where the input's is 3 pixels long, which grain does not reach: there sharp pictures gain at most 0.2 of the
# input's length over the scale of pixels, results under grain 0.3 to 0.8.
SCALED_LENGTH, SCALED_SHARE = 3.0, 0.25
CELL, FLATTEST_PERCENT, FLAT_CONTRAST, FINE, MOST_GRAIN = 16, 5, 6.0, 1.5, 1.5
STRIP_WIDTH = 1600
COLUMNS = ('picture', 'blur_before', 'blur_after', 'psnr', 'seconds', 'verdict')
Row = Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """What became of a picture.

    Attributes:
        before, after: typical length of the blur in pixels, see `blur_length`; None where it cannot be told.
        textured: whether the result shows fine texture that deblurring does not bring out, which hides the blur after.
        psnr: between both pictures in dB, infinite where they are equal.
    """

    before: float | None
    after: float | None
    textured: bool
    psnr: float

    @property
    def verdict(self) -> str:
        """What a user should know about it, in words."""
        little = 'it hardly changed' if self.psnr > UNCHANGED_PSNR else None
        if self.textured:
            before = '' if self.before is None else f', {self.before:.1f} px before,'
            return f'fine texture was added, which hides how much of the blur{before} is left: look at the result'
        if self.before is None or self.after is None:
            return ', and '.join(filter(None, ('too little texture to tell', little)))
        change = f'from {self.before:.1f} to {self.after:.1f} px'
        margin = max(LEAST_SHORTENED, LEAST_SHORTENED_SHARE * self.before)
        if self.after > self.before + margin:
            return f'the blur seems to have grown {change}: look at the result'
        if self.before < SHARP_LENGTH:
            return f'most of it is already sharp (about {self.before:.1f} px)'
        if self.after < self.before - margin:
            return f'blur shortened {change}'
        if little:
            return f'{little}: this network does not know this kind of blur ({self.before:.1f} px)'
        return f'changed, but the blur stays ({change}): this network may not know this kind of blur'


def measure_change(picture: np.ndarray, restored: np.ndarray) -> Change:
    """Blur before and after, and the difference, of two uint8 RGB pictures (H, W, 3)."""
    error = np.mean(np.square(picture.astype(np.float32) - restored), dtype=np.float64)
    psnr = 10 * math.log10(255 ** 2 / error) if error else math.inf
    before, after = blur_length(picture), blur_length(restored)
    textured = added_grain(picture, restored) > MOST_GRAIN
    if not textured and before is not None and after is not None:
        scale = min(before / SCALED_LENGTH, min(picture.shape[:2]) / SMALLEST_SCALED_SIDE)
        coarse = blur_length(restored, scale) if scale > 1 else None
        textured = coarse is not None and coarse > after + SCALED_SHARE * before
    return Change(before, None if textured else after, textured, psnr)


def added_grain(picture: np.ndarray, restored: np.ndarray) -> float:
    """Standard deviation in 8-bit levels of the fine detail that the result has beyond the input's, in the median of the flattest
    5 % of the input's flat cells; 0 where none is flat.

    Args:
        picture, restored: uint8 RGB (H, W, 3).
    """
    before, after = grey_levels(picture), grey_levels(restored)
    contrast, level = _cells(before).std(axis=1), _cells(before).mean(axis=1)
    usable = (level > DARKEST) & (level < BRIGHTEST) & (contrast < FLAT_CONTRAST)
    if not usable.any():
        return 0.0
    flattest = usable & (contrast <= np.percentile(contrast[usable], FLATTEST_PERCENT, method='higher'))
    fine = [np.median(_cells(grey - cv2.GaussianBlur(grey, (0, 0), FINE))[flattest].var(axis=1)) for grey in (before, after)]
    return math.sqrt(max(fine[1] - fine[0], 0.0))


def blur_length(picture: np.ndarray, scale: float = 1.0) -> float | None:
    """Median of the blur's length L = D + L_minor in pixels over the cells that are sure, see `estimate_blur`; None where these
    are less than 5 % of the picture, or it is smaller than a cell.

    Args:
        picture: uint8 RGB (H, W, 3).
        scale: by which it is made smaller before; the length is that in the picture as it is given.
    """
    if scale != 1:
        picture = cv2.resize(picture, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
    if min(picture.shape[:2]) < SMALLEST_SIDE:
        return None
    motion, sure = estimate_blur(picture)
    if sure.mean() < LEAST_SURE:
        return None
    return scale * float(np.median((np.hypot(motion[0], motion[1]) + motion[2])[sure]))


def _cells(grey: np.ndarray) -> np.ndarray:
    """The pixels (n, 256) of whole cells."""
    height, width = (side // CELL for side in grey.shape)
    cells = grey[:height * CELL, :width * CELL].reshape(height, CELL, width, CELL)
    return cells.transpose(0, 2, 1, 3).reshape(-1, CELL * CELL)


def restoration_row(name: str, change: Change, seconds: float) -> dict[str, str]:
    """The row of a restored picture."""
    lengths = ('' if length is None else f'{length:.2f}' for length in (change.before, change.after))
    return dict(zip(COLUMNS, (name, *lengths, f'{change.psnr:.2f}', f'{seconds:.2f}', change.verdict)))


def failure_row(name: str, why: str) -> dict[str, str]:
    """The row of a picture that was not restored."""
    return {**dict.fromkeys(COLUMNS, ''), 'picture': name, 'verdict': f'failed: {why}'}


def with_earlier(rows: Sequence[Row], report: Path) -> list[Row]:
    """Rows of an earlier report for pictures that these do not name, and these."""
    try:
        earlier = list(csv.DictReader(report.read_text(encoding='utf-8').splitlines()))
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
    lines = [f'{"picture":{width}}  blur px before  after  PSNR dB  what it means']
    lines += [f'{row["picture"]:{width}}  {row["blur_before"]:>14}  {row["blur_after"]:>5}  {row["psnr"]:>7}  {row["verdict"]}'
              for row in rows]
    return '\n'.join(lines)


def restoration_strip(picture: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """Input and result side by side, at most about 1600 pixels wide; all uint8 RGB (H, W, 3)."""
    height, width = picture.shape[:2]
    scale = min(1.0, STRIP_WIDTH / 2 / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return labelled_strip([(label, cv2.resize(panel, size, interpolation=cv2.INTER_AREA))
                           for label, panel in (('input', picture), ('restored', restored))])
