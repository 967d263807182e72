"""GLOWDeblurModel: phases, what validation may see, the summary."""

import gc
import json
import math
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.motion_metric import calculate_motion_error
from glowdeblur_plugin.models.drawn_pictures import draw_motion
from glowdeblur_plugin.models.flow_record import FlowRecord
from glowdeblur_plugin.models.glowdeblur_evaluation import evaluate, restore
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from glowdeblur_plugin.models.seeds import picture_generator
from glowdeblur_plugin.models.tiled_network import TiledGLOWDeblur
from glowdeblur_plugin.resources import PeakMemory


class _Pictures(torch.utils.data.Dataset):
    def __init__(self, samples: list[dict[str, Any]]) -> None:
        self.opt, self.samples = {'name': 'val', 'dataroot_gt': '.'}, samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.samples[index]


def _sample(seed: int, height: int = 35, width: int = 50) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    lq, gt = (torch.rand(3, height, width, generator=generator) for _ in range(2))
    return {'lq': lq, 'gt': gt, 'motion': torch.rand(3, height, width, generator=generator), 'motion_known': True,
            'lq_path': f'picture_{seed}', 'gt_path': f'picture_{seed}', 'domain': 'made'}


def _model(folder: Path, is_train: bool = True, val: dict[str, Any] | None = None, **train: Any) -> GLOWDeblurModel:
    paths = {key: str(folder / key) for key in ('models', 'training_states', 'visualization')}
    for path in paths.values():
        Path(path).mkdir(exist_ok=True)
    settings = {
        'total_iter': 40,
        'ema_decay': 0.9,
        'warmup_phase_share': 0.5,
        'flow_draws': 2,
        'optim_g': {
            'type': 'AdamW',
            'lr': 1e-3
        },
        **train
    }
    opt = {
        'name': 'test',
        'model_type': 'GLOWDeblurModel',
        'is_train': is_train,
        'dist': False,
        'num_gpu': 0,
        'rank': 0,
        'world_size': 1,
        'manual_seed': 3,
        'network_g': {
            'type': 'GLOWDeblur',
            'variant': 'nano',
            'target': 'around'
        },
        'path': {
            **paths, 'experiments_root': str(folder)
        },
        'train': settings,
        'val': {
            'save_img': True,
            'steps': 2,
            'warm_steps': 1,
            'full_report': True,
            'metrics': {},
            **(val or {})
        },
        'logger': {
            'print_freq': 1
        },
        'datasets': {
            'train': {},
            'val': {}
        },
        'run': {
            'iterations_per_epoch': 100
        }
    }
    return GLOWDeblurModel(opt)


def _train(model: GLOWDeblurModel, iterations: range) -> dict[str, float]:
    batch = torch.utils.data.default_collate([_sample(seed, 32, 32) for seed in range(2)])
    for iteration in iterations:
        model.update_learning_rate(iteration)
        model.feed_data(batch)
        model.optimize_parameters(iteration)
    return model.get_current_log()


def _validate(model: GLOWDeblurModel, samples: list[dict[str, Any]], iteration: int) -> None:
    model.validation(type('Loader', (), {'dataset': _Pictures(samples)})(), iteration, None, save_img=True)


def test_the_flow_joins_after_its_share_of_the_run(tmp_path: Path) -> None:
    model = _model(tmp_path)
    terms = {'l_pixel', 'l_frequency', 'l_align', 'l_motion'}
    before = model.bare_net.backbone.proj_out.weight.clone()
    assert terms == {name for name in _train(model, range(19, 21)) if name.startswith('l_')} - {'l_total'}
    assert torch.equal(before, model.bare_net.backbone.proj_out.weight)
    assert terms | {'l_flow'} == {name for name in _train(model, range(21, 23)) if name.startswith('l_')} - {'l_total'}
    assert not torch.equal(before, model.bare_net.backbone.proj_out.weight)


def test_restoration_sees_neither_sharp_picture_nor_true_motion(tmp_path: Path) -> None:
    model, sample = _model(tmp_path), _sample(1)
    _train(model, range(21, 25))
    other = {**sample, 'gt': 1 - sample['gt'], 'motion': sample['motion'] + 5}
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    with torch.inference_mode():
        first, second = (model.evaluate_picture(torch.utils.data.default_collate([entry]), 0, generator)
                         for entry, generator in zip((sample, other), generators))
    assert torch.equal(first['restored'], second['restored'])
    assert first['psnr_restored_to_prereconstruction'] == second['psnr_restored_to_prereconstruction']
    assert first['psnr_restored'] != second['psnr_restored'] and first['motion_error'] != second['motion_error']


def test_validation_restores_in_the_tiles_of_its_options(tmp_path: Path) -> None:
    model = _model(tmp_path, val={'tile': 64, 'tile_overlap': 32})
    _train(model, range(21, 25))
    batch, net = torch.utils.data.default_collate([_sample(1, 70, 100)]), model.evaluation_network()
    with torch.inference_mode():
        given = model.evaluate_picture(batch, 0, picture_generator(7, 0))
        whole, tiled = (evaluate(way, batch, picture_generator(7, 0), model.val_options, full=True)
                        for way in (net, TiledGLOWDeblur(net, (64, 64), 32)))
    assert all(torch.equal(torch.as_tensor(given[name]), torch.as_tensor(tiled[name])) for name in tiled)
    assert not torch.equal(tiled['restored'], whole['restored'])


def test_summary_has_every_figure_and_pictures_are_written(tmp_path: Path) -> None:
    model = _model(tmp_path)
    _train(model, range(39, 41))
    _validate(model, [_sample(1), _sample(2)], 42)
    summary = json.loads((tmp_path / 'summary.json').read_text())
    ways = ('blurry', 'prereconstruction', 'prereconstruction_codec', 'restored', 'restored_warm', 'restored_nocond', 'codec')
    expected = {f'{metric}_{way}'
                for metric in ('psnr', 'ssim')
                for way in ways} | {
                    'psnr_restored_to_prereconstruction', 'motion_error', 'motion_error_zero', 'loss_flow_first',
                    'loss_flow_last', 'iterations', 'seconds', 'peak_memory_mb', 'restored_steps', 'restored_warm_sigma',
                    'restored_warm_steps'
                }
    assert expected <= summary.keys()
    assert summary['psnr_blurry'] == pytest.approx(sum(row['psnr_blurry'] for row in summary['pictures']) / 2)
    written = {path.name for path in (tmp_path / 'visualization').rglob('*.png')}
    assert {'picture_1_40.png', 'picture_1_40_strip.png', 'picture_2_40_blur.png'} <= written


def _shown(sample: dict[str, Any], height: int, width: int) -> dict[str, Any]:
    cut = {key: sample[key][:, :height, :width] for key in ('lq', 'gt', 'motion')}
    return torch.utils.data.default_collate([{**sample, **cut}])


@pytest.mark.parametrize('size, cells, whole', [((17, 41), (3, 6), (2, 5)), ((3, 5), (1, 1), (1, 1))])
def test_motion_is_shown_and_counted_on_the_picture_without_its_padding(tmp_path: Path, size: tuple[int, int],
                                                                        cells: tuple[int, int], whole: tuple[int, int]) -> None:
    model, batch = _model(tmp_path), _shown(_sample(1, 17, 41), *size)
    net = model.evaluation_network()
    torch.nn.init.normal_(net.motion.head.weight, std=0.3)
    with torch.inference_mode():
        motion = net.condition(pad_to_multiple(batch['lq'], net.size_multiple)).motion
        known = model.evaluate_picture(batch, 0, picture_generator(0, 0))
        unknown = model.evaluate_picture({**batch, 'motion_known': False}, 0, picture_generator(0, 0))
    assert motion.shape[-2] > cells[0]
    assert all(math.isfinite(value) for value in known.values() if isinstance(value, float))
    assert torch.equal(unknown['blur'], draw_motion(batch['lq'], motion[..., :cells[0], :cells[1]], None))
    assert known['motion_error'] == calculate_motion_error(motion[..., :whole[0], :whole[1]],
                                                           batch['motion'][..., :8 * whole[0], :8 * whole[1]])


def test_no_summary_before_the_end(tmp_path: Path) -> None:
    model = _model(tmp_path)
    _train(model, range(38, 40))
    _validate(model, [_sample(1)], 39)
    assert not (tmp_path / 'summary.json').exists()


def test_flow_record_takes_the_first_and_last_tenth_and_survives_a_resume() -> None:
    record = FlowRecord(start=20, total=60)
    for iteration in range(21, 61):
        if iteration == 40:
            other = FlowRecord(start=20, total=60)
            other.load(record.state())
            record = other
        record.add(iteration, torch.tensor(float(iteration)))
    assert record.means() == ((21 + 22 + 23 + 24) / 4, (57 + 58 + 59 + 60) / 4)


def test_data_without_motion_keeps_the_estimator_in_the_graph_and_does_not_train_it(tmp_path: Path) -> None:
    """All trained parameters get a gradient, as distributed training needs; the estimator's is zero."""
    model = _model(tmp_path)
    samples = [{key: value for key, value in _sample(seed, 32, 32).items() if not key.startswith('motion')} for seed in range(2)]
    model.feed_data(torch.utils.data.default_collate(samples))
    losses = model.compute_losses(torch.Generator().manual_seed(0), 30)
    assert losses['l_motion'].item() == 0
    model.total_loss(losses).backward()
    assert all(parameter.grad is not None for name, parameter in model.bare_net.named_parameters() if name.startswith('motion.'))
    assert all(parameter.grad.abs().max() == 0 for parameter in model.bare_net.motion.parameters())


def test_crops_that_the_network_cannot_take_are_refused(tmp_path: Path) -> None:
    model = _model(tmp_path)
    with pytest.raises(UserError,
                       match='datasets:train:gt_size: 40 is not a multiple of 16, which this network needs; use 32 or 48'):
        model.feed_data(torch.utils.data.default_collate([_sample(0, 40, 40)]))


def test_a_loss_that_does_not_take_its_arguments_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='train:pixel_opt: .*most'):
        _model(tmp_path, pixel_opt={'type': 'L1Loss', 'reduction': 'most'})


def test_resuming_a_finished_run_leaves_its_summary(tmp_path: Path) -> None:
    model = _model(tmp_path)
    _train(model, range(39, 41))
    _validate(model, [_sample(1)], 42)
    written = (tmp_path / 'summary.json').read_text()
    again = _model(tmp_path)
    again.iteration = 40
    again.load_extra_state(model.extra_state())
    _validate(again, [_sample(1)], 42)
    assert (tmp_path / 'summary.json').read_text() == written


def test_memory_is_watched_in_training_alone_and_the_watch_ends_with_its_owner(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    _model(tmp_path, is_train=False)
    assert set(threading.enumerate()) <= before
    memory = PeakMemory(interval=0.01)
    watcher, = set(threading.enumerate()) - before
    assert memory.look() > 1
    del memory
    gc.collect()
    watcher.join(timeout=30)
    assert not watcher.is_alive()


def test_autocast_rounds_neither_the_sampled_latent_nor_the_picture() -> None:
    """Sampled, decoded and (exactly) encoded again, the latent still has more digits than bfloat16 holds."""
    torch.manual_seed(0)
    net, lq = GLOWDeblur('nano').eval(), _sample(1, 32, 48)['lq'][None]
    torch.nn.init.normal_(net.backbone.proj_out.weight, std=0.1)
    pictures = []
    with torch.inference_mode():
        for low in (False, True):
            with torch.autocast('cpu', torch.bfloat16, enabled=low):
                pictures.append(restore(net, net.condition(lq), [torch.Generator().manual_seed(0)], steps=2))
        exact, low = pictures
        latent = net.encode(low)
    assert low.dtype == torch.float32 and 0 < (low - exact).abs().max() < 0.1
    assert (low - low.bfloat16().float()).abs().max() > 1e-4
    assert (latent - latent.bfloat16().float()).abs().max() > 1e-3


def test_figures_of_the_codec_do_not_depend_on_autocast(tmp_path: Path) -> None:
    model, batch, figures = _model(tmp_path), torch.utils.data.default_collate([_sample(1)]), []
    for low in (False, True):
        with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16, enabled=low):
            figures.append(model.evaluate_picture(batch, 0, torch.Generator().manual_seed(0)))
    assert figures[0]['psnr_codec'] == figures[1]['psnr_codec']


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
def test_on_the_cpu_pictures_are_restored_in_float32(tmp_path: Path, precision: str) -> None:
    model = _model(tmp_path, precision=precision)
    _validate(model, [_sample(1)], 1)
    with torch.inference_mode():
        expected = model.evaluate_picture(torch.utils.data.default_collate([_sample(1)]), 0, picture_generator(0, 0))
    assert model.metric_results['psnr_restored'] == expected['psnr_restored']
    assert not model.validates_in_bf16


def test_precision_of_test_runs(tmp_path: Path) -> None:
    found = []
    for precision in ('fp32', 'bf16'):
        model = _model(tmp_path, is_train=False, val={'precision': precision})
        _validate(model, [_sample(1)], 'test')
        found.append(model.metric_results['psnr_restored'])
    assert model.validates_in_bf16 and {value.dtype for value in model.bare_net.parameters()} == {torch.bfloat16}
    assert 0 < abs(found[0] - found[1]) < 0.05
    with pytest.raises(UserError, match='val:precision: is for test runs'):
        _model(tmp_path, val={'precision': 'bf16'})


def test_a_motion_estimator_that_nothing_trains_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for settings, known, told in (({}, True, None), ({}, False, 'no training data knows its motion'),
                                  ({'motion_opt': None}, True, 'its map stays zero')):
        model = _model(tmp_path, **settings)
        sample = {key: value for key, value in _sample(0, 32, 32).items() if known or not key.startswith('motion')}
        caplog.clear()
        with caplog.at_level('WARNING', logger='basicsr'):
            model.feed_data(torch.utils.data.default_collate([sample]))
            model.optimize_parameters(1)
        assert [told in record.message for record in caplog.records] == [True] * (told is not None)
