"""The motion along which the metric `reblur` blurs again."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data
from toy_methods import cell, psnr, run, toy_set, write_pictures

from glowdeblur_plugin.archs.motion_estimator_arch import MotionEstimator
from glowdeblur_plugin.comparison.motion import estimated_motion, learnt_motion
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.losses.light import from_light, to_light


def test_estimated_motion_covers_the_picture_and_points_along_the_blur() -> None:
    """Cells beyond the last whole one are there too: the tensor of a part does not depend on what whole cells it makes."""
    picture = data.astronaut()[100:260, 60:250].astype(np.float32) / 255
    horizontal = cv2.blur(picture, (17, 1))
    motion = estimated_motion(horizontal)
    assert motion.shape == (3, 160, 190)
    assert motion[0].mean() > 5 and motion[0].mean() > 3 * motion[1].mean().abs()
    assert estimated_motion(cv2.blur(picture, (1, 17)))[0].mean() < -5


def test_reblur_tells_the_sharp_picture_from_the_input(tmp_path: Path) -> None:
    """Light is averaged, not levels: the sharp picture blurred again is about the input; the input blurred again is not."""
    sharp = np.ascontiguousarray(data.astronaut()[100:260, 60:250, ::-1])
    light = to_light(torch.from_numpy(sharp / np.float32(255)), 'srgb').numpy()
    blurry = np.rint(255 * from_light(torch.from_numpy(cv2.blur(light, (17, 1))), 'srgb').numpy())
    for folder, picture in (('lq', blurry), ('gt', sharp), ('truth/toy', sharp)):
        (tmp_path / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / folder / '0.png'), picture)
    roots = {f'dataroot_{side}': str(tmp_path / side) for side in ('lq', 'gt')}
    section = {'type': 'PairedLMDBDataset', **roots, 'metrics': ['reblur', 'reblur-gain']}
    summary = run(tmp_path, sets={'toy': section}, methods={'truth': {'results': str(tmp_path / 'truth' / '{set}')}})
    assert cell(summary, 'truth', 'reblur').mean > cell(summary, 'blurry', 'reblur').mean + 5
    assert cell(summary, 'truth', 'reblur-gain').mean > 5
    blurry = cell(summary, 'blurry', 'reblur-gain')
    assert (blurry.mean, blurry.count) == (None, 0)
    assert blurry.failed == [{'picture': '0', 'why': 'reblur-gain: the restored picture is the blurry one'}]


def test_weights_of_an_estimator_are_used(tmp_path: Path) -> None:
    """A new one sees no motion, and then the figure is the PSNR against the blurry picture; its width stands beside the
    weights."""
    network = MotionEstimator(width=8)
    torch.save({'params': network.state_dict()}, tmp_path / 'motion.pth')
    with pytest.raises(UserError, match='is not one of this MotionEstimator'):
        learnt_motion(tmp_path / 'motion.pth', torch.device('cpu'))
    config = {'network_g': {'type': 'MotionEstimator', 'width': 8}}
    (tmp_path / 'motion.json').write_text(json.dumps(config))
    section = toy_set(tmp_path, 1, metrics=['reblur'])
    write_pictures(tmp_path / 'near' / 'toy', 1, lambda _: 4)
    options = {'methods': {'near': {'results': str(tmp_path / 'near' / '{set}')}},
               'motion_weights': str(tmp_path / 'motion.pth'), 'metric_settings': {'reblur': {'rim': 2}}}
    assert cell(run(tmp_path, sets={'toy': section}, **options), 'near', 'reblur').mean == pytest.approx(psnr(6), abs=0.05)
    (tmp_path / 'motion.json').write_text(json.dumps({'network_g': {'type': 'NAFNet', 'width': 8}}))
    with pytest.raises(UserError, match='motion_weights: .* is a NAFNet, expected a MotionEstimator'):
        run(tmp_path, sets={'toy': section}, **options)
