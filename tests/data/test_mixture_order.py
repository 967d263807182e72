"""Which part and picture each place of a run takes: frequencies, schedule, evenness, and the same from anywhere."""

import pickle
from collections import Counter

import numpy as np
import pytest

from glowdeblur_plugin.data.mixture_order import BLOCK, MixtureOrder
from glowdeblur_plugin.data.mixture_weights import Shares

SIZES = {'large': 7001, 'small': 90, 'never': 11, 'single': 1}
FIXED = Shares([0], [[6, 3, 0, 1]])
PLACES = 2 * BLOCK + 5000


@pytest.fixture(scope='module')
def located() -> list[tuple[str, int]]:
    """Part and draw of more than two blocks of places, asked for one after the other."""
    order = MixtureOrder(3, SIZES, FIXED)
    return [order.locate(place) for place in range(PLACES)]


def test_parts_are_drawn_as_often_as_their_shares(located):
    """Within five standard deviations of the binomial distribution, over all places and over each block."""
    for places in (located, located[:BLOCK], located[BLOCK:2 * BLOCK]):
        counts = Counter(name for name, _ in places)
        assert counts['never'] == 0
        for name, share in (('large', 0.6), ('small', 0.3), ('single', 0.1)):
            assert abs(counts[name] - share * len(places)) < 5 * np.sqrt(share * (1 - share) * len(places))


def test_neighbouring_places_are_drawn_independently(located):
    """Pairs of the same part follow each other as often as the product of shares says, at distances that ranks may have."""
    names = np.array([name for name, _ in located])
    for distance in (1, 2, 4, 8, 64):
        both = np.mean((names[distance:] == 'small') & (names[:-distance] == 'small'))
        assert abs(both - 0.09) < 5 * np.sqrt(0.09 * 0.91 / len(names))


@pytest.mark.parametrize('name', ['large', 'small', 'single'])
def test_every_picture_of_a_part_is_seen_before_one_is_seen_again(located, name):
    draws = [draw for part, draw in located if part == name]
    size = SIZES[name]
    passes = [[draw % size for draw in draws[start:start + size]] for start in range(0, len(draws), size)]
    assert len(passes) > 10 and len(set(draws)) == len(draws)
    for number, pictures in enumerate(passes[:-1]):
        assert sorted(pictures) == list(range(size))
        assert {draw // size for draw in draws[number * size:number * size + size]} == {number}
    assert len(set(passes[-1])) == len(passes[-1])
    if size > 1:
        assert len({tuple(pictures) for pictures in passes}) == len(passes)


def test_an_order_does_not_depend_on_what_was_asked_before(located):
    fresh = MixtureOrder(3, SIZES, FIXED)
    for place in (2 * BLOCK + 4999, 17, BLOCK - 1, BLOCK, 5, 2 * BLOCK):
        assert fresh.locate(place) == located[place]
    assert pickle.loads(pickle.dumps(fresh)).locate(BLOCK + 3) == located[BLOCK + 3]
    other = MixtureOrder(4, SIZES, FIXED)
    assert sum(other.locate(place) == located[place] for place in range(1000)) < 300


def test_no_picture_belongs_to_a_rank():
    """Eight pictures alone in a mixture, and four ranks that take every fourth place: each rank sees each as often."""
    order, passes, ranks = MixtureOrder(0, {'only': 8}, Shares([0], [[1]])), 500, 4
    for rank in range(ranks):
        counts = Counter(order.locate(place)[1] % 8 for place in range(rank, 8 * passes, ranks))
        assert set(counts) == set(range(8))
        assert max(abs(count - passes / ranks) for count in counts.values()) < 5 * np.sqrt(passes * 0.25 * 0.75)


def test_the_schedule_follows_the_iterations_exactly():
    """7 samples an iteration; part b takes over at iteration 12,000 of 20,000, in the second block."""
    shares = Shares([0.6 - 1e-9, 0.6], [[1, 0], [0, 1]])
    order = MixtureOrder(0, {'a': 5, 'b': 5}, shares, 7, 20_000)
    first = 7 * 12_000
    assert {order.locate(place)[0] for place in range(first - 5000, first)} == {'a'}
    assert {order.locate(place)[0] for place in range(first, first + 5000)} == {'b'}
    assert order.locate(first) [1] < 5
    before = MixtureOrder(0, {'a': 5, 'b': 5}, shares, 7)
    assert before.locate(first)[0] == 'a'


@pytest.mark.parametrize('window', [(0, 0.2), (0.2, 0.4), (0.5, 0.6), (0.7, 0.9), (0.95, 1.3)])
def test_frequencies_follow_the_schedule(window):
    """In parts of the run, the last beyond its end, against the mean of the interpolated shares."""
    batch, iterations = 20, 10_000
    shares = Shares([0.1, 0.5, 0.8], [[1, 0], [0.5, 0.5], [0.1, 0.9]])
    parts = np.concatenate([MixtureOrder(0, {'a': 9, 'b': 9}, shares, batch, iterations).choices(block) for block in range(4)])
    places = np.arange(int(window[0] * batch * iterations), int(window[1] * batch * iterations))
    expected = np.interp(places // batch / iterations, [0.1, 0.5, 0.8], [0, 0.5, 0.9])
    bound = 5 * np.sqrt((expected * (1 - expected)).sum())
    assert abs(np.count_nonzero(parts[places] == 1) - expected.sum()) <= bound
