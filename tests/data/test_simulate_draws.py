"""What a plan draws lies where its domain says, and everything drawn reaches the picture."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from glowdeblur_plugin.data.augment import magnified_window, magnify
from glowdeblur_plugin.data.simulate import homography, trajectory
from glowdeblur_plugin.data.simulate.camera_path import draw_camera
from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.pipeline import layer_covers, render_plan, surroundings, true_motion
from glowdeblur_plugin.data.simulate.plan import BlurPlan, draw_plan, margin
from glowdeblur_plugin.data.simulate.recipe import recipe_of
from glowdeblur_plugin.data.simulate.scene import FINE, MIRRORED, UPSIDE_DOWN, Layer
from glowdeblur_plugin.data.simulate.torch_render import render_batch
from glowdeblur_plugin.data.window import Window


def plans(number: int, height: int = 64, width: int = 64, **settings) -> list[BlurPlan]:
    domain, rng = Domain(**{'kinds': {'linear': 1}, 'blur_length': (2, 10), 'noise': (0, 0), **settings}), np.random.default_rng(0)
    return [draw_plan(domain, height, width, rng) for _ in range(number)]


def spread_over(values: list[float], lowest: float, highest: float) -> None:
    """Assert that the values fill the range evenly: within it, and its quarters hold about a quarter each."""
    shares = np.histogram(values, bins=4, range=(lowest, highest))[0] / len(values)
    assert shares.sum() == pytest.approx(1) and np.abs(shares - 0.25).max() < 0.08


def test_ranges_are_drawn_from_end_to_end():
    drawn = plans(400, noise=(1, 5), highlights=(1, 16), read_noise=0.2, jpeg=1.0, jpeg_quality=(30, 70))
    spread_over([plan.length for plan in drawn], 2, 10)
    spread_over([plan.development.noise * 255 for plan in drawn], 1, 5)
    spread_over(list(np.log(plan.highlights) for plan in drawn), 0, np.log(16))
    spread_over([plan.development.jpeg_quality for plan in drawn], 30, 70)
    assert {plan.development.read_noise for plan in drawn} == {0.2}
    assert len({plan.development.noise_seed for plan in drawn}) == 400
    assert {plan.development.jpeg_quality for plan in plans(300, jpeg=1.0, jpeg_quality=(60, 62))} == {60, 61, 62}


def test_read_out_of_a_rolling_shutter_is_drawn_from_its_range():
    """Even motion over exposure and read-out: a row sees 1 / (1 + readout) of the whole way, the less the longer the read-out."""
    found = []
    for plan in plans(150, kinds={'linear': 1}, blur_length=(10, 10), rolling_shutter=1.0, readout=(0.2, 1.0)):
        assert plan.background.ndim == 4
        way = plan.background[-1, 0, :2, 2] - plan.background[0, 0, :2, 2]
        found.append(10 / np.hypot(*way) - 1)
    spread_over(found, 0.2 - 1e-6, 1 + 1e-6)


def test_impulses_are_rare_and_strong():
    """Of pushes with one spread, the largest of 65 is rarely beyond four times it; an impulse of eight often is."""
    rng = np.random.default_rng(0)
    kicks = []
    for _ in range(400):
        path = trajectory.walk(1, rng)[:, 0]
        jerk = np.abs(np.diff(path, 2))
        kicks.append(jerk.max() / np.median(jerk))
    # 65 steps at 4 %: 93 % of the walks have at least one impulse.
    assert 0.5 < np.mean(np.array(kicks) > 8) < 0.97


@pytest.mark.parametrize('smooth', [False, True])
def test_roll_and_forward_motion_blur_the_corners_by_their_share(smooth):
    """Radians of roll, or shares of forward motion, times the corners' distance are pixels there."""
    def corner_beyond_middle(rotation: float, seed: int) -> float:
        path = draw_camera(8, smooth, 1.0, rotation, 200, 200, np.random.default_rng(seed))
        forward, roll = (trajectory.blur_length(path.poses[:, [column]]) for column in (2, 5))
        return (forward + roll) * 100 * 2 ** 0.5

    assert all(corner_beyond_middle(0.0, seed) == 0 for seed in range(5))
    extra = np.array([corner_beyond_middle(0.5, seed) for seed in range(80)])
    assert extra.max() <= 0.5 * 8 * 1.001
    spread_over(list(extra / 8), 0, 0.5)


def test_forward_motion_counts_for_the_nearest_plane():
    """The same draw before a plane at half the depth: the pose is half as large, so that plane's corners go as far."""
    far, near = (draw_camera(8, True, depth, 0.5, 200, 200, np.random.default_rng(3)) for depth in (0.999, 0.4995))
    np.testing.assert_allclose(near.poses[:, 2], far.poses[:, 2] / 2, rtol=1e-6, atol=1e-12)
    assert np.ptp(far.poses[:, 2]) > 0


def test_objects_turn_and_the_second_shows_the_picture_upside_down():
    drawn = plans(120, 128, 128, kinds={'object': 1}, blur_length=(10, 10), rotation=0.5)
    turns = []
    for plan in drawn:
        for layer in plan.layers:
            turns.append(abs(np.arctan2(layer.motion[-1, 1, 0], layer.motion[-1, 0, 0])) > 1e-4)
        assert [layer.content for layer in plan.layers] == [MIRRORED, UPSIDE_DOWN][:len(plan.layers)]
    assert np.mean(turns) > 0.95
    two = np.mean([len(plan.layers) == 2 for plan in drawn])
    assert two == pytest.approx(0.4, abs=0.12)
    still = plans(40, 128, 128, kinds={'object': 1}, blur_length=(10, 10), rotation=0.0)
    assert all(np.allclose(layer.motion[:, :2, :2], np.eye(2)) for plan in still for layer in plan.layers)


def test_an_objects_motion_counts_where_it_covers_more_than_half_of_a_pixel():
    shift = homography.translation(np.array([[-3.0, 0], [-1, 0], [1, 0], [3, 0]]))
    plan = dataclasses.replace(plans(1)[0], background=homography.still(3), weights=np.full(3, 1 / 3), radius=0.0, edge=0,
                               layers=(Layer(shift, np.zeros((3, 2))),))
    cover = np.uint8([[0, 127, 128, 255]])
    np.testing.assert_allclose(true_motion(plan, [cover], 1, 4).motion[0, 0], [0, 0, 6, 6], atol=1e-5)


@pytest.mark.parametrize('response', ['srgb', 'gamma22'])
@pytest.mark.parametrize('bayer', [0.0, 1.0])
def test_a_recipe_carries_the_camera_of_its_plan(response, bayer):
    """The worker's and the device's picture of the same plans differ by noise alone, which is as strong in both."""
    domain = Domain({'linear': 1}, (3, 6), (5, 5), response=response, read_noise=0.5, bayer=bayer)
    edge = margin(domain)
    picture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (160 + 2 * edge,) * 2 + (3,), dtype=np.uint8), (0, 0), 3)
    picture = np.clip((picture.astype(float) - 127) * 4 + 130, 60, 220).astype(np.uint8)
    window, deviations = Window(edge, edge, 160, 160), []
    for noisy in (True, False):
        drawn = draw_plan(domain, 160, 160, np.random.default_rng(4))
        development = drawn.development if noisy else dataclasses.replace(drawn.development, noise=0.0)
        plan = dataclasses.replace(drawn, development=development)
        source = surroundings(picture, window, edge)
        recipe = default_collate([recipe_of(plan, source, layer_covers(plan, source), (False,) * 3, len(source))])
        twin = 255 * render_batch(recipe, 160, torch.device('cpu'))[0][0].permute(1, 2, 0).numpy()
        deviations.append((render_plan(picture, window, plan).lq.astype(float), twin.astype(float)))
    (worker, twin), (worker_clean, twin_clean) = deviations
    assert np.abs(worker_clean - twin_clean).max() < 1.5
    for channel in range(3):
        own, other = ((noisy - clean)[..., channel].std() for noisy, clean in ((worker, worker_clean), (twin, twin_clean)))
        assert own > 1 and other == pytest.approx(own, rel=0.04)


def test_magnified_windows_are_drawn_from_the_zoom_and_keep_the_picture():
    rng = np.random.default_rng(0)
    lengths = [magnified_window((400, 500), 64, (0.5, 2.0), rng).height for _ in range(400)]
    spread_over(list(np.log2(64 / np.array(lengths))), -1.01, 1.01)
    assert magnified_window((50, 90), 64, (0.5, 0.5), rng).height == 50, 'what the picture has'
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8), (0, 0), 6)
    down = magnify(smooth, 64)
    np.testing.assert_allclose(down, smooth.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3)), atol=0.51)
    assert np.abs(magnify(down, 128)[8:-8, 8:-8].astype(int) - smooth[8:-8, 8:-8]).max() <= 2
    edge = np.repeat(np.repeat(np.uint8([[50] * 8 + [200] * 8]), 16, axis=0)[..., None], 3, axis=2)
    assert magnify(edge, 32).max() > 205 and magnify(edge, 32).min() < 45, 'cubic: an edge keeps its sharpness by overshooting'


def test_nodes_between_fine_instants_are_read_off_the_path():
    path = draw_camera(12, False, 1.0, 0.3, 64, 64, np.random.default_rng(0))
    np.testing.assert_array_equal(trajectory.at_instants(path.poses, FINE), path.poses)
    np.testing.assert_allclose(trajectory.at_instants(path.poses, (FINE[1:] + FINE[:-1]) / 2),
                               (path.poses[1:] + path.poses[:-1]) / 2, atol=1e-12)
