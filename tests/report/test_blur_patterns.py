"""Histograms and shares in closed form, and what must not change them."""

import numpy as np
import pytest

from glowdeblur_plugin.report.blur_patterns import blur_patterns, equal_weights, global_local_shares, weighted_quantile


def straight(degrees: float, length: float, count: int = 10) -> np.ndarray:
    angle = np.radians(2 * degrees)
    return np.tile([length * np.cos(angle), length * np.sin(angle), 0], (count, 1))


def random_pictures(seed: int, count: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.abs(rng.normal(0, 8, (int(rng.integers(5, 60)), 3))) * [1, -1, 1] for _ in range(count)]


@pytest.mark.parametrize(('degrees', 'index'), [(0, 0), (30, 6), (90, 18), (178, 0), (-5, 35)])
def test_one_direction_fills_one_bin(degrees, index):
    orientation = blur_patterns([straight(degrees, 9)]).orientation
    assert orientation[index] == pytest.approx(1) and orientation.sum() == pytest.approx(1)


def test_directions_weigh_by_their_length_and_pictures_alike():
    pictures = [straight(0, 30, count=4), straight(90, 10, count=400)]
    orientation = blur_patterns(pictures).orientation
    assert (orientation[0], orientation[18]) == pytest.approx((0.75, 0.25))


def test_sharp_cells_and_round_blur_have_no_direction():
    np.testing.assert_allclose(blur_patterns([straight(40, 2), np.tile([0, 0, 9.0], (5, 1))]).orientation, 1 / 36)


def test_lengths_are_those_along_the_principal_direction():
    patterns = blur_patterns([np.array([[3.0, 4.0, 2.0]]), np.array([[0.0, 0.0, 100.0]])])
    assert patterns.magnitude[3] == pytest.approx(0.5) and patterns.magnitude[-1] == pytest.approx(0.5)
    assert patterns.longest == 100 and patterns.median == 7
    assert patterns.normalised[1] == pytest.approx(0.5) and patterns.normalised[-1] == pytest.approx(0.5)


def test_global_local_and_hardly_blurred():
    blurred, still = straight(0, 9), straight(0, 1)
    pictures = [blurred, np.concatenate([blurred, still]), np.concatenate([straight(0, 9, 2), still]), still]
    assert global_local_shares(pictures) == pytest.approx((0.5, 0.25, 0.25))


def test_no_share_is_below_zero():
    """1 - 4/5 - 1/5 is below 0 in floating point, and would be written as -0 %."""
    assert global_local_shares([straight(0, 9)] * 4 + [straight(0, 1)]) == (0.8, 0, 0.2)


def test_order_and_doubling_change_nothing():
    pictures = random_pictures(0)
    first, second = blur_patterns(pictures), blur_patterns([*pictures[::-1], *pictures])
    for one, other in zip(first, second):
        np.testing.assert_allclose(one, other)


def test_weights_sum_to_one_and_quantiles_agree_with_repetition():
    pictures = random_pictures(1)
    assert equal_weights(pictures).sum() == pytest.approx(1)
    rng = np.random.default_rng(2)
    values, times = rng.normal(size=50), rng.integers(1, 6, 50)
    repeated = np.sort(np.repeat(values, times))
    for quantile in (0.1, 0.5, 0.99):
        assert weighted_quantile(values, times.astype(float), quantile) == repeated[int(np.ceil(quantile * len(repeated))) - 1]
