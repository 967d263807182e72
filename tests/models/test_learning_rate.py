"""The learning rate follows its closed form and moves with the optimizer."""

import math

import pytest

from glowdeblur_plugin.models.schedule import warmup_cosine
from toy_model import ToyModel, toy_batch, toy_options, train


def test_warmup_is_linear_and_cosine_ends_at_its_last_step() -> None:
    rates = [warmup_cosine(step, 20, 0.2, 0.1) for step in range(1, 21)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[11] == pytest.approx(0.55)
    assert rates[7] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)
    assert rates[-1] == pytest.approx(0.1, abs=1e-12)
    assert all(later < earlier for earlier, later in zip(rates[3:], rates[4:]))


@pytest.mark.parametrize('step', [1, 91_999, 92_000, 92_001, 150_000, 196_000, 300_000])
def test_restormers_rate_is_constant_and_then_a_cosine(step: int) -> None:
    """3e-4 for 92,000 iterations, then in 208,000 down to 1e-6."""
    cosine = 1e-6 + (3e-4 - 1e-6) * (1 + math.cos(math.pi * (step - 92_000) / 208_000)) / 2
    rate = 3e-4 * warmup_cosine(step, 300_000, 0.0, 1e-6 / 3e-4, 0.3066667)
    assert rate == pytest.approx(3e-4 if step <= 92_000 else cosine, rel=1e-12)


def test_warmup_constant_and_cosine_follow_each_other() -> None:
    rates = [warmup_cosine(step, 20, 0.2, 0.1, 0.3) for step in range(1, 21)]
    assert rates[:11] == [0.25, 0.5, 0.75] + 7 * [1.0] + [pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 10)) / 2)]
    assert rates[-1] == pytest.approx(0.1, abs=1e-12)
    assert [warmup_cosine(step, 4, 0.5, 0.1, 0.5) for step in range(1, 6)] == [0.5, 1, 1, 1, 1]


@pytest.mark.parametrize('step', [21, 25, 10_000])
def test_past_the_end_the_last_rate_stays(step: int) -> None:
    assert warmup_cosine(step, 20, 0.2, 0.1) == warmup_cosine(20, 20, 0.2, 0.1)


@pytest.mark.parametrize('share, steps', [(0.0, 40), (0.01, 40), (0.5, 1), (1.0, 40)])
def test_any_warmup_share_keeps_short_runs_valid(share: float, steps: int) -> None:
    rates = [warmup_cosine(step, steps, share, 0.0) for step in range(1, steps + 1)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert max(rates) > 0 or steps == 1


def test_the_rate_changes_with_the_optimizer_step_not_the_micro_batch(tmp_path) -> None:
    scheduler = {'warmup_share': 0.4, 'constant_share': 0.2, 'final_lr_ratio': 0.2}
    model = ToyModel(toy_options(tmp_path, total_iter=10, accumulate=2, scheduler=scheduler))
    rates = []
    for _ in range(10):
        train(model, toy_batch(0))
        rates += model.get_current_learning_rate()
    assert rates == pytest.approx([0.005, 0.005, 0.01, 0.01, 0.01, 0.01, 0.006, 0.006, 0.002, 0.002])


def test_a_group_with_its_own_peak_keeps_its_ratio(tmp_path) -> None:
    class TwoRates(ToyModel):
        def parameter_groups(self) -> list[dict]:
            net = self.bare_net
            return [{'params': list(net.rise.parameters())}, {'params': list(net.fall.parameters()), 'lr': 0.001}]

    model = TwoRates(toy_options(tmp_path, total_iter=4, scheduler={'warmup_share': 0.5}))
    train(model, toy_batch(0))
    assert model.get_current_learning_rate() == pytest.approx([0.005, 0.0005])
