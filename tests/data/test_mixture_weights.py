"""Shares of a mixture's parts against closed forms."""

import numpy as np
import pytest

from glowdeblur_plugin.data.mixture_weights import SchedulePoint, Shares, make_shares, size_weights


@pytest.mark.parametrize(('temperature', 'caps', 'expected'), [
    (1, (None, None, None), (100, 2500, 10_000)),
    (2, (None, None, None), (10, 50, 100)),
    (2, (None, 3600, 400), (10, 50, 20)),
    (1, (None, 100, 100), (1, 1, 1)),
    (float('inf'), (None, None, None), (1, 1, 1)),
])
def test_sizes_under_a_temperature(temperature, caps, expected):
    assert size_weights((100, 2500, 10_000), caps, temperature) == pytest.approx(np.array(expected) * size_weights(
        (100, ), (caps[0], ), temperature)[0] / expected[0])


def test_a_share_is_linear_between_points_and_constant_outside():
    shares = Shares([0.2, 0.6, 0.8], [[1, 0, 0], [1, 1, 2], [0, 0, 5]])
    expected = {0: (1, 0, 0), 0.2: (1, 0, 0), 0.3: (0.8125, 0.0625, 0.125), 0.4: (0.625, 0.125, 0.25), 0.6: (0.25, 0.25, 0.5),
                0.75: (0.0625, 0.0625, 0.875), 0.8: (0, 0, 1), 1: (0, 0, 1), 1.5: (0, 0, 1)}
    np.testing.assert_allclose(shares.at(np.array(list(expected))), list(expected.values()), atol=1e-15)


def test_options_come_to_shares_in_the_order_of_the_parts():
    parts, sizes, start = {'a': {'weight': 3}, 'b': {'weight': 1}}, [50, 5000], np.zeros(1)
    assert make_shares(parts, sizes, None, None).at(start).tolist() == [[0.75, 0.25]]
    capped = {'a': {}, 'b': {'cap': 200}}
    assert make_shares(capped, sizes, 2, None).at(start) == pytest.approx(np.array([[1 / 3, 2 / 3]]))
    points = [SchedulePoint(at=0, weights={'b': 1, 'a': 4}), SchedulePoint(at=0.5, weights={'a': 0, 'b': 9})]
    assert make_shares({'a': {}, 'b': {}}, sizes, None, points).at(np.array([0, 0.25, 1])) == pytest.approx(np.array(
        [[0.8, 0.2], [0.4, 0.6], [0, 1]]))
