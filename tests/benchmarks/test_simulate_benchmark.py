"""The simulator's benchmark measures what it says it does."""

import numpy as np
import pytest

from glowdeblur_plugin.benchmarks import simulate_benchmark
from glowdeblur_plugin.benchmarks.simulate_benchmark import simulator_plan
from glowdeblur_plugin.data.simulate import outline


def test_plans_are_as_large_as_the_figures_names_say():
    plane, layered = simulator_plan(0, 1), simulator_plan(2, 1)
    assert not plane.layers and len(layered.layers) == 2
    motions = (plane.background, layered.background, *(layer.motion for layer in layered.layers))
    assert all(len(motion) == 34 for motion in motions)
    for layer in layered.layers:
        assert (outline.cover(layer.outline, 256, 256) / 255).mean() == pytest.approx(0.25, abs=0.01)
    for plan in (plane, layered):
        assert plan.development.noise > 0 and plan.development.jpeg_quality and plan.highlights > 1


def test_rates_are_pictures_by_the_clock(monkeypatch):
    """By a clock that reads half a second more each time, two pictures take half a second."""
    monkeypatch.setattr(simulate_benchmark, 'PICTURES', 2)
    ticks = iter(np.arange(0, 100, 0.5))
    monkeypatch.setattr(simulate_benchmark.time, 'perf_counter', lambda: next(ticks))
    rows = simulate_benchmark.measure_simulator()
    assert list(rows) == [f'simulate_{name}_per_s_core' for name in ('plane', 'layers', 'pretraining')]
    assert all((found.median, found.spread) == (4.0, 0.0) for found in rows.values())
