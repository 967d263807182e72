"""The motion estimator trained alone: its losses, its figures and what stands beside them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data

from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.pipeline import simulate
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.losses.blur_tensor_loss import BlurTensorLoss
from glowdeblur_plugin.losses.reblur_loss import ReblurLoss
from glowdeblur_plugin.models.motion_model import MotionModel
from toy_model import resume, toy_options, train

SMALL = {'type': 'MotionEstimator', 'width': 8, 'blocks': 1}
REBLUR = {'type': 'ReblurLoss', 'responses': {'lines': 'srgb'}, 'rim': 8, 'points': 9}


def _sample(draw: int, height: int = 64, width: int = 64, kind: str = 'linear', known: bool = True,
            noise: bool = False) -> dict[str, Any]:
    """Part `draw` of a photograph, or of noise that looks alike in all directions, blurred over 7 pixels."""
    rng = np.random.default_rng(draw)
    domain = Domain({kind: 1}, blur_length=(7, 7), noise=(0, 0))
    picture = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8) if noise else data.astronaut()
    sample = simulate(picture, Window(40 + 10 * draw, 190, height, width), domain, rng)
    lq, gt = (torch.from_numpy(side).permute(2, 0, 1).float() / 255 for side in (sample.lq, sample.gt))
    return {'lq': lq, 'gt': gt, 'motion': torch.from_numpy(sample.motion), 'motion_known': known, 'domain': 'lines',
            'lq_path': f'astronaut_{draw}'}


def _batch(*draws: int, **settings: Any) -> dict[str, Any]:
    return torch.utils.data.default_collate([_sample(draw, **settings) for draw in draws])


def _model(folder: Path, network: dict[str, Any] | None = None, val: dict[str, Any] | None = None,
           **settings: Any) -> MotionModel:
    options = toy_options(folder, **settings)
    return MotionModel({**options, 'model_type': 'MotionModel', 'network_g': network or SMALL, 'val': val or {'save_img': True},
                        'path': {**options['path'], 'experiments_root': str(folder)}})


class _Pictures(torch.utils.data.Dataset):
    def __init__(self, *samples: dict[str, Any]) -> None:
        self.opt, self.samples = {'name': 'val', 'dataroot_gt': '.'}, samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.samples[index]


def _validate(model: MotionModel, *samples: dict[str, Any]) -> dict[str, float]:
    loader = type('Loader', (), {'dataset': _Pictures(*samples)})()
    model.validation(loader, model.iteration, None, save_img=True)
    return model.metric_results


def test_the_losses_are_those_of_the_option_file(tmp_path) -> None:
    model = _model(tmp_path, motion_opt={'type': 'BlurTensorLoss', 'loss_weight': 2.0}, reblur_opt=REBLUR)
    batch = _batch(0, 1)
    batch['motion_known'][1] = False
    torch.nn.init.normal_(model.net_g.head.weight, std=0.1)
    estimate = model.net_g(batch['lq']).detach()
    expected = [BlurTensorLoss(2.0)(estimate, batch['motion'], batch['motion_known']),
                ReblurLoss({'lines': 'srgb'}, points=9, rim=8)(estimate, batch['gt'], batch['lq'], ['lines', 'lines'])]
    train(model, batch)
    log = model.get_current_log()
    assert log['l_motion'] == pytest.approx(expected[0].item(), rel=1e-5)
    assert log['l_reblur'] == pytest.approx(expected[1].item(), rel=1e-5)
    assert log['l_total'] == pytest.approx(log['l_motion'] + log['l_reblur'], rel=1e-6)


@pytest.mark.parametrize('losses', [{}, {'motion_opt': None, 'reblur_opt': REBLUR}], ids=['truth', 're-blur'])
def test_either_loss_alone_teaches_the_motion_of_what_was_seen(tmp_path, losses: dict[str, Any]) -> None:
    """From its start at zero, also without the truth in the batch."""
    steps = 100
    model = _model(tmp_path, total_iter=steps, optim_g={'lr': 0.004}, grad_clip=1.0, scheduler={'warmup_share': 0.1}, **losses)
    batch = _batch(0, 1, 2, height=48, width=48)
    seen = dict(batch) if not losses else {key: value for key, value in batch.items() if not key.startswith('motion')}
    train(model, *[seen] * steps)
    means = _validate(model, *[_sample(draw, 48, 48) for draw in range(3)])
    assert means['motion_error'] < 0.4 * means['motion_error_zero']
    assert means['angle_error'] < 10
    assert means['psnr_reblur'] > means['psnr_reblur_zero'] + 5


def test_figures_of_pictures_of_any_size_count_whole_cells(tmp_path) -> None:
    """A new network tells no motion: its figures are those of zero."""
    model = _model(tmp_path)
    samples = [_sample(0, 61, 77, kind='rotation'), _sample(1, 64, 48)]
    means = _validate(model, *samples)
    expected = 0.0
    for sample in samples:
        height, width = (length // 8 * 8 for length in sample['lq'].shape[-2:])
        cells = torch.nn.functional.avg_pool2d(sample['motion'][None, :, :height, :width], 8)
        expected += cells.square().sum(dim=1).sqrt().mean().item() / 2
    assert means['motion_error'] == pytest.approx(expected, rel=1e-5) == means['motion_error_zero']
    assert means['angle_error'] == pytest.approx(45)
    assert means['psnr_reblur'] == pytest.approx(means['psnr_reblur_zero'], abs=0.01)
    assert means['psnr_reblur_true'] > means['psnr_reblur_zero'] + 8
    written = {path.name for path in (tmp_path / 'visualization').rglob('*.png')}
    assert {'astronaut_0_0_blur.png', 'astronaut_0_0_reblur.png'} <= written


def test_motion_maps_and_figures_go_to_tensorboard(tmp_path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter
    model, writer = _model(tmp_path), SummaryWriter(str(tmp_path / 'tb'))
    model.validation(type('Loader', (), {'dataset': _Pictures(_sample(0))})(), 0, writer)
    writer.close()
    tags = EventAccumulator(str(tmp_path / 'tb')).Reload().Tags()
    assert set(tags['images']) == {'val/astronaut_0/blur', 'val/astronaut_0/reblur'}
    assert {'metrics/val/motion_error', 'metrics/val/angle_error', 'metrics/val/psnr_reblur'} <= set(tags['scalars'])


def test_pairs_without_motion_and_pictures_alone_have_the_figures_that_they_can(tmp_path) -> None:
    model, sample = _model(tmp_path), _sample(0)
    unknown = {**sample, 'motion_known': False}
    assert set(_validate(model, unknown)) == {'psnr_reblur', 'psnr_reblur_zero'}
    model = _model(tmp_path)
    assert not _validate(model, {key: sample[key] for key in ('lq', 'lq_path', 'domain')})
    model = _model(tmp_path)
    assert 'angle_error' not in _validate(model, {**sample, 'motion': torch.zeros_like(sample['motion'])})


def test_baselines_are_fitted_to_the_crops_of_known_motion(tmp_path) -> None:
    """Lines of 7 pixels: the structure tensor's best length is about theirs, and its direction about right."""
    model = _model(tmp_path, total_iter=4, scheduler={'final_lr_ratio': 1.0})
    batches = [_batch(0, 1, 2, noise=True), _batch(3, 4, 5, known=False, noise=True), _batch(6, 7, 8, noise=True)]
    train(model, *batches)
    means = _validate(model, *[_sample(draw, noise=True) for draw in (9, 10, 11)])
    known = torch.cat([batches[0]['motion'], batches[2]['motion']])
    assert model.baselines.mean == pytest.approx(known.mean(dim=(0, 2, 3)).tolist(), abs=1e-4)
    assert model.baselines.structure.directed == pytest.approx(7, rel=0.05)
    assert abs(model.baselines.structure.minor) < 0.2
    assert means['angle_error_direction'] < 15 < 20 < means['angle_error_mean']
    assert means['motion_error_structure'] < 0.6 * means['motion_error_zero']
    assert means['psnr_reblur_structure'] > means['psnr_reblur_mean'] + 3
    then = model.baselines
    train(model, _batch(3))
    _validate(model, _sample(9))
    assert model.baselines is then


def test_a_resumed_run_keeps_its_baselines_and_the_summary_names_them(tmp_path) -> None:
    options = {**toy_options(tmp_path, total_iter=4), 'model_type': 'MotionModel', 'network_g': SMALL, 'val': {}}
    options['path']['experiments_root'] = str(tmp_path)
    model = MotionModel(options)
    train(model, _batch(0, 1), _batch(2, 3))
    _validate(model, _sample(9))
    assert not (tmp_path / 'summary.json').exists()
    model.save(0, 2)
    changed, state = resume(options, 2)
    resumed = MotionModel(changed)
    resumed.resume_training(state)
    assert resumed.baselines == model.baselines and model.baselines is not None
    train(resumed, _batch(4, 5), _batch(6, 7))
    means = _validate(resumed, _sample(9))
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert summary['baselines']['structure']['directed'] == model.baselines.structure.directed
    assert summary['motion_error'] == means['motion_error'] and summary['iterations'] == 4


@pytest.mark.parametrize('change, message', [
    ({'network': {'type': 'NAFNet'}}, "network_g:type: MotionModel trains a MotionEstimator, found 'NAFNet'"),
    ({'val': {'metrics': {'psnr': {'type': 'calculate_psnr'}}}}, 'val:metrics: MotionModel restores no pictures'),
    ({'motion_opt': None}, 'train: motion_opt and reblur_opt are both left out'),
    ({'val': {'response': 'log'}}, "val:response: 'log' is not one of srgb, gamma22, none"),
])
def test_what_it_cannot_do_is_one_line(tmp_path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _model(tmp_path, **change)


def test_a_re_blur_of_parts_that_are_not_there_is_refused(tmp_path) -> None:
    options = {**toy_options(tmp_path, reblur_opt=REBLUR), 'model_type': 'MotionModel', 'network_g': SMALL, 'val': {},
               'datasets': {'train': {'parts': {'real': {}, 'made': {}}}}}
    with pytest.raises(UserError, match="responses: 'lines' is no part of datasets:train; parts are real, made"):
        MotionModel(options)
