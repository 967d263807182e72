"""What is said of figures whose answers are known."""

import json
from typing import Any

import numpy as np
import pytest

from glowdeblur_plugin.report.diversity import expected_diversity
from glowdeblur_plugin.study.analysis import DOMAINS, REAL, cells, correlations, differences, generalisation, too_weak
from glowdeblur_plugin.study.diversity import data_shares, mixed_diversity, row_diversities
from glowdeblur_plugin.study.options import StudyOptions, read_study
from glowdeblur_plugin.study.report import as_json, as_markdown, make_report
from glowdeblur_plugin.study.results import Results
from glowdeblur_plugin.study.verdict import verdict

PICTURES, SEEDS = 16, 3
A, B = (0, 0, 0), (1, 0, 0)
# Gains over the blurry pictures in dB of each row on the domains short and long and on the real pairs.
GAINS = {'short_only': (3.0, -1.0, 0.1), 'long_only': (0.5, 2.0, 0.2), 'mixture': (2.0, 1.5, 0.3), 'bpp': (2.5, 1.8, 0.6),
         'bpp_short': (3.2, 1.0, 0.4)}
BLURRY = (24.0, 22.0, 25.0)
DIVERSITY = {'short_only': 3.0, 'long_only': 4.0, 'mixture': 6.0, 'bpp': 9.0, 'bpp_short': 8.0}


@pytest.fixture
def study(section: dict[str, Any]) -> StudyOptions:
    return read_study({**section, 'seeds': [0, 1, 2], 'real_pairs': {'street': {'dataroot_lq': 'lq', 'dataroot_gt': 'gt'}},
                       'comparisons': [['bpp', 'long_only']]})


def results(noise: float = 0.0, **gains: tuple[float, float, float]) -> Results:
    """Figures with those gains exactly on average, each picture's and seed's apart by `noise` dB."""
    rng, restored = np.random.default_rng(0), {}
    blurry = {name: np.stack([level + rng.normal(0, 3, PICTURES), np.full(PICTURES, 0.7)], axis=1)
              for name, level in zip(('short', 'long', 'street'), BLURRY)}
    for row, levels in (GAINS | gains).items():
        for (name, table), gain in zip(blurry.items(), levels):
            off = rng.normal(0, 1, (PICTURES, SEEDS)) * noise
            psnr = table[:, :1] + gain + off - off.mean()
            restored[row, name] = np.stack([psnr, np.full((PICTURES, SEEDS), 0.8)], axis=2)
    return Results((0, 1, 2), {name: [f'{index:02d}' for index in range(PICTURES)] for name in blurry}, blurry, restored)


def test_gains_and_gaps(study: StudyOptions) -> None:
    found = cells(study, results())
    for (row, name), cell in found.items():
        place = ('short', 'long', 'street').index(name)
        own = (GAINS['short_only'][0], GAINS['long_only'][1], None)[place]
        assert cell.gain == pytest.approx(GAINS[row][place])
        assert cell.gap is None if own is None else cell.gap == pytest.approx(GAINS[row][place] - own)
        assert cell.trained is (name in {'short_only': {'short'}, 'long_only': {'long'}, 'bpp_short': {'short'}}
                                .get(row, {'short', 'long'}))
        assert cell.spread == pytest.approx(0, abs=1e-9) and cell.ssim == pytest.approx(0.8)


def test_spread_is_that_of_the_seeds(study: StudyOptions) -> None:
    figures = results()
    figures.restored['bpp', 'long'][..., 0] += np.array([-0.1, 0.0, 0.1])
    cell = cells(study, figures)['bpp', 'long']
    assert cell.spread == pytest.approx(0.1) and cell.gain == pytest.approx(GAINS['bpp'][1])


def test_differences_by_set_and_together(study: StudyOptions) -> None:
    found = {entry.on: entry for entry in differences(study, results(noise=0.3), 'bpp', 'mixture')}
    table = results(noise=0.3).psnr('bpp', 'long') - results(noise=0.3).psnr('mixture', 'long')
    assert found['long'].by_seed == pytest.approx(table.mean(axis=0))
    expected = {'short': 0.5, 'long': 0.3, 'street': 0.3, DOMAINS: 0.4, REAL: 0.3}
    assert found.keys() == expected.keys()
    for name, entry in found.items():
        assert entry.mean == pytest.approx(expected[name])
        assert 0 < entry.low < entry.mean < entry.high < 2 * entry.mean


def test_blurs_of_one_sharp_picture_are_drawn_together(study: StudyOptions) -> None:
    """Two scenes with eight blurs each, where bpp is better on the one and worse on the other: nothing is sure. In both domains
    they are the same two."""
    study.test_draws, figures = PICTURES // 2, results()
    names = [f'{scene}_{draw}' for scene in 'ab' for draw in range(PICTURES // 2)]
    figures.pictures.update(dict.fromkeys(('short', 'long'), names))
    for name in ('short', 'long'):
        figures.restored['bpp', name][..., 0] += np.where(np.arange(PICTURES) < PICTURES // 2, 2.0, -3.0)[:, None]
    found = {entry.on: entry for entry in differences(study, figures, 'bpp', 'mixture')}
    assert [found[name].scenes for name in ('short', 'long', DOMAINS, 'street')] == [2, 2, 2, PICTURES]
    assert (found[DOMAINS].low, found[DOMAINS].high) == (pytest.approx(0.4 - 3), pytest.approx(0.4 + 2))
    text = ' '.join(verdict(study, figures, list(found.values())))
    assert '2 scenes are few' in text and 'one time in 2,' in text
    assert '3 seeds are few' in text and 'one time in 4,' in text


def test_generalisation_leaves_out_what_was_trained_on(study: StudyOptions) -> None:
    names = ['short', 'long', 'street']
    assert generalisation(study, results(), 'short_only', names) == pytest.approx((-1.0 + 0.1) / 2)
    assert generalisation(study, results(), 'mixture', names) == pytest.approx(0.3)
    assert generalisation(study, results(), 'mixture', ['short', 'long']) is None


def test_rank_correlation_with_diversity(study: StudyOptions) -> None:
    """Spearman's rho is 1 - 6 sum d^2 / (n (n^2 - 1)) for ranks that differ by d: on real pairs 0 here, so 1; on all unseen
    sets the gains -.45, .35, .3, .6, .7 have the ranks 1, 3, 2, 4, 5 against 1, 2, 3, 5, 4: 1 - 6 * 4 / 120 = .8."""
    everywhere, real = correlations(study, results(), DIVERSITY)
    assert (everywhere.rows, everywhere.value) == (5, pytest.approx(0.8))
    assert (real.rows, real.value) == (5, pytest.approx(1.0))


def sentences(study: StudyOptions, figures: Results) -> str:
    return ' '.join(verdict(study, figures, differences(study, figures, 'bpp', 'mixture')))


@pytest.mark.parametrize('bpp, words', [
    ((2.5, 1.8, 0.6), 'bpp less mixture is +0.40 dB'), ((2.5, 1.8, 0.6), 'bpp is better'),
    ((1.6, 1.1, 0.0), 'bpp is worse'), ((2.01, 1.49, 0.3), 'no difference is seen')])
def test_verdict_follows_the_interval(study: StudyOptions, bpp: tuple[float, float, float], words: str) -> None:
    text = sentences(study, results(noise=0.2, bpp=bpp))
    assert text.count(words) == (1 if 'less' in words else 2) and 'No conclusion' not in text


def test_weak_networks_and_smoke_runs_conclude_nothing(study: StudyOptions) -> None:
    weak = results(long_only=(0.5, 0.99, 0.2))
    assert too_weak(study, weak) == {'long': pytest.approx(0.99)} and too_weak(study, results()) == {}
    text = ' '.join(verdict(study, weak, []))
    assert text.startswith('underpowered: ') and '+0.99 dB on long' in text and 'No conclusion' in text
    study.smoke = True
    for figures in (weak, results()):
        text = ' '.join(verdict(study, figures, []))
        assert 'Smoke run' in text and 'No conclusion' in text and 'bpp' not in text


def test_report_holds_the_figures(study: StudyOptions) -> None:
    report = make_report(study, results(), DIVERSITY)
    text = as_markdown(report)
    assert '| bpp | +2.50 | +1.80 | +0.60 |' in text and '| bpp | -0.50 | -0.20 |' in text
    assert '| bpp - long_only | short | 16 | +2.00 | +2.00 to +2.00 | +2.00, +2.00, +2.00 |' in text
    told = json.loads(as_json(report))
    assert {entry['gain_on']: entry['value'] for entry in told['correlations']}['real pairs'] == pytest.approx(1)
    assert told['blurry']['street']['pictures'] == PICTURES and len(told['cells']) == len(GAINS) * len(BLURRY)


def test_diversity_of_a_mixture(study: StudyOptions) -> None:
    """All of one data: rarefaction. Two halves: of four pictures each two, where a, shown in one of four, is missing with
    chance 1/2 and b, in two of them, with 1/6; b in one picture of the other data is missing there with 1/2."""
    nothing, a, b = frozenset(), frozenset({A}), frozenset({B})
    kinds = {'short': [a, b, b, nothing], 'long': [b, nothing, nothing, nothing]}
    for count in (1, 2, 4):
        assert mixed_diversity(kinds, {'short': 1.0}, count) == pytest.approx(expected_diversity(kinds['short'], count))
    assert mixed_diversity(kinds, {'short': 0.5, 'long': 0.5}, 4) == pytest.approx(1 / 2 + 1 - 1 / 6 * 1 / 2)
    assert data_shares(study, 'bpp') == {'diverse': 0.5, 'short': 0.25, 'long': 0.25}


def test_training_sets_cover_kinds_of_blur(study: StudyOptions) -> None:
    """Straight blur of 6 to 8 pixels has kinds that one of 2 to 4 has not, and both together have more than either."""
    study.diversity_pictures = 8
    found = row_diversities(study)
    assert found['short_only'] < found['long_only'] < found['bpp'] and found['short_only'] < found['mixture']
