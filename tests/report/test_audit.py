"""The audit of whole sets: what is measured, and how well the estimator does where the truth is known."""

import json
import pickle
from itertools import combinations

import numpy as np
import pytest

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.report import blur_record
from glowdeblur_plugin.report.audit import (as_json, as_table, audit_sets, check_estimate, floor_warning, notes,
                                            rank_correlation)
from glowdeblur_plugin.report.blur_estimate import estimate_blur
from glowdeblur_plugin.report.blur_record import PictureRecord, SetRecord, measure_set
from glowdeblur_plugin.report.blur_set import BlurSet, Shot, open_set
from glowdeblur_plugin.report.diversity import MERGED, diversity, kinds_of_blur


class Samples(BlurSet):
    """Simulated samples as a set of known motion, or of pictures alone."""

    def __init__(self, label: str, samples: list, origin: str = 'true') -> None:
        self.label, self.samples, self.origin = label, samples, origin

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> Shot:
        sample = self.samples[index]
        sharp, motion = (sample.gt if self.origin != 'estimated' else None), (sample.motion if self.origin == 'true' else None)
        return Shot(sample.lq, sharp, motion)

    def describe(self, index: int) -> str:
        return f'{self.label} {index}'

    def size(self, index: int) -> tuple[int, int]:
        return self.samples[index].lq.shape[:2]


def test_estimated_histograms_of_straight_blur_are_near_the_true_ones(blurred):
    """A blind guess of direction has an error of 45 degrees; lengths drawn evenly from 2 to 28 pixels are 0.6 octaves from the
    nearest constant."""
    check = check_estimate(measure_set(Samples('lines', blurred('linear', 60, 2, 28, 1))))
    assert check.direction_error < 8
    assert check.length_correlation > 0.75
    assert check.length_distance < 0.3
    assert check.direction_distance < 0.2


def test_the_check_tells_right_from_wrong(blurred):
    """Perfect estimates pass, turned ones have the turn as their error."""
    record = measure_set(Samples('lines', blurred('linear', 8, 8, 24)))
    perfect = [picture._replace(motion={'true': picture.motion['true'], 'estimated': picture.motion['true']})
               for picture in record.pictures]
    check = check_estimate(SetRecord('perfect', 'true', perfect))
    assert check == pytest.approx((0, 1, 0, 0), abs=1e-6)
    turned = [picture._replace(motion={**picture.motion, 'estimated': truth._replace(
        motion=truth.motion * np.array([-1, -1, 1])[:, None, None])})
        for picture, truth in zip(record.pictures, record.estimates('true'))]
    assert check_estimate(SetRecord('turned', 'true', turned)).direction_error == pytest.approx(90, abs=1e-3)


def test_records_hold_what_was_seen(blurred):
    samples = blurred('linear', 4, 8, 24)
    for origin in ('true', 'pairs', 'estimated'):
        record = measure_set(Samples('set', samples, origin), pictures=2)
        assert [picture.index for picture in record.pictures] == [0, 2]
        for picture in record.pictures:
            sample = samples[picture.index]
            blind = estimate_blur(sample.lq).motion
            expected = {'estimated': blind, 'pairs': estimate_blur(sample.lq, sample.gt).motion,
                        'true': np.broadcast_to(sample.motion[:, :1, :1], blind.shape)}
            for known in (origin, 'estimated', *(['pairs'] if origin == 'true' else [])):
                np.testing.assert_allclose(picture.motion[known].motion, expected[known], rtol=1e-5, atol=1e-5)
            assert ('true' in picture.motion, 'pairs' in picture.motion) == (origin == 'true', origin != 'estimated')
            assert picture.saturation == (sample.lq >= 250).any(axis=2).mean()


def test_the_number_of_processes_changes_nothing(blurred, sharp_folder, monkeypatch):
    """Simulated sets are handed over as they are to processes that start with nothing; those would take long to import them."""
    monkeypatch.setattr(blur_record, 'PICTURES_PER_PROCESS', 1)
    monkeypatch.setattr(blur_record, 'PICTURES_AT_ONCE', 1)
    seen, samples, simulated = [], Samples('lines', blurred('linear', 40, 8, 24)[:2]), open_set(f'bsd:{sharp_folder}')
    alone, shared = (measure_set(samples, None, workers, lambda *counts: seen.append(counts)) for workers in (1, 2))
    assert seen == [('lines: measured', done, 2) for done in range(3)] * 2
    handed_over = measure_set(pickle.loads(pickle.dumps(simulated)))
    for one, other in zip(alone.pictures + measure_set(simulated).pictures, shared.pictures + handed_over.pictures, strict=True):
        assert one[:3] == other[:3] and one.motion.keys() == other.motion.keys() == {'true', 'pairs', 'estimated'}
        for origin, estimate in one.motion.items():
            np.testing.assert_array_equal(estimate.motion, other.motion[origin].motion)
            np.testing.assert_array_equal(estimate.sure, other.motion[origin].sure)


def test_sets_are_compared_at_the_number_of_the_smallest(blurred):
    lines = measure_set(Samples('lines', blurred('linear', 40, 8, 24)))
    few = measure_set(Samples('few', blurred('linear', 40, 8, 24)[:6]))
    audits = audit_sets([lines, few], reference=lines)
    assert [audit.equal_count for audit in audits] == [6, 6]
    kinds = [diversity([kinds_of_blur(cells) for cells in record.cells('true')]) for record in (lines, few)]
    assert audits[1].diversity_at_equal == kinds[1] != audits[0].diversity_at_equal < kinds[0] == audits[0].diversity
    assert audits[0].scale.count == 6 and audits[0].realism == audits[0].scale.floor
    assert audits[0].patterns.shares.everywhere == 1


def test_a_real_set_is_nearer_to_its_own_half_than_to_noise_and_sharpness(blurred):
    lines, noisy = blurred('linear', 40, 8, 24, 0), blurred('linear', 40, 8, 24, 12)
    half, other, noise = (measure_set(Samples(name, samples)) for name, samples in
                          (('half', lines[:20]), ('other', lines[20:]), ('noise', noisy[20:])))
    sharp = SetRecord('sharp', 'true', measure_set(Samples('sharp', blurred('linear', 40, 0.1, 0.2))).pictures[20:])
    distances = [audit.realism for audit in audit_sets([other, noise, sharp], reference=half)]
    assert distances[1].noise > 3 * distances[0].noise
    assert distances[2].length > 3 * distances[0].length
    assert distances[0].total < min(distances[1].total, distances[2].total)


def test_numbers_come_back_from_json_and_the_table_has_a_line_a_set(blurred):
    record = measure_set(Samples('lines', blurred('linear', 8, 8, 24)))
    sharp = measure_set(Samples('sharp', blurred('linear', 40, 0.1, 0.2)[:8]))
    audits = audit_sets([record, sharp], reference=record)
    found = json.loads(as_json(audits))
    lines = found['sets']['lines']
    assert lines['motion'] == 'true' and lines['pictures'] == 8
    assert lines['realism_distance'] == found['reference']['distance_of_its_halves']
    np.testing.assert_allclose(lines['patterns']['orientation'], audits[0].patterns.orientation, atol=1e-5)
    assert lines['patterns']['shares'] == {'everywhere': 1.0, 'in_parts': 0.0, 'hardly': 0.0}
    assert lines['estimate_against_truth']['direction_error'] == pytest.approx(audits[0].check.direction_error)
    assert found['sets']['sharp']['estimate_against_truth']['direction_error'] is None
    assert found['reference']['distance_of_its_halves']['total'] > 0
    table = as_table(audits).splitlines()
    assert len(table) == 3 and len({len(line) for line in table}) == 1 and table[1].split()[:3] == ['lines', '8', 'true']


def test_too_few_reference_pictures_and_sets_without_contrast_are_refused(blurred):
    few = measure_set(Samples('few', blurred('linear', 8, 8, 24)[:3]))
    with pytest.raises(UserError, match='--reference: few has 3 usable pictures, a distance to it needs 4 or more'):
        audit_sets([few], reference=few)
    few = measure_set(Samples('few', blurred('linear', 8, 8, 24)[:5]))
    few = measure_set(Samples('few', blurred('linear', 8, 8, 24)[:5], 'estimated'))
    blank = [without_sure_cells(picture) for picture in few.pictures[:2]]
    with pytest.raises(UserError, match='few has 3 usable pictures'):
        audit_sets([few], reference=SetRecord('few', 'estimated', [*blank, *few.pictures[2:]]))
    flat = [sample._replace(lq=np.full_like(sample.lq, 90)) for sample in blurred('linear', 8, 8, 24)]
    with pytest.raises(UserError, match='flat: no picture has a cell with enough contrast'):
        measure_set(Samples('flat', flat))


def without_sure_cells(picture: PictureRecord) -> PictureRecord:
    return picture._replace(motion={origin: estimate._replace(sure=np.zeros_like(estimate.sure))
                                    for origin, estimate in picture.motion.items()})


def test_pictures_without_a_sure_cell_count_as_pictures_that_cover_nothing(blurred):
    record = measure_set(Samples('lines', blurred('linear', 8, 8, 24), 'estimated'))
    halved = SetRecord('halved', 'estimated', [*record.pictures[:4], *map(without_sure_cells, record.pictures[4:])])
    kinds = [kinds_of_blur(cells, MERGED) for cells in record.cells()[:4]]
    audits = audit_sets([record, halved, SetRecord('few', 'estimated', record.pictures[:2])], None)
    assert audits[1].diversity == diversity(kinds)
    expected = np.mean([diversity(list(two)) for two in combinations([*kinds, *[frozenset()] * 4], 2)])
    assert audits[1].diversity_at_equal == pytest.approx(expected)


def test_sets_are_compared_by_what_is_known_of_all(blurred):
    samples = blurred('linear', 8, 8, 24)
    records = {origin: measure_set(Samples(origin, samples, origin)) for origin in ('true', 'pairs', 'estimated')}
    for names, origin in ((['true', 'true'], 'true'), (['true', 'pairs'], 'pairs'),
                          (['true', 'pairs', 'estimated'], 'estimated')):
        audits = audit_sets([records[name] for name in names], None)
        assert {audit.compared_by for audit in audits} == {origin}
        assert len({audit.diversity for audit in audits}) == 1
    audits = audit_sets([records['true']], records['estimated'])
    assert audits[0].compared_by == 'true' and audits[0].scale.origin == 'estimated'


def coverage(records: list[SetRecord], origin: str, count: int) -> list[float]:
    """Of `count` pictures of each set, of whose motion no more is known than `origin` and the blind estimate."""
    known = [SetRecord(record.label, origin, [
        picture._replace(motion={key: picture.motion[key] for key in (origin, 'estimated')}) for picture in record.pictures])
        for record in records]
    few = SetRecord('few', origin, known[0].pictures[:count])
    return [audit.diversity_at_equal for audit in audit_sets([*known, few], None)[:-1]]


def test_broader_domains_cover_more(domain_records):
    """Blur of 4 to 9 pixels along lines and by shake, of 2 to 16 of four kinds, and of 1 to 32 of eight kinds."""
    gentle, bsd, pretraining = coverage([domain_records[name] for name in ('gentle', 'bsd', 'pretraining')], 'true', 8)
    assert 1.3 * gentle < bsd and 1.3 * bsd < pretraining


@pytest.mark.parametrize(('origin', 'count'), [('pairs', 20), ('estimated', 8)])
def test_a_narrow_domain_covers_less_by_estimates_too(domain_records, origin, count, monkeypatch):
    """In boxes of one octave the scatter of blind estimates would put it at or above the broad ones."""
    records = [domain_records[name] for name in ('gentle', 'gopro', 'pretraining')]
    gentle, *broad = coverage(records, origin, count)
    assert gentle < min(broad)
    if origin == 'estimated':
        monkeypatch.setattr('glowdeblur_plugin.report.audit.MERGED', 1.0)
        gentle, *broad = coverage(records, origin, count)
        assert gentle > 0.95 * max(broad)


def test_a_reference_that_tells_nothing_apart_is_said(blurred):
    """Of two halves of one set none is nearer to the other than its own pictures to each other; a sharp set is further."""
    lines = measure_set(Samples('lines', blurred('linear', 40, 8, 24)))
    half, other = (SetRecord(name, 'true', lines.pictures[start::2]) for name, start in (('half', 0), ('other', 1)))
    sharp = measure_set(Samples('sharp', blurred('linear', 40, 0.1, 0.2)[:20]))
    audits = audit_sets([other, sharp, half], half)
    assert audits[0].scale.count == 10
    assert audits[0].realism.total < 1.5 * audits[0].scale.floor.total < audits[1].realism.total
    assert notes(audits)[0].startswith('two samples of 10 pictures of half are ') and 'other, the nearest' in notes(audits)[0]
    assert floor_warning(audit_sets([sharp, half], half)) is None
    assert floor_warning(audit_sets([sharp], None)) is None


def test_rank_correlation_agrees_with_scipy():
    from scipy.stats import spearmanr
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 6, 40), rng.normal(size=40)
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert np.isnan(rank_correlation(np.ones(5), other[:5]))
