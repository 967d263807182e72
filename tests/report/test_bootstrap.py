"""Intervals of paired differences, against closed forms and the normal approximation."""

import numpy as np
import pytest

from glowdeblur_plugin.report.bootstrap import paired_interval


def test_equal_differences_leave_no_doubt() -> None:
    assert paired_interval(np.full(7, 0.25)) == (0.25, 0.25)


def test_many_pictures_agree_with_the_normal_interval() -> None:
    differences = np.random.default_rng(1).normal(0.3, 2, 400)
    half = 1.96 * differences.std() / np.sqrt(differences.size)
    assert paired_interval(differences) == pytest.approx((differences.mean() - half, differences.mean() + half), abs=0.03)


def test_runs_are_drawn_as_well_as_pictures() -> None:
    """Where all pictures of a run differ alike, more pictures tell nothing: the interval is that of the three runs' means."""
    by_run = np.array([-1.0, 0.5, 2.0])
    low, high = paired_interval(np.broadcast_to(by_run, (1000, 3)))
    assert (low, high) == (-1, 2)
    assert paired_interval(np.broadcast_to(by_run[:, None], (3, 1000)).T) == (-1, 2)


def test_pictures_of_one_scene_count_once() -> None:
    """Ten equal pictures of a scene say no more than one: the mean of scenes that are repeated unequally is by pictures, and
    where all have as many, the interval is that of the scenes' own values."""
    values = np.random.default_rng(3).normal(0.3, 2, 40)
    alone, names = paired_interval(values), [str(scene) for scene in range(40)]
    assert paired_interval(np.tile(values, 10), scenes=names * 10) == pytest.approx(alone)
    low, high = paired_interval(np.tile(values, 10))
    assert high - low < (alone[1] - alone[0]) / 2.5
    assert paired_interval(np.array([1.0, 1.0, 1.0, 0.0]), scenes='aaab') == (0, 1)
    assert paired_interval(np.array([1.0, 0.0, 2.0, 0.0]), scenes='aaaa') == (0.75, 0.75)


def test_a_seed_gives_the_same_interval_again() -> None:
    differences = np.random.default_rng(2).normal(size=30)
    assert paired_interval(differences, seed=4) == paired_interval(differences, seed=4) != paired_interval(differences, seed=5)


def test_no_differences_are_refused() -> None:
    with pytest.raises(ValueError, match='at least one'):
        paired_interval(np.array([]))
