"""What is drawn: kinds, lengths and paths, and that nothing looks beyond the margin."""

import dataclasses

import numpy as np
import pytest

from glowdeblur_plugin.data.simulate import homography, trajectory
from glowdeblur_plugin.data.simulate.camera_path import draw_camera
from glowdeblur_plugin.data.simulate.domains import DOMAINS, KINDS, Domain
from glowdeblur_plugin.data.simulate.pipeline import simulate
from glowdeblur_plugin.data.simulate.plan import BlurPlan, draw_plan, margin
from glowdeblur_plugin.data.simulate.scene import FINE
from glowdeblur_plugin.data.window import Window


def farthest(plan: BlurPlan, height: int, width: int) -> float:
    """Largest distance, along x or y, from a pixel of a grid to where it finds its light, over all layers and sub-frames."""
    found = plan.radius
    rows, columns = np.linspace(0, height - 1, 9).astype(int), np.linspace(0, width - 1, 9)
    for motion in (plan.background, *(layer.motion for layer in plan.layers)):
        for frame in homography.sub_frames(motion):
            for row in rows:
                inverse = np.linalg.inv(frame if motion.ndim == 3 else frame[row])
                points = np.stack([columns - (width - 1) / 2, np.full(9, row - (height - 1) / 2), np.ones(9)])
                seen = inverse @ points
                found = max(found, np.abs(seen[:2] / seen[2] - points[:2]).max())
    return found


@pytest.mark.parametrize('kind', [*KINDS, 'rolling'])
@pytest.mark.parametrize('name', DOMAINS)
def test_no_motion_looks_beyond_the_margin(name, kind):
    rolling = kind == 'rolling'
    rng = np.random.default_rng(0)
    domain = dataclasses.replace(DOMAINS[name], kinds={'shake' if rolling else kind: 1}, rolling_shutter=float(rolling))
    for height, width in ((64, 64), (40, 120)) * (1 if rolling else 4):
        longest = dataclasses.replace(domain, blur_length=(domain.blur_length[1],) * 2)
        for drawn in (domain, longest):
            assert farthest(draw_plan(drawn, height, width, rng), height, width) <= margin(domain) - 1


@pytest.mark.parametrize('kind', KINDS)
def test_blur_far_longer_than_the_window_keeps_its_margin_and_turns_nothing_inside_out(kind):
    domain, rng = Domain({kind: 1}, (200, 200), (0, 0)), np.random.default_rng(0)
    for _ in range(20):
        plan = draw_plan(domain, 32, 32, rng)
        assert farthest(plan, 32, 32) <= margin(domain) - 1
        for motion in (plan.background, *(layer.motion for layer in plan.layers)):
            assert (np.linalg.det(motion) > 0).all()


@pytest.mark.parametrize('name', DOMAINS)
def test_no_light_comes_from_beyond_the_margin(name):
    """A picture whose surroundings are another colour beyond the margin: none of it may enter a sample."""
    domain, rng = DOMAINS[name], np.random.default_rng(0)
    edge, side = margin(domain), 32
    picture = np.full((side + 2 * edge + 20, side + 2 * edge + 20, 3), 255, np.uint8)
    picture[10:-10, 10:-10] = 40
    clean = dataclasses.replace(domain, noise=(0, 0), highlights=(1, 1), jpeg=0.0)
    for _ in range(30):
        assert (simulate(picture, Window(10 + edge, 10 + edge, side, side), clean, rng).lq == 40).all()


@pytest.mark.parametrize('kind, rolling', [('spline', 0.0), ('shake', 1.0)])
def test_motion_that_would_look_beyond_the_margin_is_made_smaller(kind, rolling):
    """Perspective in the corners, or rows read out late, in a few of 60 draws; these end within 2 % of the limit."""
    domain = Domain({kind: 1}, (60, 60), (0, 0), rotation=0.0, rolling_shutter=rolling)
    rng = np.random.default_rng(0)
    plans = [draw_plan(domain, 240, 320, rng) for _ in range(60)]
    reaches = np.array([homography.reach(plan.background, 240, 320) for plan in plans])
    assert reaches.max() <= 60 and (reaches > 0.96 * 60).any()
    # A dense look at the sub-frames, whose ends lie half a step within the nodes'.
    dense = [farthest(plans[index], 240, 320) for index in reaches.argsort()[-5:]]
    assert 0.9 * 60 < max(dense) <= 60


def largest_step(motion: np.ndarray, height: int, width: int) -> float:
    """Farthest that any corner, with a rolling shutter any row's end, goes from one sub-frame to the next, in pixels."""
    frames = homography.sub_frames(motion)
    if frames.ndim == 4:
        frames = frames[:, [0, 0, -1, -1]]
    x, y = homography.positions(frames, *homography.corners(height, width).T)
    return float(np.hypot(np.diff(x, axis=0), np.diff(y, axis=0)).max(initial=0))


@pytest.mark.parametrize('length', [None, 100])
@pytest.mark.parametrize('name', DOMAINS)
def test_lights_leave_lines_and_no_dots(name, length):
    """No point jumps further than a pixel or so between two sub-frames, and all of them together last the exposure."""
    domain, rng = DOMAINS[name], np.random.default_rng(1)
    if length is not None:
        domain = dataclasses.replace(domain, blur_length=(length, length))
    for _ in range(60 if length is None else 25):
        plan = draw_plan(domain, 96, 128, rng)
        np.testing.assert_allclose(plan.weights.sum(axis=0), 1, rtol=1e-9)
        assert plan.weights.min() > 0
        for motion in (plan.background, *(layer.motion for layer in plan.layers)):
            assert motion.shape[:-2] == (len(plan.weights) + 1, *plan.weights.shape[1:])
            assert largest_step(motion, 96, 128) < (1.2 if length is None else 1.8)


def test_instants_are_even_in_the_way_and_the_middle_lies_at_the_centre():
    ways = np.full(65, 0.1)
    ways[40:50] = 3
    instants = trajectory.instants_along(ways)
    place = np.interp(instants, FINE, np.concatenate([[0], np.cumsum(ways)]))
    assert instants[0] == -0.5 and instants[-1] == 0.5 and (np.diff(instants) > 0).all()
    assert np.diff(place).max() < 1.01 and len(instants) % 2 == 0
    middle = len(instants) // 2
    assert instants[middle - 1] == -instants[middle] and instants[middle] <= 0.5 / 65
    # What the fast tenth of the time covers weighs a tenth of the exposure.
    inside = (instants[:-1] > FINE[40] - 1e-6) & (instants[1:] < FINE[50] + 1e-6)
    assert inside.sum() >= 29 and np.diff(instants)[inside].sum() == pytest.approx(10 / 65, rel=0.05)


def test_a_window_without_its_margin_is_refused():
    with pytest.raises(ValueError, match='pixels around it'):
        simulate(np.zeros((90, 90, 3), np.uint8), Window(2, 2, 40, 40), DOMAINS['gopro'], np.random.default_rng(0))


def test_every_kind_of_a_domain_is_drawn_by_its_weight():
    rng, domain = np.random.default_rng(0), DOMAINS['pretraining']
    plans = [draw_plan(domain, 32, 32, rng) for _ in range(1000)]
    kinds, total = [plan.kind for plan in plans], sum(domain.kinds.values())
    for kind, weight in domain.kinds.items():
        assert kinds.count(kind) / len(kinds) == pytest.approx(weight / total, abs=0.05)
    assert np.mean([plan.development.bayer for plan in plans]) == pytest.approx(domain.bayer, abs=0.05)
    assert np.mean([plan.development.jpeg_quality is not None for plan in plans]) == pytest.approx(domain.jpeg, abs=0.05)


def middle_length(motion: np.ndarray, weights: np.ndarray) -> float:
    return trajectory.blur_length(np.concatenate(homography.positions(motion, np.zeros(1), np.zeros(1)), axis=1), weights)


@pytest.mark.parametrize('kind', ['shake', 'spline', 'linear', 'parallax', 'object'])
def test_the_drawn_length_is_that_of_what_moves_most(kind):
    rng = np.random.default_rng(0)
    for _ in range(40):
        plan = draw_plan(Domain({kind: 1}, (13, 13), (0, 0), rotation=0.0 if kind == 'object' else 0.4), 200, 300, rng)
        motions = [layer.motion for layer in plan.layers] if kind == 'object' else [plan.background, *(
            layer.motion for layer in plan.layers)]
        assert max(middle_length(motion, plan.weights) for motion in motions) == pytest.approx(13, rel=2e-3)


@pytest.mark.parametrize('kind', ['zoom', 'rotation'])
def test_zoom_and_rotation_have_the_drawn_length_in_the_farthest_corner(kind):
    rng = np.random.default_rng(0)
    for _ in range(10):
        motion = draw_plan(Domain({kind: 1}, (13, 13), (0, 0)), 200, 300, rng).background
        x, y = homography.positions(motion, *homography.corners(200, 300).T)
        longest = max(trajectory.blur_length(np.stack(point, axis=1)) for point in zip(x.T, y.T))
        assert longest == pytest.approx(13, rel=5e-3)


@pytest.mark.parametrize('smooth', [False, True])
def test_camera_paths_stay_near_and_are_never_the_same(smooth):
    rng = np.random.default_rng(0)
    motions = [draw_camera(20, smooth, 1.0, 0.3, 256, 256, rng).motion(1.0, FINE) for _ in range(150)]
    places = [np.concatenate(homography.positions(motion, np.zeros(1), np.zeros(1)), axis=1) for motion in motions]
    for path in places:
        np.testing.assert_allclose(path[32] + path[33], 0, atol=1e-6)
        assert trajectory.blur_length(path) == pytest.approx(20, rel=0.02) and np.hypot(*path.T).max() < 20 * 1.05
    assert len({path.tobytes() for path in places}) == len(places)
    net = np.array([np.hypot(*(path[-1] - path[0])) for path in places])
    assert (net < 10).mean() > 0.05 and (net > 18).mean() > 0.05, 'both wandering and nearly straight paths occur'


def test_a_camera_moves_in_six_degrees_of_freedom():
    poses = np.stack([draw_camera(20, False, 1.0, 0.3, 256, 256, np.random.default_rng(seed)).poses for seed in range(40)])
    assert (poses.std(axis=1) > 0).all(), 'each takes part in each path'
    correlations = [np.corrcoef(path.T)[np.triu_indices(6, 1)] for path in poses]
    assert np.abs(np.mean(correlations, axis=0)).max() < 0.4, 'none goes with another'


def test_nearer_planes_move_more_in_the_ratio_of_their_depths():
    poses = np.zeros((10, 6))
    poses[:, 0], poses[:, 1] = np.linspace(-0.02, 0.02, 10), np.linspace(-0.01, 0.01, 10)
    far, near = (homography.camera_motion(poses, 500, depth)[:, :2, 2] for depth in (2.0, 0.5))
    np.testing.assert_allclose(near, 4 * far, atol=1e-12)
    np.testing.assert_allclose(far[:, 0], 500 * poses[:, 0] / 2, atol=1e-12)


def test_a_camera_sees_a_plane_as_a_pinhole_does():
    """Points on the plane, moved by the pose and projected, against the homography."""
    rng = np.random.default_rng(0)
    focal, depth, pose = 700.0, 1.7, np.array([[0.02, -0.03, 0.05, 0.02, -0.015, 0.3]])
    points = rng.uniform(-200, 200, (20, 2))
    scene = np.concatenate([points / focal, np.ones((20, 1))], axis=1) * depth
    (rx, ry, rz), shift = pose[0, 3:], pose[0, :3]
    about_x = np.array([[1, 0, 0], [0, np.cos(rx), -np.sin(rx)], [0, np.sin(rx), np.cos(rx)]])
    about_y = np.array([[np.cos(ry), 0, np.sin(ry)], [0, 1, 0], [-np.sin(ry), 0, np.cos(ry)]])
    about_z = np.array([[np.cos(rz), -np.sin(rz), 0], [np.sin(rz), np.cos(rz), 0], [0, 0, 1]])
    moved = scene @ (about_z @ about_y @ about_x).T + shift
    seen = homography.positions(homography.camera_motion(pose, focal, depth), *points.T)
    np.testing.assert_allclose(np.concatenate(seen).T, focal * moved[:, :2] / moved[:, 2:], atol=1e-9)
