"""The metrics in option files: the adapter's figures, and what is told before and during a run."""

import copy
import re

import numpy as np
import pytest
import torch
from basicsr.utils import get_root_logger
from photographs import degraded, sharp

from glowdeblur_plugin.checks import check_options
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.catalogue import open_metric
from glowdeblur_plugin.models.validation import picture_metrics

SECTIONS = {
    'plain': {'type': 'calculate_psnr_protocol'},
    'luma': {'type': 'calculate_psnr_protocol', 'protocol': 'y', 'crop_border': 6},
    'aligned': {'type': 'calculate_psnr_protocol', 'protocol': 'realblur-aligned'},
    'ssim': {'type': 'calculate_ssim_protocol', 'window': '2d', 'protocol': 'rsblur'},
    'matlab': {'type': 'calculate_ssim_protocol', 'window': '3d', 'crop_border': 3},
    'niqe': {'type': 'calculate_blind_quality', 'metric': 'niqe', 'better': 'lower'},
}
ADAPTED = {'plain': ('psnr', ), 'luma': ('psnr', 'y', 6), 'aligned': ('psnr', 'realblur-aligned'),
           'ssim': ('ssim-2d', 'rsblur'), 'matlab': ('ssim-3d', 'rgb-u8', 3), 'niqe': ('niqe', )}


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


def test_an_option_file_gives_the_figures_of_the_adapter() -> None:
    truth = sharp(110, 210)
    restored = degraded(truth)
    values = picture_metrics(tensor(restored), tensor(truth), SECTIONS, 'a')
    assert values == {name: pytest.approx(open_metric(*ADAPTED[name])(restored, truth), rel=1e-6) for name in SECTIONS}
    assert picture_metrics(tensor(restored), None, {'niqe': SECTIONS['niqe']}, 'a') == {'niqe': values['niqe']}
    with pytest.raises(UserError, match='val:metrics:ssim: calculate_ssim_protocol compares with a sharp picture'):
        picture_metrics(tensor(restored), None, {'ssim': SECTIONS['ssim']}, 'a')


@pytest.mark.parametrize('section, message', [
    ({'type': 'calculate_psnr_protocol', 'protocol': 'rgb-float'},
     "val:metrics:m:protocol: 'rgb-float' is not one of rgb-u8, y, realblur-aligned, rsblur"),
    ({'type': 'calculate_ssim_protocol'}, "val:metrics:m: key 'window' is missing, calculate_ssim_protocol needs it"),
    ({'type': 'calculate_ssim_protocol', 'window': '3d', 'protocol': 'y'}, 'val:metrics:m: ssim-3d: does not exist under the '
                                                                           'protocol y'),
    ({'type': 'calculate_blind_quality', 'metric': 'nique'}, "val:metrics:m:metric: 'nique' is not one of niqe, niqe-pyiqa"),
    ({'type': 'calculate_psnr_protocol', 'crop_boder': 2},
     "val:metrics:m: unknown key 'crop_boder'; did you mean 'crop_border'?"),
    ({'type': 'calculate_blind_quality', 'metric': 'niqe'},
     'val:metrics:m:better: lower values of niqe are better; write better: lower'),
    ({'type': 'calculate_semantic_similarity', 'metric': 'clip', 'model': '/no/folder'}, 'val:metrics:m: clip: no model in'),
])
def test_what_cannot_work_is_said_before_the_run(restoration_options: dict, section: dict, message: str) -> None:
    good = copy.deepcopy(restoration_options)
    good['val']['metrics'] = copy.deepcopy(SECTIONS)
    check_options(good, is_train=True)
    restoration_options['val']['metrics'] = {'m': section}
    with pytest.raises(UserError, match=f'^{re.escape(message)}'):
        check_options(restoration_options, is_train=True)


def test_a_picture_without_a_value_does_not_count_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    truth = sharp(40, 40)
    get_root_logger().addHandler(caplog.handler)
    sections = {key: SECTIONS[key] for key in ('plain', 'aligned')}
    values = picture_metrics(torch.full((1, 3, 40, 40), 0.5), tensor(truth), sections, 'scene/7.png')
    assert list(values) == ['plain']
    assert "val:metrics:aligned: 'scene/7.png' does not count: alignment: ECC found no homography" in caplog.text
