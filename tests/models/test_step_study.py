"""The study of steps: figures against closed forms and against what validation measures."""

import pytest
import torch
from skimage import data

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.models.glowdeblur_evaluation import RestorationSettings, evaluate
from glowdeblur_plugin.models.seeds import picture_generator
from glowdeblur_plugin.models.step_study import figures, mean_gradient, mean_rows, study_steps


def _picture(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(data.astronaut()[:height, :width].copy()).permute(2, 0, 1)[None] / 255


@torch.no_grad()
def test_figures_are_those_of_validation() -> None:
    torch.manual_seed(0)
    net, gt = GLOWDeblur('nano', target='around').eval(), _picture(35, 50)
    torch.nn.init.normal_(net.backbone.proj_out.weight, std=0.3)
    lq = torch.nn.functional.avg_pool2d(gt, 5, 1, 2, count_include_pad=False)
    rows = {(row['way'], row['steps']): row
            for row in study_steps(net, lq, gt, picture_generator(0, 3), ['euler', 'dpm'], [1.0, 0.4], [1, 4])}
    assert len(rows) == 4 + 2 * 2 * 2
    for solver in ('euler', 'dpm'):
        settings = RestorationSettings(steps=4, warm_sigma=0.4, warm_steps=1, solver=solver)
        expected = evaluate(net, {'lq': lq, 'gt': gt}, picture_generator(0, 3), settings, full=True)
        for key, name in (((f'{solver} from 1', 4), 'restored'), ((f'{solver} from 0.4', 1), 'restored_warm'),
                          (('blurry', None), 'blurry'), (('prereconstruction', None), 'prereconstruction'),
                          (('codec', None), 'codec')):
            assert rows[key]['psnr'] == expected[f'psnr_{name}'] and rows[key]['ssim'] == expected[f'ssim_{name}']
    assert rows['euler from 1', 4]['psnr'] != rows['dpm from 1', 4]['psnr']
    assert rows['sharp', None] == {'way': 'sharp', 'steps': None, 'ssim': 1.0, 'gradient': 1.0}


def test_the_gradient_is_the_mean_step_between_neighbours() -> None:
    ramp = torch.arange(8.0).expand(1, 3, 6, 8) * 0.1
    assert mean_gradient(ramp) == pytest.approx((0.1 + 0) / 2)
    assert mean_gradient(ramp + 0.2 * torch.arange(6.0)[:, None]) == pytest.approx((0.1 + 0.2) / 2)
    sharp = _picture(40, 40)
    assert figures(0.5 + 0.3 * (sharp - 0.5), sharp)['gradient'] == pytest.approx(0.3, rel=1e-4)


def test_figures_without_an_end_or_a_value_are_left_out() -> None:
    flat = torch.full((1, 3, 40, 40), 0.5)
    assert figures(_picture(40, 40), flat).keys() == {'psnr', 'ssim'}
    assert figures(_picture(10, 40), _picture(10, 41)[..., 1:]).keys() == {'psnr', 'gradient'}
    assert figures(_picture(40, 40) + 1e-4, _picture(40, 40)).keys() == {'ssim', 'gradient'}


def test_niqe_prefers_a_photograph_to_its_noise_and_is_left_out_of_small_pictures() -> None:
    sharp = _picture(200, 300)
    noisy = (sharp + 0.1 * torch.randn(sharp.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert figures(sharp, sharp)['niqe'] < 0.7 * figures(noisy, sharp)['niqe']
    assert 'niqe' not in figures(sharp[..., :96, :191], sharp[..., :96, :191])


def test_means_are_over_the_figures_that_all_pictures_have() -> None:
    first = [{'way': 'blurry', 'steps': None, 'psnr': 1.0}, {'way': 'euler from 1', 'steps': 2, 'psnr': 3.0, 'niqe': 4.0}]
    second = [{'way': 'blurry', 'steps': None, 'psnr': 2.0}, {'way': 'euler from 1', 'steps': 2, 'psnr': 7.0}]
    assert mean_rows([first, second]) == [{'way': 'blurry', 'steps': None, 'psnr': 1.5},
                                          {'way': 'euler from 1', 'steps': 2, 'psnr': 5.0}]
