"""What a measure of coverage must satisfy."""

from itertools import combinations

import numpy as np
import pytest

from glowdeblur_plugin.report.blur_estimate import estimate_blur
from glowdeblur_plugin.report.diversity import diversity, expected_diversity, kinds_of_blur


def picture(rng: np.random.Generator) -> np.ndarray:
    """Cells of a picture: a few motions, one each for a part of it."""
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        angle, directed, minor = rng.uniform(0, 2 * np.pi), rng.exponential(8), rng.exponential(3)
        parts.append(np.tile([directed * np.cos(angle), directed * np.sin(angle), minor], (int(rng.integers(4, 40)), 1)))
    return np.concatenate(parts)


def random_set(seed: int, count: int = 12) -> list:
    rng = np.random.default_rng(seed)
    return [kinds_of_blur(picture(rng)) for _ in range(count)]


@pytest.mark.parametrize('kernel', [[0, 0, 0], [9, 0, 0], [0, 0, 5], [-4, 7, 2]])
def test_one_kernel_has_the_minimum(kernel):
    assert diversity([kinds_of_blur(np.tile(np.array(kernel, float), (count, 1))) for count in (1, 7, 500)]) == 1


@pytest.mark.parametrize('seed', range(20))
def test_a_union_has_at_least_the_most_of_its_parts(seed):
    one, other = random_set(seed), random_set(seed + 100, count=3)
    union = diversity(one + other)
    assert max(diversity(one), diversity(other)) <= union <= diversity(one) + diversity(other)


def test_a_plain_set_added_many_times_takes_nothing_away():
    """An entropy would fall here."""
    diverse, plain = random_set(0), [kinds_of_blur(np.zeros((9, 3)))] * 1000
    assert diversity(diverse + plain) >= diversity(diverse) > 10


def test_order_and_size_do_not_matter():
    pictures = random_set(3)
    assert diversity(pictures) == diversity(pictures[::-1]) == diversity(pictures * 5)


def test_a_wider_range_of_blur_covers_more():
    rng = np.random.default_rng(0)

    def lines(turn: float, longest: float) -> int:
        cells = []
        for _ in range(60):
            angle, length = rng.uniform(0, turn), rng.uniform(1, longest)
            cells.append(kinds_of_blur(np.array([[length * np.cos(2 * angle), length * np.sin(2 * angle), 0]])))
        return diversity(cells)

    assert lines(0.3, 8) < lines(np.pi, 8) < lines(np.pi, 32)


def test_rare_cells_do_not_count_but_every_picture_covers_something():
    cells = np.concatenate([np.tile([8.0, 0, 0], (97, 1)), np.tile([0, 30.0, 0], (3, 1))])
    assert len(kinds_of_blur(cells)) == 1
    spread = np.stack([np.geomspace(1, 1000, 400), np.zeros(400), np.geomspace(1000, 1, 400)], axis=1)
    assert len(kinds_of_blur(spread)) >= 1


def test_expected_diversity_is_the_mean_over_all_choices():
    pictures = random_set(5, count=7)
    for count in range(1, 8):
        brute = np.mean([diversity(choice) for choice in combinations(pictures, count)])
        assert expected_diversity(pictures, count) == pytest.approx(brute)
    for count in (0, 8):
        with pytest.raises(ValueError, match='count must be from 1 to 7'):
            expected_diversity(pictures, count)


def test_estimates_of_one_kernel_cover_less_than_those_of_many(blurred):
    """The measure on what the estimator sees: one blur on several scenes against as many blurs."""
    many = blurred('linear', 24, 8, 24)
    lengths = np.array([np.hypot(*sample.motion[:2, 0, 0]) for sample in many])
    one = blurred('defocus', 24, 12, 12)
    coverage = []
    for samples in (one, many):
        estimates = [estimate_blur(sample.lq) for sample in samples]
        coverage.append(diversity([kinds_of_blur(estimate.motion[:, estimate.sure].T) for estimate in estimates]))
    assert np.ptp(lengths) > 10 and coverage[1] > 1.5 * coverage[0]
