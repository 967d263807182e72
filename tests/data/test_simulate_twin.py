"""The torch twin against the NumPy and OpenCV simulator."""

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from glowdeblur_plugin.data.bpp_mixture_dataset import BPPMixtureDataset
from glowdeblur_plugin.data.simulate import homography
from glowdeblur_plugin.data.simulate.camera import RESPONSES
from glowdeblur_plugin.data.simulate.develop import Development, demosaic, develop, mosaic
from glowdeblur_plugin.data.simulate.domains import DOMAINS, KINDS
from glowdeblur_plugin.data.simulate.pipeline import expose_plan, layer_covers, surroundings
from glowdeblur_plugin.data.simulate.plan import BlurPlan, draw_plan, margin
from glowdeblur_plugin.data.simulate.recipe import empty_recipe, recipe_of
from glowdeblur_plugin.data.simulate.torch_develop import demosaic_batch, develop_batch, mosaic_batch
from glowdeblur_plugin.data.simulate.torch_render import expose_batch_light, flip_batch, render_into
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.models.deblur_model import DeblurModel

SIDE = 48
CPU = torch.device('cpu')
EXACT_WARPS = not cv2.__version__.startswith('4')


@pytest.fixture(scope='module')
def picture() -> np.ndarray:
    from skimage import data
    return np.ascontiguousarray(data.astronaut()[:200, 150:350])


def drawn(picture: np.ndarray, kind: str, seed: int) -> tuple[BlurPlan, np.ndarray, list[np.ndarray]]:
    domain = dataclasses.replace(DOMAINS['pretraining'], kinds={kind: 1}, rolling_shutter=0.0)
    plan = draw_plan(domain, SIDE, SIDE, np.random.default_rng(seed))
    source = surroundings(picture, Window(70, 60, SIDE, SIDE), margin(domain))
    return plan, source, layer_covers(plan, source)


@pytest.mark.skipif(not EXACT_WARPS, reason='OpenCV 4 snaps to 1/32 pixel')
def test_the_twin_renders_the_same_light(picture):
    """Every kind of blur in one batch, with raised highlights, in surroundings larger than the blur needs."""
    cases = [drawn(picture, kind, seed) for kind in KINDS for seed in range(2)]
    recipes = default_collate([recipe_of(*case, (True, False, True), len(case[1]) + 6) for case in cases])
    found = expose_batch_light(recipes, SIDE, CPU)
    for index, (plan, source, covers) in enumerate(cases):
        for twin, reference in zip(found, expose_plan(source, covers, plan)):
            np.testing.assert_allclose(twin[index].permute(1, 2, 0), reference[..., :3], atol=1e-4, err_msg=plan.kind)


@pytest.mark.parametrize('response', RESPONSES)
@pytest.mark.parametrize('bayer', [False, True])
def test_the_twin_exposes_alike_without_noise(response, bayer):
    light = np.random.default_rng(0).random((20, 26, 3)).astype(np.float32) * 1.3
    expected = develop(light, Development(response, bayer=bayer))
    recipe = default_collate([recipe_with(response=RESPONSES.index(response), bayer=bayer)])
    found = develop_batch(torch.from_numpy(light).permute(2, 0, 1)[None], recipe)[0].permute(1, 2, 0) * 255
    found = found.numpy()
    np.testing.assert_allclose(found, np.round(found), atol=1e-4)
    assert np.abs(found - expected).max() <= 1 + 1e-4 and (np.abs(found - expected) > 0.5).mean() < 0.02


def recipe_with(**values: Any) -> dict[str, torch.Tensor]:
    recipe = empty_recipe(8)
    return recipe | {key: torch.tensor(value, dtype=recipe[key].dtype) for key, value in values.items()}


@pytest.mark.parametrize('bayer', [False, True])
def test_the_twins_noise_has_the_same_mean_and_variance(bayer):
    lights = (0.02, 0.2, 0.9)
    batch = torch.tensor(lights)[:, None, None, None].expand(-1, 3, 256, 256)
    recipes = default_collate([recipe_with(noise=0.02, read_noise=0.1, bayer=bayer, noise_seed=seed) for seed in range(3)])
    # Response `none` is a straight line, so the noise passes as it is but for the rounding, whose variance is added.
    recipes['response'][:] = RESPONSES.index('none')
    found = develop_batch(batch, recipes).double()
    shares = torch.tensor([9 / 16, 5 / 8, 9 / 16] if bayer else [1, 1, 1])
    for picture, light in zip(found, lights):
        inner = picture[:, 1:-1, 1:-1]
        variance = 0.02 ** 2 * (light + 0.01) * shares + 1 / 12 / 255 ** 2
        np.testing.assert_allclose(inner.var(dim=(1, 2)), variance, rtol=0.05)
        np.testing.assert_allclose(inner.mean(dim=(1, 2)), light, atol=1e-3 if light < 0.5 else 3e-3)
    again = develop_batch(batch, recipes)
    assert torch.equal(again, found.float()) and not torch.equal(found[0] - lights[0], found[1] - lights[1])


def test_the_twins_demosaic_is_the_same():
    light = np.random.default_rng(0).random((11, 14, 3)).astype(np.float32)
    found = demosaic_batch(mosaic_batch(torch.from_numpy(light).permute(2, 0, 1)[None]))[0].permute(1, 2, 0)
    np.testing.assert_allclose(found, demosaic(mosaic(light)), atol=1e-6)


@pytest.mark.parametrize('quality', [40, 90])
def test_the_twins_jpeg_is_like_opencvs(picture, quality):
    """Not bit by bit, as OpenCV smooths the colours when it brings them back to full size: the losses are alike."""
    levels = picture[:64, :72].astype(np.float32) / 255
    recipes = default_collate([recipe_with(response=RESPONSES.index('none'), jpeg_quality=value) for value in (0, quality)])
    plain, found = develop_batch(torch.from_numpy(levels).permute(2, 0, 1).expand(2, -1, -1, -1), recipes).permute(0, 2, 3, 1)
    reference = develop(levels, Development('none', jpeg_quality=quality)) / 255
    np.testing.assert_allclose(plain, levels, atol=1e-6)
    losses = [float(np.sqrt(np.mean((np.asarray(decoded) - levels) ** 2))) for decoded in (found, reference)]
    assert losses[0] == pytest.approx(losses[1], rel=0.25)
    assert np.sqrt(np.mean((found.numpy() - reference) ** 2)) < losses[1]


def test_flips_are_those_of_the_data_set():
    pictures = torch.arange(8 * 2 * 3 * 3, dtype=torch.float32).view(8, 2, 3, 3)
    symmetries = torch.tensor([[bool(code & 1), bool(code & 2), bool(code & 4)] for code in range(8)])
    for found, picture, (horizontal, vertical, transpose) in zip(flip_batch(pictures, symmetries), pictures, symmetries):
        expected = picture.numpy()[:, ::-1 if vertical else 1, ::-1 if horizontal else 1]
        np.testing.assert_array_equal(found, expected.transpose(0, 2, 1) if transpose else expected)


def simulated(photographs, **changes: Any) -> SimulatedBlurDataset:
    section = {'name': 'sharp', 'phase': 'train', 'dataroot_gt': str(photographs / 'train.lmdb'), 'domain': 'pretraining',
               'gt_size': SIDE, 'seed': 7, 'rolling_shutter': 0, **changes}
    return SimulatedBlurDataset(section)


@pytest.mark.skipif(not EXACT_WARPS, reason='OpenCV 4 snaps to 1/32 pixel')
@pytest.mark.parametrize('dtype', ['float32', 'uint8'])
def test_rendered_on_the_device_a_draw_gives_the_workers_sample(photographs, dtype):
    settings = {'noise': [0, 0], 'domain': 'gsblur', 'kinds': {'shake': 1, 'object': 1, 'defocus': 1}, 'zoom': [0.8, 1.2],
                'trajectory': 3, 'dtype': dtype}
    worker, device = simulated(photographs, **settings), simulated(photographs, render='device', **settings)
    model = DeblurModel.__new__(DeblurModel)
    model.device = CPU
    batch = model.to_device(default_collate([device[draw] for draw in range(12)]))
    assert 'render' not in batch
    for draw in range(12):
        sample = worker[draw]
        scale = 255 if dtype == 'uint8' else 1
        for key in ('motion', 'trajectory'):
            assert torch.equal(batch[key][draw], sample[key])
        for key in ('lq', 'gt'):
            levels = (255 * (batch[key][draw] - sample[key].float() / scale)).abs()
            assert levels.max() < 1.01 and (levels > 0.5).float().mean() < 5e-3


def test_only_active_rows_of_a_batch_are_rendered(photographs):
    dataset = simulated(photographs, render='device')
    sample = dataset[0]
    pair = {**sample, **dataset.blank_extras(), 'lq': torch.full_like(sample['lq'], 0.3),
            'gt': torch.full_like(sample['gt'], 0.6)}
    batch = default_collate([pair, sample, pair])
    recipes = batch.pop('render')
    render_into(batch, recipes)
    for row in (0, 2):
        assert torch.equal(batch['lq'][row], pair['lq']) and torch.equal(batch['gt'][row], pair['gt'])
    assert batch['gt'][1].std() > 0.01


@pytest.mark.skipif(not EXACT_WARPS, reason='OpenCV 4 snaps to 1/32 pixel')
def test_a_mixture_of_pairs_and_of_blur_for_the_worker_and_the_device(photographs, pair_folders):
    """Domains of different margins in one batch: each sample is what its own part gives, rendered where it may be."""
    made = {'type': 'SimulatedBlurDataset', 'weight': 1, 'dataroot_gt': str(photographs / 'train.lmdb'), 'noise': [0, 0],
            'jpeg': 0}
    pairs = {'type': 'PairedLMDBDataset', 'weight': 1, 'dataroot_lq': str(pair_folders / 'lq'),
             'dataroot_gt': str(pair_folders / 'gt')}
    parts = {'pairs': pairs, 'worker': {**made, 'domain': 'rsblur', 'bayer': 0, 'trajectory': 3},
             'short': {**made, 'domain': 'bsd', 'bayer': 0, 'render': 'device'},
             'long': {**made, 'domain': 'gsblur', 'render': 'device', 'trajectory': 3}}

    def mixture(**changes: Any) -> BPPMixtureDataset:
        sections = {name: {**part, **(changes if 'render' in part else {})} for name, part in parts.items()}
        return BPPMixtureDataset({'phase': 'train', 'gt_size': 24, 'seed': 3, 'parts': sections})

    on_device, in_worker = mixture(), mixture(render='worker')
    model = DeblurModel.__new__(DeblurModel)
    model.device = CPU
    batch = model.to_device(default_collate([on_device[place] for place in range(24)]))
    assert set(batch['domain']) == set(parts)
    for place in range(24):
        sample = in_worker[place]
        assert sample['domain'] == batch['domain'][place]
        for key in ('motion', 'trajectory'):
            assert torch.equal(batch[key][place], sample[key])
        for key in ('lq', 'gt'):
            levels = 255 * (batch[key][place] - sample[key]).abs()
            assert levels.max() < (1.01 if 'render' in parts[sample['domain']] else 1e-6)


def test_validation_always_renders_in_the_worker(photographs):
    validation = {'phase': 'val', 'dataroot_gt': str(photographs / 'val.lmdb')}
    dataset = simulated(photographs, render='device', blur_length=[1, 8], **validation)
    assert 'render' not in dataset[0] and dataset[0]['lq'].any()


def test_a_rolling_shutter_has_no_recipe():
    nodes = homography.rows_of_rolling_shutter(homography.still(3), np.tile(np.linspace(-0.5, 0.5, 4)[:, None], SIDE))
    plan = BlurPlan('shake', 0.0, nodes, (), np.full((3, SIDE), 1 / 3), 0.0, 1.0, Development('srgb'), 4)
    with pytest.raises(ValueError, match='rolling shutter'):
        recipe_of(plan, np.zeros((SIDE + 8, SIDE + 8, 3), np.uint8), [], (False, False, False), SIDE + 8)
