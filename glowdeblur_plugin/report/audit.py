"""The audit of sets of blurry pictures: what is said of each, as numbers, a table and JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from glowdeblur_plugin.report.blur_patterns import (BlurPatterns, blur_lengths, blur_patterns, equal_weights,
                                                    orientation_histogram)
from glowdeblur_plugin.report.blur_record import SetRecord, common_origin
from glowdeblur_plugin.report.blur_set import MotionOrigin
from glowdeblur_plugin.report.diversity import MERGED, Kinds, diversity, expected_diversity, kinds_of_blur
from glowdeblur_plugin.report.realism import HALF_TURN, LENGTH_UNIT, RealismDistance, circular_wasserstein, wasserstein
from glowdeblur_plugin.report.realism_scale import CLEARLY, RealismScale

DIRECTED_FROM = 4.0
ORIGINS: dict[MotionOrigin, str] = {'true': 'true motion', 'pairs': 'estimated from blurry and sharp',
                                    'estimated': 'estimated from blurry alone'}


class EstimateCheck(NamedTuple):
    """How well the estimator does on a set of known motion, over the cells it is sure of.

    Attributes:
        direction_error: median error of direction in degrees, of cells with D above 4 pixels (nan without any); a blind guess
            has 45.
        length_correlation: rank correlation of estimated and true length over cells (nan if all are alike).
        length_distance, direction_distance: of the histograms, in the units of `realism_distance`.
    """

    direction_error: float
    length_correlation: float
    length_distance: float
    direction_distance: float


@dataclass(frozen=True)
class SetAudit:
    """What the audit says of one set.

    Attributes:
        patterns: of the blur as it is best known.
        blind: of the blur estimated from the blurry pictures alone.
        compared_by: the best that is known of the motion of all sets.
        diversity: kinds of blur covered, by it.
        diversity_at_equal: kinds of blur that `equal_count` pictures cover on average, by it.
        realism: distance to the reference, see `RealismScale`, of the reference itself the floor; None without one.
        scale: what `realism` is measured by.
        check: the blind estimate against the truth, where that is known.
    """

    record: SetRecord
    patterns: BlurPatterns
    blind: BlurPatterns
    compared_by: MotionOrigin
    diversity: int
    equal_count: int
    diversity_at_equal: float
    realism: RealismDistance | None
    scale: RealismScale | None
    check: EstimateCheck | None


def audit_sets(records: Sequence[SetRecord], reference: SetRecord | None) -> list[SetAudit]:
    """Audit measured sets, all compared at the number of pictures of the smallest.

    Raises:
        UserError: the reference has fewer than 4 pictures with sure cells.
    """
    equal_count = min(len(record.pictures) for record in records)
    compared_by = common_origin(records)
    scale = None if reference is None else RealismScale(records, reference)
    audits = []
    for record in records:
        kinds = covered(record, compared_by)
        audits.append(SetAudit(
            record, blur_patterns(record.cells()), blur_patterns(record.cells('estimated')), compared_by, diversity(kinds),
            equal_count, expected_diversity(kinds, equal_count), None if scale is None else scale.distance(record), scale,
            check_estimate(record) if record.origin == 'true' else None))
    return audits


def covered(record: SetRecord, origin: MotionOrigin) -> list[Kinds]:
    """Kinds of blur in each picture; one without a sure cell covers none, but counts as a picture."""
    side = 1.0 if origin == 'true' else MERGED
    kinds = [kinds_of_blur(cells, side) for cells in record.cells(origin)]
    return kinds + [frozenset()] * (len(record.pictures) - len(kinds))


def floor_warning(audits: Sequence[SetAudit]) -> str | None:
    """A line that says that the reference's own draws differ about as much as the nearest set from it; None if they do not."""
    scale = audits[0].scale
    others = [audit for audit in audits if scale is not None and audit.record is not scale.reference]
    if not others:
        return None
    nearest = min(others, key=lambda audit: audit.realism.total)
    if nearest.realism.total >= CLEARLY * scale.floor.total:
        return None
    return (f'two samples of {scale.count} pictures of {scale.reference.label} are {scale.floor.total:.2f} apart, '
            f'{nearest.record.label}, the nearest set, {nearest.realism.total:.2f} from it: such distances rank nothing')


def check_estimate(record: SetRecord) -> EstimateCheck:
    """Compare the blind estimate with the truth over its sure cells, for a set of known motion."""
    estimates = record.cells('estimated')
    truths = [picture.motion['true'].motion[:, picture.motion['estimated'].sure].T for picture in record.pictures
              if picture.motion['estimated'].sure.any()]
    found, true = np.concatenate(estimates), np.concatenate(truths)
    directed = np.hypot(true[:, 0], true[:, 1]) > DIRECTED_FROM
    turn = np.arctan2(found[:, 1], found[:, 0]) - np.arctan2(true[:, 1], true[:, 0])
    errors = np.degrees(np.abs(np.angle(np.exp(1j * turn[directed])))) / 2
    lengths = blur_lengths(found), blur_lengths(true)
    octaves = (np.log2(1 + side / LENGTH_UNIT) for side in lengths)
    weights = equal_weights(estimates)
    turned = circular_wasserstein(orientation_histogram(estimates), orientation_histogram(truths), 180.0)
    return EstimateCheck(float(np.median(errors)) if directed.any() else float('nan'), rank_correlation(*lengths),
                         wasserstein(*octaves, weights, weights), turned / HALF_TURN)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation of two samples (n,), equal values sharing their mean rank; nan if all of one are equal."""
    ranks = []
    for values in (one, other):
        _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[group])
    if min(np.ptp(rank) for rank in ranks) == 0:
        return float('nan')
    return float(np.corrcoef(*ranks)[0, 1])


def as_json(audits: Sequence[SetAudit]) -> str:
    """All numbers and histograms, as text of JSON."""
    found: dict[str, Any] = {'sets': {audit.record.label: _set_numbers(audit) for audit in audits}}
    scale = audits[0].scale
    if scale is not None:
        found['reference'] = {
            'set': scale.reference.label, 'pictures': len(scale.reference.pictures), 'motion_compared_by': scale.origin,
            'pictures_compared_at_once': scale.count, 'distance_of_its_halves': _distance(scale.floor),
            'warning': floor_warning(audits)}
    return json.dumps(found, indent=2, default=lambda array: np.round(array, 5).tolist()) + '\n'


def _set_numbers(audit: SetAudit) -> dict[str, Any]:
    pictures = audit.record.pictures
    numbers = {
        'pictures': len(pictures), 'motion': audit.record.origin,
        'noise_levels_median': float(np.median([picture.noise for picture in pictures])),
        'saturated_share_mean': float(np.mean([picture.saturation for picture in pictures])),
        'motion_compared_by': audit.compared_by, 'diversity': audit.diversity,
        'diversity_at_equal_number': {'pictures': audit.equal_count, 'diversity': audit.diversity_at_equal},
        'patterns': _patterns(audit.patterns),
    }
    if audit.record.origin != 'estimated':
        numbers['patterns_estimated_blindly'] = _patterns(audit.blind)
    if audit.check is not None:
        numbers['estimate_against_truth'] = {key: value if np.isfinite(value) else None
                                             for key, value in audit.check._asdict().items()}
    if audit.realism is not None:
        numbers['realism_distance'] = _distance(audit.realism)
    return numbers


def _patterns(patterns: BlurPatterns) -> dict[str, Any]:
    return {**patterns._asdict(), 'shares': patterns.shares._asdict()}


def _distance(distance: RealismDistance) -> dict[str, float]:
    return {**distance._asdict(), 'total': distance.total}


def as_table(audits: Sequence[SetAudit]) -> str:
    """A plain table, one line a set."""
    count = audits[0].equal_count
    head = ['set', 'pictures', 'motion', 'L median', 'L 99 %', 'global', 'local', 'hardly', 'kinds', f'kinds of {count}',
            'noise', 'saturated', 'realism']
    rows = [head, *(_row(audit) for audit in audits)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return '\n'.join('  '.join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths))) for row in rows)


def _row(audit: SetAudit) -> list[str]:
    pictures, patterns = audit.record.pictures, audit.patterns
    return [audit.record.label, str(len(pictures)), audit.record.origin,
            f'{patterns.median:.1f} px', f'{patterns.longest:.1f} px', *(f'{share:.0%}' for share in patterns.shares),
            str(audit.diversity), f'{audit.diversity_at_equal:.1f}',
            f'{np.median([picture.noise for picture in pictures]):.2f}',
            f'{np.mean([picture.saturation for picture in pictures]):.1%}',
            '-' if audit.realism is None else f'{audit.realism.total:.2f}']


def notes(audits: Sequence[SetAudit]) -> list[str]:
    """Lines below the table: what its numbers cannot tell, and how well the estimator did where the truth is known."""
    lines = []
    if audits[0].compared_by != 'true':
        lines.append(f'kinds of blur: {ORIGINS[audits[0].compared_by]}; near numbers rank nothing')
    warning = floor_warning(audits)
    if warning is not None:
        lines.append(warning)
    for audit in audits:
        if audit.check is not None:
            check = audit.check
            lines.append(f'{audit.record.label}: the estimator against the true motion: median direction error '
                         f'{check.direction_error:.1f} degrees, rank correlation of lengths {check.length_correlation:.2f}, '
                         f'histograms apart by {check.length_distance:.2f} octaves of length and '
                         f'{check.direction_distance:.2f} x 45 degrees')
    return lines
