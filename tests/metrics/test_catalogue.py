"""Metrics by name: which exist where, and what bad input is told."""

import re

import numpy as np
import pytest
from basicsr.metrics import calculate_niqe
from photographs import degraded, sharp

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.catalogue import METRICS, PictureFailed, open_metric, protocols_of
from glowdeblur_plugin.metrics.protocols import PROTOCOLS


@pytest.mark.parametrize('arguments, message', [
    (('ssim', ), "metrics: 'ssim' could be two things that differ by .07 on one picture: write ssim-2d (each channel by "
                 "itself, BasicSR's) or ssim-3d (the window goes over the colours too, MATLAB's and NAFNet's)"),
    (('psrn', ), "metrics: unknown key 'psrn'; did you mean 'psnr'?"),
    (('psnr', 'rgb_u8'), "protocol: unknown key 'rgb_u8'; did you mean 'rgb-u8'?"),
    (('ssim-3d', 'rsblur'), 'ssim-3d: does not exist under the protocol rsblur; it does under rgb-u8, rgb-u16, rgb-float'),
    (('niqe', 'y'), 'niqe: does not exist under the protocol y; it does under rgb-u8, rgb-u16, rgb-float'),
    (('psnr', 'realblur-aligned', 4), 'crop_border: 4, but the protocol realblur-aligned crops by its mask alone; set 0'),
    (('fid', 'rgb-float'), 'fid: does not exist under the protocol rgb-float; it does under rgb-u8'),
    (('fid', 'rgb-u8', 4), 'crop_border: 4, but fid takes whole files; set 0'),
])
def test_what_does_not_exist_is_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=f'^{re.escape(message)}$'):
        open_metric(*arguments)


def test_settings_are_those_of_the_metric() -> None:
    for name, settings, message in (('psnr', {'model': 'a'}, "psnr: unknown key 'model'; it has no settings"),
                                    ('lpips', {'downlaod': True}, "lpips: unknown key 'downlaod'; did you mean 'download'?"),
                                    ('dinov2', {'download': 'yes'}, "dinov2:download: expected true or false, found 'yes'")):
        with pytest.raises(UserError, match=f'^{re.escape(message)}$'):
            open_metric(name, **settings)


def test_the_aligned_protocols_hold_two_metrics() -> None:
    assert [name for name in METRICS if 'realblur-aligned' in protocols_of(name)] == ['psnr', 'ssim-2d']
    assert [name for name in METRICS if 'rsblur' in protocols_of(name)] == ['psnr', 'ssim-2d']
    assert all(key == protocol.name for key, protocol in PROTOCOLS.items())
    assert all(key == info.name and info.needs <= {'sharp', 'blurry'} for key, info in METRICS.items())


def test_pictures_that_do_not_fit_fail_with_their_sizes() -> None:
    truth = sharp(40, 50)
    for restored, metric, message in (
            (truth[:, :49], open_metric('psnr'), 'psnr: the restored picture is 49x40 and the sharp one 50x40'),
            (truth, open_metric('psnr', crop_border=20), 'psnr: a border of 20 pixels leaves nothing of 50x40'),
            (truth * np.float32('nan'), open_metric('psnr'), 'psnr: the restored picture holds values that are not numbers'),
            (truth, open_metric('ssim-2d', crop_border=15), 'ssim-2d: needs at least 11x11 pixels, found 20x10'),
            (truth, open_metric('niqe'), 'niqe: needs at least 96x96 pixels, found 50x40')):
        with pytest.raises(PictureFailed, match=f'^{message}$'):
            metric(restored, truth)
    for restored, given, message in ((truth, None, 'psnr: needs the sharp picture, and there is none'),
                                     ((truth * 255).astype(np.uint8), truth, r'psnr: expected the restored picture as floats '
                                      r'\(H, W, 3\) in \[0, 1\], found uint8 \(40, 50, 3\)'),
                                     (truth[..., 0], truth, 'psnr: expected the restored picture as floats')):
        with pytest.raises(UserError, match=f'^{message}'):
            open_metric('psnr')(restored, given)
    with pytest.raises(UserError, match='^psnr: has a value for each picture, none for a set of files'):
        open_metric('psnr').over_set([], [])


@pytest.mark.parametrize('border', [0, 5])
def test_niqe_is_that_of_basicsr(border: int) -> None:
    for picture in (sharp(110, 210), degraded(sharp(205, 120, 'coffee'))):
        image = np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)[..., ::-1]
        assert open_metric('niqe', crop_border=border)(picture) == pytest.approx(calculate_niqe(image, border), abs=1e-6)


def test_niqe_of_a_picture_without_texture_or_with_one_block_fails() -> None:
    with pytest.raises(PictureFailed, match='^niqe: '):
        open_metric('niqe')(np.full((200, 200, 3), 0.5, np.float32))
    with pytest.raises(PictureFailed, match='^niqe: needs two blocks of 96x96 pixels, found 160x120'):
        open_metric('niqe')(sharp(120, 160))
