"""The audit of sets of blurry pictures: what is said of each, as numbers, a table and JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.report.blur_patterns import (BlurPatterns, blur_lengths, blur_patterns, equal_weights,
                                                    orientation_histogram)
from glowdeblur_plugin.report.blur_record import PictureRecord, SetRecord
from glowdeblur_plugin.report.diversity import diversity, expected_diversity, kinds_of_blur
from glowdeblur_plugin.report.realism import (HALF_TURN, LENGTH_UNIT, RealismDistance, Statistics, circular_wasserstein,
                                              realism_distance, wasserstein)

DIRECTED_FROM = 4.0
FEWEST_REFERENCE = 4


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
        diversity: kinds of blur covered, as it is best known.
        diversity_at_equal: kinds of blur that `equal_count` pictures cover on average, estimated blindly: what sets are
            compared by.
        realism: distance to the reference, blur estimated blindly on both sides, so that the estimator's faults are not taken
            for the set's; None without a reference.
        check: the blind estimate against the truth, where that is known.
    """

    record: SetRecord
    patterns: BlurPatterns
    blind: BlurPatterns
    diversity: int
    equal_count: int
    diversity_at_equal: float
    realism: RealismDistance | None
    check: EstimateCheck | None


def audit_sets(records: Sequence[SetRecord], reference: SetRecord | None) -> list[SetAudit]:
    """Audit measured sets, all compared at the number of pictures of the smallest.

    Raises:
        UserError: the reference has fewer than 4 pictures with sure cells.
    """
    if reference is not None:
        check_reference(reference.label, len(_with_contrast(reference)))
    equal_count = min(len(record.pictures) for record in records)
    audits = []
    for record in records:
        blind_cells, best_cells = record.blind_cells(), record.best_cells()
        kinds = [kinds_of_blur(cells) for cells in blind_cells]
        # Pictures without a sure cell cover no kind of blur, but count as pictures.
        kinds += [frozenset()] * (len(record.pictures) - len(kinds))
        audits.append(SetAudit(
            record, blur_patterns(best_cells), blur_patterns(blind_cells),
            diversity([kinds_of_blur(cells) for cells in best_cells]), equal_count, expected_diversity(kinds, equal_count),
            None if reference is None else realism_distance(statistics(record), statistics(reference)),
            check_estimate(record) if record.origin == 'true' else None))
    return audits


def check_reference(label: str, count: int) -> None:
    """Refuse a reference of fewer than 4 pictures, those without enough contrast not counted once this is known.

    Raises:
        UserError: names it and its number of pictures.
    """
    if count < FEWEST_REFERENCE:
        raise UserError(f'--reference: {label} has {count} usable pictures, a distance to it needs {FEWEST_REFERENCE} or more')


def statistics(record: SetRecord) -> Statistics:
    """What realism is judged by: noise and saturation of each picture, and the blur, estimated blindly."""
    return Statistics(np.array([picture.noise for picture in record.pictures]),
                      np.array([picture.saturation for picture in record.pictures]), record.blind_cells())


def half_distance(reference: SetRecord) -> RealismDistance:
    """Distance between the reference's even and odd pictures of those with sure cells: what two samples of one real set differ
    by."""
    halves = [SetRecord(reference.label, reference.origin, _with_contrast(reference)[start::2]) for start in (0, 1)]
    return realism_distance(*(statistics(half) for half in halves))


def _with_contrast(record: SetRecord) -> list[PictureRecord]:
    return [picture for picture in record.pictures if picture.blind.sure.any()]


def check_estimate(record: SetRecord) -> EstimateCheck:
    """Compare the blind estimate with the truth over its sure cells, for a set of known motion."""
    estimates = record.blind_cells()
    truths = [picture.best.motion[:, picture.blind.sure].T for picture in record.pictures if picture.blind.sure.any()]
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


def as_json(audits: Sequence[SetAudit], reference: SetRecord | None) -> str:
    """All numbers and histograms, as text of JSON."""
    found: dict[str, Any] = {'sets': {audit.record.label: _set_numbers(audit) for audit in audits}}
    if reference is not None:
        found['reference'] = {'set': reference.label, 'pictures': len(reference.pictures),
                              'distance_of_its_halves': _distance(half_distance(reference))}
    return json.dumps(found, indent=2, default=lambda array: np.round(array, 5).tolist()) + '\n'


def _set_numbers(audit: SetAudit) -> dict[str, Any]:
    pictures = audit.record.pictures
    numbers = {
        'pictures': len(pictures), 'motion': audit.record.origin,
        'noise_levels_median': float(np.median([picture.noise for picture in pictures])),
        'saturated_share_mean': float(np.mean([picture.saturation for picture in pictures])),
        'diversity': audit.diversity,
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
