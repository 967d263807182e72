"""The baselines' model: its loss, its padding and its learning."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import glowdeblur_plugin.archs.motion_estimator_arch
import glowdeblur_plugin.archs.nafnet_arch
import glowdeblur_plugin.archs.pre_reconstruction_arch
import glowdeblur_plugin.archs.restormer_arch  # noqa: F401
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.restoration_model import RestorationModel
from toy_model import toy_options, train

NETWORKS = {
    'NAFNet': {'type': 'NAFNet', 'width': 8, 'enc_blk_nums': [1, 1, 1], 'middle_blk_num': 1, 'dec_blk_nums': [1, 1, 1]},
    'Restormer': {'type': 'Restormer', 'dim': 8, 'num_blocks': [1, 1, 1, 1], 'heads': [1, 2, 4, 8], 'num_refinement_blocks': 1},
}


def _model(folder, network: str, **settings: Any) -> RestorationModel:
    return RestorationModel({**toy_options(folder, **settings), 'network_g': NETWORKS[network], 'model_type': 'RestorationModel'})


def _photograph() -> dict[str, Any]:
    from skimage import data
    gt = torch.from_numpy(data.astronaut()[40:88, 190:238].copy()).permute(2, 0, 1)[None].float() / 255
    return {'gt': gt, 'lq': F.avg_pool2d(F.pad(gt, (3, 3, 0, 0), mode='reflect'), (1, 7), 1), 'lq_path': ['astronaut']}


@pytest.mark.parametrize('network', NETWORKS)
def test_whole_pictures_are_padded_by_reflection_and_cut_back(tmp_path, network: str) -> None:
    model = _model(tmp_path, network)
    net = model.evaluation_network().eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    picture = torch.rand(1, 3, 19, 24)
    with torch.inference_mode():
        restored = model.evaluate_picture({'lq': picture}, 0, torch.Generator())['restored']
        expected = net(F.pad(picture, (0, 0, 0, 5), mode='reflect'))[:, :, :19].clamp(0, 1)
    assert restored.shape == picture.shape
    assert torch.equal(restored, expected)


@pytest.mark.parametrize('network', NETWORKS)
def test_a_few_steps_restore_the_photograph_they_saw(tmp_path, network: str) -> None:
    model, batch = _model(tmp_path, network, total_iter=30, optim_g={'lr': 0.004}, scheduler={'warmup_share': 0.1}), _photograph()
    batch['lq'] = 0.4 * batch['lq']
    train(model, *[batch] * 30)
    with torch.inference_mode():
        restored = model.evaluate_picture(batch, 0, torch.Generator())['restored']
    error, start = (F.mse_loss(picture, batch['gt']) for picture in (restored, batch['lq']))
    assert error < 0.2 * start


def test_the_loss_is_the_one_of_the_option_file(tmp_path) -> None:
    model, batch = _model(tmp_path, 'NAFNet', pixel_opt={'type': 'MSELoss', 'loss_weight': 10.0}), _photograph()
    expected = 10 * F.mse_loss(model.net_g(batch['lq']), batch['gt']).item()
    train(model, batch)
    assert model.get_current_log()['l_pix'] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('section, message', [
    ({'type': 'L9Loss'}, "train:pixel_opt: .*No object named 'L9Loss'"),
    ({'type': 'L1Loss', 'weight': 2.0}, "train:pixel_opt: .*unexpected keyword argument 'weight'"),
    ({'type': 'L1Loss', 'reduction': 'most'}, 'train:pixel_opt: Unsupported reduction mode: most'),
])
def test_a_wrong_loss_is_one_line(tmp_path, section: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _model(tmp_path, 'NAFNet', pixel_opt=section)


@pytest.mark.parametrize('change, message', [
    ({'acumulate': 2}, "train: unknown key 'acumulate'; did you mean 'accumulate'"),
    ({'precision': 'fp16'}, 'train:precision'),
    ({'ema_decay': 1.5}, 'train:ema_decay: 1.5 is out of range'),
    ({'optim_g': {'type': 'Adam', 'lr': 0.1}}, 'train:optim_g:type'),
    ({'scheduler': {'warmup_share': 2}}, 'train:scheduler:warmup_share'),
    ({'keep_checkpoints': 0}, 'train:keep_checkpoints'),
])
def test_wrong_train_options_are_one_line(tmp_path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _model(tmp_path, 'NAFNet', **change)


@pytest.mark.parametrize('section, message', [
    ({'type': 'NAFNett'}, "network_g: .*No object named 'NAFNett'"),
    ({'type': 'PreReconstruction', 'encoder_blocks': [1], 'decoder_blocks': [1, 1]},
     'network_g: encoder_blocks and decoder_blocks differ in length'),
    ({'type': 'MotionEstimator', 'cell': 12}, 'network_g: cell must be a multiple of 8, found 12'),
    ({**NETWORKS['NAFNet'], 'width': 0}, 'network_g: groups must be a positive integer'),
    ({**NETWORKS['NAFNet'], 'width': -1}, 'network_g: .*negative dimension -1'),
])
def test_a_wrong_network_is_one_line(tmp_path, section: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        RestorationModel({**toy_options(tmp_path), 'network_g': section, 'model_type': 'RestorationModel'})
    assert '\n' not in str(error.value)


def test_crops_need_the_networks_multiple_unless_it_pads_itself(tmp_path) -> None:
    crops = {'lq': torch.rand(1, 3, 20, 20), 'gt': torch.rand(1, 3, 20, 20), 'lq_path': ['made']}
    with pytest.raises(UserError, match='datasets:train:gt_size: 20 is not a multiple of 8, .*; use 16 or 24'):
        train(_model(tmp_path, 'Restormer'), crops)
    model = _model(tmp_path, 'NAFNet')
    train(model, crops)
    assert model.iteration == 1
