"""Validation and test of one model in one process."""

import cv2
import numpy as np
import pytest
import torch
from basicsr.metrics import calculate_psnr
from torch.utils.data import DataLoader

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.validation import picture_metrics, picture_stem, update_best
from toy_model import ToyModel, ToyPictures, toy_batch, toy_options, train

LOADER = DataLoader(ToyPictures(2))


def test_the_average_is_evaluated_and_training_goes_on(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path, ema_decay=0.9))
    for parameter in model.net_g.parameters():
        parameter.data.fill_(float('nan'))
    model.validation(LOADER, 1, None)
    assert model.metric_results['psnr'] > 0
    assert model.net_g.training and not model.net_g_ema.training


def test_without_an_average_the_network_returns_to_training(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path))
    train(model, toy_batch(0))
    calls = model.net_g.calls.clone()
    model.validation(LOADER, 1, None)
    assert model.net_g.training and model.net_g.calls == calls
    train(model, toy_batch(0))
    assert model.net_g.calls == calls + 1


def test_the_same_weights_are_validated_once_and_never_past_the_end(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path))
    model.validation(LOADER, 5, None)
    model.validation(LOADER, 8, None)
    model.validation(LOADER, 10, None)
    assert [iteration for _, iteration, _ in model.rows] == [5, 8]
    assert model.best_metric_results['toys']['psnr'] == {'val': model.metric_results['psnr'], 'iter': 8}


def test_a_test_run_writes_what_was_measured(tmp_path) -> None:
    options = {**toy_options(tmp_path), 'is_train': False}
    del options['train'], options['run']
    model = ToyModel(options)
    model.validation(LOADER, 'toy', None, save_img=True)
    written = cv2.imread(str(tmp_path / 'visualization' / 'toys' / 'scene_1_toy.png'))
    sharp = np.round(ToyPictures(2)[1]['gt'].float().numpy().transpose(1, 2, 0)[..., ::-1] * 255).astype(np.uint8)
    row = model.rows[0][2][1]
    assert row['psnr'] == pytest.approx(calculate_psnr(written, sharp, crop_border=0))
    assert isinstance(row['psnr'], float) and not isinstance(row['psnr'], np.floating)
    assert model.best_metric_results['toys'] == {}


def test_validation_means_reach_tensorboard(tmp_path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter
    model, writer = ToyModel(toy_options(tmp_path)), SummaryWriter(str(tmp_path / 'tb'))
    model.validation(LOADER, 3, writer)
    writer.close()
    events = EventAccumulator(str(tmp_path / 'tb')).Reload().Scalars('metrics/toys/psnr')
    assert [(event.step, event.value) for event in events] == [(3, pytest.approx(model.metric_results['psnr']))]


def test_a_metric_that_needs_the_truth_says_so() -> None:
    picture = torch.rand(1, 3, 8, 8)
    with pytest.raises(UserError, match="val:metrics:psnr: calculate_psnr compares with a sharp picture, and 'a/b' has none"):
        picture_metrics(picture, None, {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}, 'a/b')


def test_best_values_follow_their_direction() -> None:
    metrics, best = {'psnr': {'type': 'x'}, 'error': {'type': 'y', 'better': 'lower'}}, {}
    for iteration, (psnr, error) in enumerate([(20.0, 3.0), (22.0, 4.0), (21.0, 2.0)]):
        update_best(best, {'psnr': psnr, 'error': error}, metrics, iteration)
    assert best == {'psnr': {'val': 22.0, 'iter': 1}, 'error': {'val': 2.0, 'iter': 2}}


def test_pictures_of_one_name_in_two_scenes_keep_apart() -> None:
    roots = {'name': 'pairs', 'dataroot_lq': '/data/lq.lmdb', 'dataroot_gt': '/data/gt'}
    paths = ('/data/lq.lmdb/a/0001.v2', '/data/lq.lmdb/b/0001', '/data/gt/b/0001.PNG', 'elsewhere/0001.jpg')
    assert [picture_stem(path, roots) for path in paths] == ['a_0001.v2', 'b_0001', 'b_0001', '0001']
