"""Distances against SciPy and closed forms; the laws of a metric."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from glowdeblur_plugin.report.realism import Statistics, circular_wasserstein, realism_distance, wasserstein


def random_statistics(seed: int) -> Statistics:
    rng = np.random.default_rng(seed)
    count, scale = int(rng.integers(3, 9)), rng.uniform(0.5, 3)
    cells = [rng.normal(0, 6 * scale, (int(rng.integers(4, 30)), 3)) for _ in range(count)]
    return Statistics(rng.exponential(scale, count), rng.beta(1, 20 * scale, count), cells)


def delta(index: int, bins: int = 36) -> np.ndarray:
    return np.eye(bins)[index]


@pytest.mark.parametrize('seed', range(5))
def test_wasserstein_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.normal(0, 1, 17), rng.normal(1, 2, 23)
    weights = rng.uniform(0, 1, 17), rng.uniform(0, 3, 23)
    assert wasserstein(one, other) == pytest.approx(wasserstein_distance(one, other))
    assert wasserstein(one, other, *weights) == pytest.approx(wasserstein_distance(one, other, *weights))


@pytest.mark.parametrize(('first', 'second', 'distance'), [(0, 2, 10), (0, 34, 10), (3, 21, 90), (35, 0, 5)])
def test_on_the_circle_the_short_way_counts(first, second, distance):
    assert circular_wasserstein(delta(first), delta(second), 180) == pytest.approx(distance)


def test_one_direction_is_a_quarter_turn_from_all_alike():
    assert circular_wasserstein(delta(7), np.full(36, 1 / 36), 180) == pytest.approx(45, rel=0.01)


def test_turning_both_histograms_changes_nothing():
    rng = np.random.default_rng(0)
    one, other = rng.dirichlet(np.ones(36)), rng.dirichlet(np.ones(36))
    for turn in (1, 9, 30):
        assert circular_wasserstein(np.roll(one, turn), np.roll(other, turn), 180) == pytest.approx(
            circular_wasserstein(one, other, 180))


@pytest.mark.parametrize('seed', range(5))
def test_the_distance_is_a_metric(seed):
    a, b, c = (random_statistics(3 * seed + index) for index in range(3))
    assert realism_distance(a, a).total == pytest.approx(0, abs=1e-12)
    assert realism_distance(a, b).total == pytest.approx(realism_distance(b, a).total)
    assert realism_distance(a, b).total > 0
    assert realism_distance(a, c).total <= realism_distance(a, b).total + realism_distance(b, c).total + 1e-9


def test_order_and_doubling_change_nothing():
    one, other = random_statistics(1), random_statistics(2)
    doubled = Statistics(np.tile(one.noise[::-1], 2), np.tile(one.saturation[::-1], 2), [*one.cells[::-1], *one.cells])
    assert realism_distance(doubled, other) == pytest.approx(realism_distance(one, other))


def test_each_term_answers_to_its_own_cause():
    """Each change is one octave by its scale: 0.5 to 1.5 levels, 1 to 3 %, 2 to 6 pixels, and a quarter turn."""
    line = np.array([[2.0, 0, 0]] * 5) * 3
    base = Statistics(np.full(4, 0.5), np.full(4, 0.01), [line] * 4)
    assert realism_distance(base._replace(noise=np.full(4, 1.5)), base) == pytest.approx((1, 0, 0, 0))
    assert realism_distance(base._replace(saturation=np.full(4, 0.03)), base) == pytest.approx((0, 1, 0, 0))
    assert realism_distance(base._replace(cells=[line * 7 / 3] * 4), base) == pytest.approx((0, 0, 1, 0))
    assert realism_distance(base._replace(cells=[-line] * 4), base) == pytest.approx((0, 0, 0, 2))
