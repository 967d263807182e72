"""Accumulation, clipping, moving average, the guard and the log of one model in one process."""

import copy

import pytest
import torch

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.ema import WeightAverage, decay_at
from glowdeblur_plugin.models.seeds import picture_generator, step_generator
from toy_model import ToyModel, ToyNet, resume, same, toy_batch, toy_options, train


def test_two_micro_batches_of_two_equal_one_batch_of_four(tmp_path) -> None:
    whole = ToyModel(toy_options(tmp_path, total_iter=4, grad_clip=0.05))
    halves = ToyModel(toy_options(tmp_path, total_iter=8, accumulate=2, grad_clip=0.05))
    for _ in range(3):
        train(whole, toy_batch(0, 1, 2, 3))
        train(halves, toy_batch(0, 1), toy_batch(2, 3))
        assert halves.grad_norm.item() == pytest.approx(whole.grad_norm.item(), rel=1e-12)
    assert halves.grad_norm > 0.05
    for one, other in zip(whole.net_g.parameters(), halves.net_g.parameters()):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)


def test_total_is_the_sum_of_the_terms_and_clipping_scales_to_the_limit(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path, grad_clip=0.03))
    batch, parameters = toy_batch(0, 1), [parameter for parameter in model.net_g.parameters() if parameter.requires_grad]
    error = model.net_g(batch['lq']) - batch['gt']
    total = error.square().mean() + 0.1 * error.abs().mean()
    norm = torch.cat([gradient.flatten() for gradient in torch.autograd.grad(total, parameters)]).norm().item()
    train(model, batch)
    log = model.get_current_log()
    assert norm > 0.03
    assert log['grad_norm'] == pytest.approx(norm, rel=1e-6)
    assert log['l_total'] == pytest.approx(total.item(), rel=1e-6)
    assert log['largest'] == pytest.approx(error.abs().max().item(), rel=1e-6)
    assert torch.cat([parameter.grad.flatten() for parameter in parameters]).norm().item() == pytest.approx(0.03, rel=1e-4)


@pytest.mark.parametrize('turn', [False, True], ids=['from the start', 'resumed with the other'])
def test_the_fused_step_equals_the_plain_one(tmp_path, turn: bool) -> None:
    """Also where a run goes on with the other kind: the states are exchangeable."""
    outcome = []
    for fused in (False, True):
        settings = {'accumulate': 2, 'ema_decay': 0.5, 'grad_clip': 0.03}
        optimizers = [{'lr': 0.01, 'weight_decay': 0.1, 'fused': kind} for kind in (fused, fused != turn)]
        options = toy_options(tmp_path, **settings, optim_g=optimizers[0])
        model = ToyModel(options)
        train(model, *(toy_batch(index) for index in range(4)))
        model.save(0, 4)
        options, state = resume({**options, 'train': {**options['train'], 'optim_g': optimizers[1]}}, 4)
        model = ToyModel(options)
        model.resume_training(state)
        train(model, *(toy_batch(index) for index in range(4, 8)))
        assert model.optimizer_g.param_groups[0]['fused'] is (fused != turn)
        outcome.append([model.net_g.state_dict(), model.net_g_ema.state_dict()])
    torch.testing.assert_close(*outcome, rtol=1e-10, atol=1e-12)


def test_moments_may_lie_otherwise_in_memory_than_their_weights(tmp_path) -> None:
    """As those of a sharded run do where it goes on whole: the fused step goes through memory as it lies."""
    options = toy_options(tmp_path)
    model = ToyModel(options)
    train(model, *(toy_batch(index) for index in range(4)))
    model.save(0, 4)
    outcome = []
    for layout in (torch.contiguous_format, torch.channels_last):
        resumed, state = resume(options, 4)
        model = ToyModel(resumed)
        model.bare_net.to(memory_format=layout)
        model.resume_training(state)
        train(model, *(toy_batch(index) for index in range(4, 8)))
        outcome.append(model.net_g.state_dict())
    assert not outcome[1]['rise.weight'].is_contiguous()
    torch.testing.assert_close(*outcome, rtol=1e-10, atol=1e-12)


def test_a_network_without_blocks_cannot_recompute(tmp_path) -> None:
    with pytest.raises(UserError, match='train:gradient_checkpointing: ToyNet has no blocks'):
        ToyModel(toy_options(tmp_path, gradient_checkpointing=True))


def test_the_log_holds_means_since_it_was_read(tmp_path) -> None:
    model, once = (ToyModel(toy_options(tmp_path)) for _ in range(2))
    values = []
    for indices in ((0,), (1,), (2,)):
        train(once, toy_batch(*indices))
        values.append(once.get_current_log())
    train(model, toy_batch(0), toy_batch(1))
    log = model.get_current_log()
    assert log['l_square'] == pytest.approx((values[0]['l_square'] + values[1]['l_square']) / 2)
    train(model, toy_batch(2))
    assert model.get_current_log() == pytest.approx(values[2])


def test_eight_bit_pictures_become_floats_and_the_rest_stays(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path))
    model.feed_data({'lq': torch.tensor([0, 51, 255], dtype=torch.uint8), 'motion': torch.tensor([2.5]), 'lq_path': ['a']})
    assert model.lq.tolist() == pytest.approx([0.0, 0.2, 1.0]) and model.lq.dtype == torch.float32
    assert model.batch['motion'].tolist() == [2.5] and model.batch['lq_path'] == ['a']


def test_moving_average_follows_its_closed_form() -> None:
    net = ToyNet()
    average = copy.deepcopy(net)
    follower = WeightAverage(net, average, 0.3)
    weight, mean, decays = net.fall.bias.detach().clone(), net.mean.clone(), []
    for step in range(1, 6):
        with torch.no_grad():
            net.fall.bias += step
            net.frozen += 1
            net.mean += 2 * step
            net.calls += 1
            net.limit.fill_(step)
        follower.update(step)
        decays.append(min(0.3, step / (9 + step)))
        weight = decays[-1] * weight + (1 - decays[-1]) * net.fall.bias.detach()
        mean = decays[-1] * mean + (1 - decays[-1]) * net.mean
    assert decays[:2] == pytest.approx([0.1, 2 / 11]) and decays[-1] == 0.3 == decay_at(5, 0.3)
    torch.testing.assert_close(average.fall.bias.detach(), weight, rtol=1e-13, atol=0)
    torch.testing.assert_close(average.mean, mean, rtol=1e-13, atol=0)
    assert average.calls == 5 and average.limit == 5
    assert average.frozen.tolist() == [1.0, 1.0, 1.0]


def test_moving_average_moves_at_real_steps_only(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path, accumulate=2, ema_decay=0.5))
    start = copy.deepcopy(model.net_g_ema.state_dict())
    train(model, toy_batch(0))
    assert same(start, model.net_g_ema.state_dict())
    train(model, toy_batch(1), toy_batch(2))
    expected = torch.lerp(start['rise.weight'], model.net_g.rise.weight.detach(), 0.9)
    torch.testing.assert_close(model.net_g_ema.rise.weight, expected, rtol=1e-12, atol=0)


def test_a_loss_that_is_not_finite_names_its_samples_and_spares_the_weights(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path))
    train(model, toy_batch(0))
    before, bad = copy.deepcopy(dict(model.net_g.named_parameters())), toy_batch(3, 4)
    bad['lq'][1, 0, 0, 0] = float('nan')
    with pytest.raises(UserError, match=r'iteration 2: .*l_square = nan.* /toys/scene/3, /toys/scene/4; .*step before: 1.066'):
        train(model, bad)
    assert same(before, dict(model.net_g.named_parameters()))


def test_weights_lost_through_the_gradient_are_not_saved(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path))
    train(model, toy_batch(0))
    model.save(0, 1)
    model.net_g.rise.weight.register_hook(lambda gradient: gradient * float('inf'))
    train(model, toy_batch(1))
    with pytest.raises(UserError, match='iteration 2: the gradient is not finite'):
        model.save(0, 2)
    assert [path.name for path in (tmp_path / 'training_states').iterdir()] == ['1.state']


def test_bfloat16_changes_the_forward_pass_and_keeps_weights_and_losses_exact(tmp_path) -> None:
    results = {}
    for precision in ('fp32', 'bf16'):
        model = ToyModel(toy_options(tmp_path, precision=precision))
        model.net_g.float()
        batch = {key: value.float() if key != 'lq_path' else value for key, value in toy_batch(0, 1).items()}
        train(model, batch)
        results[precision] = model.get_current_log()['l_square']
        assert all(parameter.dtype == torch.float32 for parameter in model.net_g.parameters())
    assert results['bf16'] != results['fp32']
    assert results['bf16'] == pytest.approx(results['fp32'], rel=0.02)


def test_random_numbers_depend_on_seed_iteration_rank_and_picture_alone() -> None:
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    steps, pictures = [(1, 2, 0), (1, 2, 1), (1, 3, 0), (2, 2, 0), (10_000, 10**9, 7)], [(1, 2), (2, 1)]

    def draw() -> list[tuple[float, ...]]:
        generators = [*(step_generator(*words) for words in steps), *(picture_generator(*words) for words in pictures)]
        return [tuple(torch.rand(3, generator=generator).tolist()) for generator in generators]

    assert len(set(draw())) == len(steps) + len(pictures)
    assert draw() == draw()
    assert torch.equal(state, torch.random.get_rng_state())
