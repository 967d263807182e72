"""Progressive learning: what is cut out of the data set's batches, an exact resume, and options that do not agree."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.progressive import ProgressiveCrops, ProgressiveOptions
from glowdeblur_plugin.models.restoration_model import RestorationModel, RestorationTrainOptions
from glowdeblur_plugin.models.seeds import step_generator
from glowdeblur_plugin.options import read_section
from toy_model import resume, same, toy_options, train

STAGES = {'iterations': [3, 1, 4], 'gt_sizes': [16, 24, 32], 'batch_sizes': [4, 2, 1]}
NAFNET = {'type': 'NAFNet', 'width': 4, 'enc_blk_nums': [1], 'middle_blk_num': 1, 'dec_blk_nums': [1]}
RESTORMER = {'type': 'Restormer', 'dim': 8, 'num_blocks': [1, 1, 1, 1], 'heads': [1, 2, 4, 8], 'num_refinement_blocks': 1}


def numbered_batch() -> dict[str, Any]:
    """Four crops of 32 x 32: channels say sample, row and column of each pixel, in `gt` plus 100."""
    grid = torch.cartesian_prod(torch.arange(4.0), torch.arange(32.0), torch.arange(32.0)).view(4, 32, 32, 3).movedim(-1, 1)
    return {'lq': grid, 'gt': grid + 100, 'domain': list('abcd'), 'known': torch.arange(4), 'text': torch.arange(8).view(4, 2)}


def cut(iteration: int, seed: int = 0) -> dict[str, Any]:
    crops = ProgressiveCrops(ProgressiveOptions(**STAGES))
    return crops.cut(numbered_batch(), iteration, step_generator(seed, iteration, 0))


@pytest.mark.parametrize('iteration, side, count', [(1, 16, 4), (3, 16, 4), (4, 24, 2), (5, 32, 1), (8, 32, 1), (9, 32, 1)])
def test_each_stage_has_its_side_and_its_batch(iteration: int, side: int, count: int) -> None:
    batch = cut(iteration)
    assert batch['lq'].shape == batch['gt'].shape == (count, 3, side, side)
    assert all(len(value) == count for value in batch.values())


def test_all_parts_of_a_batch_keep_the_same_samples_and_window() -> None:
    batch = cut(4)
    sample, row, column = batch['lq'].unbind(1)
    chosen = sample[:, 0, 0].long()
    assert torch.equal(batch['gt'], batch['lq'] + 100)
    assert torch.equal(batch['known'], chosen) and batch['domain'] == ['abcd'[index] for index in chosen]
    assert torch.equal(batch['text'][:, 0], 2 * chosen)
    assert (sample == chosen.view(-1, 1, 1)).all() and len(set(chosen.tolist())) == 2
    assert (row.diff(dim=1) == 1).all() and (column.diff(dim=2) == 1).all()


def test_every_crop_and_every_window_is_drawn() -> None:
    drawn = [cut(4, seed)['lq'][:, :, 0, 0] for seed in range(150)]
    samples, rows, columns = torch.cat(drawn).T.long().tolist()
    assert set(samples) == set(range(4))
    assert set(rows) == set(columns) == set(range(9))
    assert torch.equal(cut(4)['lq'], cut(4)['lq'])


def progressive_model(folder: Path, **path: Any) -> RestorationModel:
    options = {**toy_options(folder, progressive=STAGES, ema_decay=0.5), 'network_g': NAFNET, 'model_type': 'RestorationModel'}
    return RestorationModel({**options, 'path': {**options['path'], **path}})


def batches(first: int, last: int) -> list[dict[str, Tensor | list[str]]]:
    """What the data set gives for the iterations first .. last - 1."""
    def pictures(iteration: int) -> Tensor:
        return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(iteration))
    return [{'lq': pictures(index), 'gt': pictures(index).flip(1), 'lq_path': list('abcd')} for index in range(first, last)]


@pytest.mark.parametrize('stopped', [3, 4], ids=['at the end of a stage', 'a stage later'])
def test_a_resumed_run_goes_on_with_the_same_crops(tmp_path: Path, stopped: int) -> None:
    whole = progressive_model(tmp_path)
    seen: list[tuple[int, ...]] = []
    whole.net_g.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape)))
    train(whole, *batches(0, stopped))
    whole.save(0, stopped)
    train(whole, *batches(stopped, 8))
    assert seen == [(4, 3, 16, 16)] * 3 + [(2, 3, 24, 24)] + [(1, 3, 32, 32)] * 4
    options, state = resume(toy_options(tmp_path), stopped)
    torch.manual_seed(99)
    resumed = progressive_model(tmp_path, **options['path'])
    resumed.resume_training(state)
    train(resumed, *batches(stopped, 8))
    assert same(resumed.net_g.state_dict(), whole.net_g.state_dict())
    assert same(resumed.net_g_ema.state_dict(), whole.net_g_ema.state_dict())
    start = torch.load(tmp_path / 'models' / f'net_g_{stopped}.pth', weights_only=True)['params']
    assert not same(start, whole.net_g.state_dict())


def test_a_bad_sample_is_named_among_those_that_were_trained_on(tmp_path: Path) -> None:
    model = progressive_model(tmp_path)
    train(model, *batches(0, 4))
    batch = batches(4, 5)[0]
    batch['lq'][:] = float('nan')
    with pytest.raises(UserError) as error:
        train(model, batch)
    assert model.batch['lq_path'] in [[name] for name in 'abcd'] and model.batch['lq_path'][0] in str(error.value)


@pytest.mark.parametrize('change, message', [
    ({'iterations': [3, 1, 5]}, 'train:progressive:iterations: they add up to 9, and train:total_iter is 8'),
    ({'iterations': [8]}, 'expected one entry of each key for each stage, found 1 iterations, 3 gt_sizes, 3 batch_sizes'),
    ({'iterations': [], 'gt_sizes': [], 'batch_sizes': []}, 'found 0 iterations'),
    ({'gt_sizes': [0, 24, 32]}, r'train:progressive:gt_sizes: \[0, 24, 32\] is out of range'),
    ({'batch_sizes': None}, 'train:progressive:batch_sizes: expected a list'),
])
def test_stages_that_do_not_fit_the_run_are_one_line(change: dict[str, Any], message: str) -> None:
    section = {'total_iter': 8, 'optim_g': {'lr': 1e-3}, 'progressive': {**STAGES, **change}}
    with pytest.raises(UserError, match=message):
        read_section(RestorationTrainOptions, section, 'train')


@pytest.mark.parametrize('change, message', [
    ({'gt_size': 24}, 'datasets:train:gt_size: 24 is not the largest of train:progressive:gt_sizes, 32; make them equal'),
    ({'batch_size_per_gpu': 8}, 'datasets:train:batch_size_per_gpu: 8 is not the largest of train:progressive:batch_sizes, 4'),
])
def test_data_that_does_not_fit_is_one_line(change: dict[str, Any], message: str) -> None:
    section = {'total_iter': 8, 'optim_g': {'lr': 1e-3}, 'progressive': STAGES}
    options = read_section(RestorationTrainOptions, section, 'train')
    options.check_data({'gt_size': 32, 'batch_size_per_gpu': 4})
    with pytest.raises(UserError, match=message):
        options.check_data({'gt_size': 32, 'batch_size_per_gpu': 4, **change})


def test_sides_must_suit_the_network(tmp_path: Path) -> None:
    stages = {**STAGES, 'gt_sizes': [16, 20, 32]}
    options = {**toy_options(tmp_path, progressive=stages), 'network_g': RESTORMER, 'model_type': 'RestorationModel'}
    with pytest.raises(UserError, match='train:progressive:gt_sizes: 20 is not a multiple of 8, .*; use 16 or 24'):
        RestorationModel(options)
