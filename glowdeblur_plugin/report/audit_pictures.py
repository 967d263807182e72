"""The audit's pictures: one a set, the comparison of all sets, and realism against coverage; uint8 RGB (H, W, 3)."""

from collections.abc import Sequence

import numpy as np

from glowdeblur_plugin.drawing import motion_arrows
from glowdeblur_plugin.report import charts
from glowdeblur_plugin.report.audit import ORIGINS, SetAudit, floor_warning
from glowdeblur_plugin.report.blur_estimate import BlurEstimate
from glowdeblur_plugin.report.blur_patterns import (MAGNITUDE_BINS, MAGNITUDE_STEP, ORIENTATION_BINS, BlurPatterns,
                                                    blur_lengths)
from glowdeblur_plugin.report.blur_set import BlurSet
from glowdeblur_plugin.report.structure_functions import CELL

CROP_CELLS = (12, 8)
SAMPLE_RANKS = (1 / 6, 3 / 6, 5 / 6)
SIDE = 24
PANEL_TOP, PANEL_HEIGHT = 110, 190
ORIENTATION_TICKS = tuple((share + 0.5 / ORIENTATION_BINS, label)
                          for share, label in ((0, '-45'), (0.25, '0 (across)'), (0.5, '45'), (0.75, '90 (upright)')))
MAGNITUDE_TICKS = (*((step / MAGNITUDE_BINS, f'{step * MAGNITUDE_STEP:.0f}') for step in range(0, MAGNITUDE_BINS - 1, 4)),
                   (1 - 0.5 / MAGNITUDE_BINS, f'{(MAGNITUDE_BINS - 1) * MAGNITUDE_STEP:.0f}+'))
SHARE_COLOURS = ((0, 80, 140), (120, 180, 225), (225, 225, 225))
ROW = 150
WARNING = (170, 40, 0)


def set_picture(audit: SetAudit, blur_set: BlurSet) -> np.ndarray:
    """One set: directions as a rose and as bars, lengths, global and local share, and three pictures with their blur drawn on
    them, of ranks 1/6, 1/2 and 5/6 by median blur length. Where more than the blurry pictures is known, a dark line shows what
    these alone would say."""
    patterns, known = audit.patterns, audit.record.origin != 'estimated'
    crops = sample_crops(audit, blur_set)
    width = max(SIDE + sum(crop.shape[1] + 12 for crop in crops) + SIDE - 12, 1250)
    canvas = charts.blank(width, PANEL_TOP + PANEL_HEIGHT + 74 + max(crop.shape[0] for crop in crops) + SIDE)
    charts.write(canvas, charts.shortened(audit.record.label, width - 2 * SIDE, 0.8), SIDE, 34, scale=0.8)
    charts.write(canvas, _facts(audit), SIDE, 62, colour=charts.GREY)
    charts.rose(canvas, (SIDE, PANEL_TOP, PANEL_HEIGHT, PANEL_HEIGHT), patterns.orientation, charts.COLOURS[0],
                'directions as seen')
    outline = audit.blind if known else None
    _orientation(canvas, (SIDE + 225, PANEL_TOP, 330, PANEL_HEIGHT), patterns, outline)
    _magnitude(canvas, (SIDE + 605, PANEL_TOP, 330, PANEL_HEIGHT), patterns, outline)
    _shares(canvas, (SIDE + 985, PANEL_TOP, 185, 40), patterns)
    line = PANEL_TOP + PANEL_HEIGHT + 56
    charts.write(canvas, f'pictures of low, middle and high blur; segments: {ORIGINS[audit.record.origin]}', SIDE, line)
    if known:
        for row, text in enumerate((f'bars: {ORIGINS[audit.record.origin]}', f'dark line: {ORIGINS["estimated"]}')):
            charts.write(canvas, text, SIDE + 985, PANEL_TOP + 140 + row * charts.LINE)
    left = SIDE
    for crop in crops:
        canvas[line + 12:line + 12 + crop.shape[0], left:left + crop.shape[1]] = crop
        left += crop.shape[1] + 12
    return canvas


def _facts(audit: SetAudit) -> str:
    pictures = audit.record.pictures
    noise, saturation = (np.array([getattr(picture, name) for picture in pictures]) for name in ('noise', 'saturation'))
    facts = (f'{len(pictures)} pictures   length median {audit.patterns.median:.1f}, 99 % {audit.patterns.longest:.1f} px   '
             f'{audit.diversity} kinds of blur   noise {np.median(noise):.2f} levels   saturated {saturation.mean():.1%}')
    return facts if audit.realism is None else f'{facts}   distance to the reference {audit.realism.total:.2f}'


def _orientation(canvas: np.ndarray, box: charts.Box, patterns: BlurPatterns, outline: BlurPatterns | None) -> None:
    charts.histogram(canvas, box, from_falling(patterns.orientation), charts.COLOURS[0], ORIENTATION_TICKS,
                     'direction in degrees, clockwise', None if outline is None else from_falling(outline.orientation))


def from_falling(orientation: np.ndarray) -> np.ndarray:
    """The orientation histogram (36,) from -45 to 130 degrees, so that peaks across and upright, the common ones, lie within
    the axis."""
    return np.roll(orientation, ORIENTATION_BINS // 4)


def _magnitude(canvas: np.ndarray, box: charts.Box, patterns: BlurPatterns, outline: BlurPatterns | None) -> None:
    charts.histogram(canvas, box, patterns.magnitude, charts.COLOURS[1], MAGNITUDE_TICKS, 'blur length in pixels',
                     None if outline is None else outline.magnitude)


def _shares(canvas: np.ndarray, box: charts.Box, patterns: BlurPatterns) -> None:
    parts = zip(('global', 'local', 'hardly blurred'), patterns.shares, SHARE_COLOURS)
    charts.share_bar(canvas, box, list(parts), 'pictures')


def sample_crops(audit: SetAudit, blur_set: BlurSet) -> list[np.ndarray]:
    """The middle of three pictures, at most 384 x 256 pixels, with a segment in each cell whose blur is sure."""
    best = audit.record.origin
    ranked = sorted(audit.record.pictures, key=lambda picture: _median_length(picture.motion[best]))
    chosen = {int(rank * len(ranked)) for rank in SAMPLE_RANKS}
    return [_crop(blur_set.read(ranked[rank].index).picture, ranked[rank].motion[best]) for rank in sorted(chosen)]


def _median_length(estimate: BlurEstimate) -> float:
    return float(np.median(blur_lengths(estimate.motion[:, estimate.sure].T))) if estimate.sure.any() else 0.0


def _crop(pixels: np.ndarray, estimate: BlurEstimate) -> np.ndarray:
    motion = np.where(estimate.sure, estimate.motion, 0)
    columns, rows = (min(most, found) for most, found in zip(CROP_CELLS, motion.shape[:0:-1]))
    top, left = (motion.shape[1] - rows) // 2, (motion.shape[2] - columns) // 2
    inside = pixels[top * CELL:(top + rows) * CELL, left * CELL:(left + columns) * CELL]
    return motion_arrows(inside, motion[:, top:top + rows, left:left + columns], every=CELL)


def comparison_picture(audits: Sequence[SetAudit]) -> np.ndarray:
    """All sets under each other, after the paper's figure: global and local share, directions, and length / longest."""
    canvas = charts.blank(1220, 40 + ROW * len(audits) + 20)
    for index, audit in enumerate(audits):
        top, colour = 40 + ROW * index, charts.COLOURS[index % len(charts.COLOURS)]
        patterns = audit.patterns
        charts.write(canvas, charts.shortened(audit.record.label, 220), SIDE, top + 20)
        charts.write(canvas, f'{len(audit.record.pictures)} pictures', SIDE, top + 20 + charts.LINE, colour=charts.GREY)
        charts.write(canvas, ORIGINS[audit.record.origin], SIDE, top + 20 + 2 * charts.LINE, colour=charts.GREY)
        _shares(canvas, (SIDE + 240, top + 10, 180, 24), patterns)
        charts.histogram(canvas, (SIDE + 470, top + 10, 310, ROW - 55), from_falling(patterns.orientation), colour,
                         ORIENTATION_TICKS, 'direction in degrees, clockwise' if index == 0 else '')
        charts.histogram(canvas, (SIDE + 840, top + 10, 310, ROW - 55), patterns.normalised, colour,
                         [(0, '0'), (0.5, '0.5'), (1, f'1 = {patterns.longest:.0f} px')],
                         'length / longest (99 %)' if index == 0 else '')
    return canvas


def trade_off_picture(audits: Sequence[SetAudit]) -> np.ndarray:
    """Realism against coverage: a dot for each set, its distance to the reference to the right, the kinds of blur that an equal
    number of its pictures cover upwards; open dots where these are estimated from the blurry pictures alone. A broken line
    stands where two samples of the reference, as large as those compared, are apart."""
    canvas = charts.blank(1000, 750)
    scale, count, blind = audits[0].scale, audits[0].equal_count, audits[0].compared_by == 'estimated'
    charts.write(canvas, 'Realism and coverage of blur', SIDE, 34, scale=0.8)
    notes = [f'upwards: kinds of blur in {count} pictures of each set, {ORIGINS[audits[0].compared_by]}',
             f'to the right: {scale.count} pictures of each set against {scale.count} of {scale.reference.label}, '
             f'{ORIGINS[scale.origin]}; best is the upper left']
    if blind:
        notes[0] += ' (open dots: large differences alone count)'
    for row, note in enumerate(notes):
        charts.write(canvas, note, SIDE, 60 + row * charts.LINE, colour=charts.GREY)
    points = [(audit.realism.total, audit.diversity_at_equal, charts.shortened(audit.record.label, 260)) for audit in audits]
    charts.scatter(canvas, (80, 130, 880, 490), points,
                   ('distance in noise, saturation, length and direction (mean of octaves)', 'kinds of blur'),
                   (scale.floor.total, 'two samples of the reference'), not blind)
    warning = floor_warning(audits)
    if warning is not None:
        charts.paragraph(canvas, warning, SIDE, 696, 952, WARNING)
    return canvas
