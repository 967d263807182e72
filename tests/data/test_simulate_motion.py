"""The blur tensor and the trajectory against closed forms and against a dense float64 reference."""

import itertools

import cv2
import numpy as np
import pytest
from exposures import evenly, positions_at, shaken

from glowdeblur_plugin.data.simulate import homography, render, trajectory
from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.motion import blur_tensor, covariance_of, flip_motion, flip_trajectory, trajectory_of
from glowdeblur_plugin.data.simulate.pipeline import simulate
from glowdeblur_plugin.data.simulate.plan import margin
from glowdeblur_plugin.data.simulate.scene import Bounds, flat_scene
from glowdeblur_plugin.data.window import Window

EDGE = 30
SYMMETRIES = list(itertools.product([False, True], repeat=3))


def motion_of(nodes: np.ndarray, height: int, width: int, weights: np.ndarray | None = None) -> np.ndarray:
    return blur_tensor(*covariance_of(nodes, evenly(nodes) if weights is None else weights, height, width))


def shift(x: list[float] | np.ndarray, y: list[float] | np.ndarray) -> np.ndarray:
    return homography.translation(np.stack([x, y], axis=1))


def tensor(length: float, minor: float, angle: float) -> list[float]:
    return [(length - minor) * np.cos(2 * angle), (length - minor) * np.sin(2 * angle), minor]


def dense_tensor(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> list[float]:
    """Blur tensor of positions (K + 1) walked densely in float64, by the eigenvectors of their covariance."""
    times = np.linspace(0, 1, 40001)
    variances, directions = np.linalg.eigh(np.cov(*(positions_at(axis, weights, times) for axis in (x, y))))
    minor, length = np.sqrt(12 * np.maximum(variances, 0))
    return tensor(length, minor, np.arctan2(*directions[::-1, 1]))


@pytest.mark.parametrize('angle', [0, 0.4, np.pi / 2, 2.5])
def test_straight_motion_is_its_way_and_doubled_angle(angle):
    way = 9 * trajectory.straight(11)
    motion = motion_of(shift(way * np.cos(angle), way * np.sin(angle)), 5, 6)
    assert motion.shape == (3, 5, 6) and motion.dtype == np.float32
    np.testing.assert_allclose(motion[:, 2, 3], tensor(9, 0, angle), atol=1e-4)


def test_out_and_back_has_the_length_of_its_reach_though_it_ends_where_it_began():
    np.testing.assert_allclose(motion_of(shift([0, 7, 0], [0, 0, 0]), 1, 1)[:, 0, 0], [7, 0, 0], atol=1e-5)


def test_a_circle_has_no_direction():
    angles = np.linspace(0, 2 * np.pi, 400)
    motion = motion_of(shift(5 * np.cos(angles), 5 * np.sin(angles)), 1, 1)[:, 0, 0]
    np.testing.assert_allclose(motion, [0, 0, np.sqrt(12) * 5 / np.sqrt(2)], atol=2e-3)


def test_a_turn_has_the_closed_form_of_an_arc():
    turn, side, count = 0.5, 61, 801
    motion = motion_of(homography.similarity(turn * trajectory.straight(count), np.ones(count + 1), np.zeros(2)), side, side)
    tangent = np.sqrt(0.5 - np.sin(turn) / (2 * turn))
    radial = np.sqrt(0.5 + np.sin(turn) / (2 * turn) - (np.sin(turn / 2) / (turn / 2)) ** 2)
    for x, y in ((30, 0), (0, -20), (12, 25), (-7, 7)):
        radius, direction = np.hypot(x, y), np.arctan2(y, x) + np.pi / 2
        expected = tensor(np.sqrt(12) * radius * tangent, np.sqrt(12) * radius * radial, direction)
        np.testing.assert_allclose(motion[:, 30 + y, 30 + x], expected, atol=2e-3)
    np.testing.assert_allclose(motion[:, 30, 30], 0, atol=1e-5)


def test_a_zoom_is_straight_towards_its_centre_and_as_long_as_the_radius_says():
    zoom, centre = 0.3, np.array([-4.0, 7.0])
    motion = motion_of(homography.similarity(np.zeros(12), 1 + zoom * trajectory.straight(11), centre), 41, 61)
    for column, row in ((0, 0), (60, 3), (25, 40)):
        x, y = np.array([column - 30, row - 20]) - centre
        expected = tensor(zoom * np.hypot(x, y), 0, np.arctan2(y, x))
        np.testing.assert_allclose(motion[:, row, column], expected, atol=1e-4)


@pytest.mark.parametrize('seed', range(4))
def test_camera_motion_equals_a_dense_walk_over_every_point(seed):
    height, width = 60, 90
    nodes, weights = shaken(seed, height, width)
    assert weights.max() > 3 * weights.min(), 'uneven in time'
    motion = motion_of(nodes, height, width, weights)
    for row, column in ((0, 0), (59, 89), (4, 71), (30, 45)):
        x, y = homography.positions(nodes, np.array([column - (width - 1) / 2]), np.array([row - (height - 1) / 2]))
        np.testing.assert_allclose(motion[:, row, column], dense_tensor(x[:, 0], y[:, 0], weights), atol=2e-3)


def rolled(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Motion and weights of every row of a shaken picture."""
    domain = Domain({'shake': 1}, (12, 12), (0, 0), rolling_shutter=1.0, readout=(0.8, 0.8))
    scene = flat_scene('shake', 12, domain, Bounds(height, width, 40), np.random.default_rng(5))
    return scene.background, scene.weights


def test_every_row_of_a_rolling_shutter_has_the_motion_of_its_own_time():
    height, width = 7, 50  # as many rows as grid points, which must not be taken for these
    nodes, weights = rolled(height, width)
    motion = motion_of(nodes, height, width, weights)
    for row, column in ((0, 3), (6, 49), (2, 20)):
        x, y = homography.positions(nodes[:, row], np.array([column - (width - 1) / 2]), np.array([row - (height - 1) / 2]))
        np.testing.assert_allclose(motion[:, row, column], dense_tensor(x[:, 0], y[:, 0], weights[:, row]), atol=2e-3)
    assert np.abs(motion[:, 0, 0] - motion[:, 6, 0]).max() > 0.1


@pytest.mark.parametrize('count', [7, 33])
def test_sub_frames_at_the_mid_points_are_shorter_by_the_stated_factor(count):
    """Between continuous motion, which the blur tensor states, and the sub-frames that are rendered."""
    middles = homography.sub_frames(shift(20 * trajectory.straight(count), np.zeros(count + 1)))[:, 0, 2]
    assert np.sqrt(12) * middles.std() == pytest.approx(20 * np.sqrt(1 - 1 / count ** 2), rel=1e-9)


@pytest.mark.parametrize('motion', [shaken, rolled], ids=['global shutter', 'rolling shutter'])
def test_trajectory_says_where_every_point_is_at_each_time(motion):
    height, width, points = 31, 47, 5
    nodes, weights = motion(height, width) if motion is rolled else motion(2, height, width)
    offsets = trajectory_of(nodes, weights, height, width, points)
    assert offsets.shape == (2 * points, height, width) and offsets.dtype == np.float32
    for row, column in ((0, 0), (30, 46), (11, 20)):
        u, v = column - (width - 1) / 2, row - (height - 1) / 2
        own_nodes, own_weights = (nodes, weights) if weights.ndim == 1 else (nodes[:, row], weights[:, row])
        path = (axis[:, 0] for axis in homography.positions(own_nodes, np.array([u]), np.array([v])))
        expected = [positions_at(axis, own_weights, np.linspace(0, 1, points)) - own for axis, own in zip(path, (u, v))]
        np.testing.assert_allclose(offsets[:, row, column], np.stack(expected, axis=1).ravel(), atol=1e-3)


def flipped_motion(nodes: np.ndarray, horizontal: bool, vertical: bool, transpose: bool) -> np.ndarray:
    change = np.diag([-1.0 if horizontal else 1.0, -1.0 if vertical else 1.0, 1.0])
    if transpose:
        change = change[[1, 0, 2]]
    return change @ nodes @ change.T


def flipped(picture: np.ndarray, horizontal: bool, vertical: bool, transpose: bool) -> np.ndarray:
    picture = picture[::-1 if vertical else 1, ::-1 if horizontal else 1]
    return np.ascontiguousarray(picture.transpose(1, 0, 2) if transpose else picture)


@pytest.mark.parametrize('symmetry', SYMMETRIES)
def test_blur_of_a_flipped_picture_is_the_flipped_blur_with_the_flipped_motion(symmetry):
    height, width = 30, 44
    noise = np.random.default_rng(0).random((height + 2 * EDGE, width + 2 * EDGE, 4)).astype(np.float32)
    picture, (nodes, weights) = cv2.GaussianBlur(noise, (0, 0), 2) * 4 - 1.5, shaken(1, height, width)
    moved = flipped_motion(nodes, *symmetry)
    window = Window(EDGE, EDGE, *((width, height) if symmetry[2] else (height, width)))
    np.testing.assert_allclose(render.average(flipped(picture, *symmetry), moved, weights, window),
                               flipped(render.average(picture, nodes, weights, Window(EDGE, EDGE, height, width)), *symmetry),
                               atol=2e-3 if cv2.__version__.startswith('4') else 2e-5)
    np.testing.assert_allclose(motion_of(moved, window.height, window.width, weights),
                               flip_motion(motion_of(nodes, height, width, weights), *symmetry), atol=1e-4)
    np.testing.assert_allclose(trajectory_of(moved, weights, window.height, window.width, 4),
                               flip_trajectory(trajectory_of(nodes, weights, height, width, 4), *symmetry), atol=1e-4)


def sample_of(kind: str, length: float, seed: int = 0, **changes):
    domain = Domain({kind: 1}, (length, length), (0, 0), **changes)
    edge = margin(domain)
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (64 + 2 * edge, 80 + 2 * edge, 3), dtype=np.uint8)
    return simulate(picture, Window(edge, edge, 64, 80), domain, rng, points=3)


def test_defocus_is_a_disk_without_direction():
    sample = sample_of('defocus', 11)
    np.testing.assert_allclose(sample.motion, np.broadcast_to([[[0]], [[0]], [[11]]], (3, 64, 80)), atol=1e-4)
    assert not sample.trajectory.any()


def test_shake_and_lines_have_the_drawn_length_in_the_middle():
    for kind, seed in itertools.product(('shake', 'spline', 'linear'), range(5)):
        along, across, minor = sample_of(kind, 13, seed).motion[:, 31:33, 39:41].mean(axis=(1, 2))
        assert np.hypot(along, across) + minor == pytest.approx(13, rel=3e-3)


def test_lines_lie_within_the_directions_of_their_domain():
    domain, found = Domain({'linear': 1}, (8, 8), (0, 0), direction=(-20, 40)), []
    for seed in range(40):
        scene = flat_scene('linear', 8, domain, Bounds(8, 8, 20), np.random.default_rng(seed))
        along, across, _ = motion_of(scene.background, 8, 8, scene.weights)[:, 4, 4]
        found.append(np.degrees(np.arctan2(across, along)) / 2)
    assert -20 <= min(found) < -15 and 35 < max(found) <= 40


def test_a_moving_object_blurs_itself_and_the_still_background_stays_sharp():
    seen = 0
    for seed in range(24):
        sample = sample_of('object', 10, seed, rotation=0.0)
        length = np.hypot(*sample.motion[:2]) + sample.motion[2]
        still, moving = length == 0, np.isclose(length, 10, atol=1e-3)
        if not still.any() or not (still | moving).all():  # the background moves too, or a second object
            continue
        seen += 1
        assert 0.02 < moving.mean() < 0.7
        way = sample.trajectory[-2:] - sample.trajectory[:2]
        np.testing.assert_allclose(np.hypot(*way)[moving], 10, atol=1e-3)
        assert not sample.trajectory[:, still].any()
        far = cv2.erode(still.astype(np.uint8), np.ones((19, 19))) > 0
        np.testing.assert_array_equal(sample.lq[far], sample.gt[far])
        inner = cv2.erode(moving.astype(np.uint8), np.ones((5, 5))) > 0
        assert np.abs(sample.lq[inner].astype(int) - sample.gt[inner]).mean() > 20
    assert seen >= 4


def test_a_nearer_layer_moves_more_and_the_target_is_the_picture_itself():
    ratios = []
    for seed in range(12):
        sample = sample_of('parallax', 12, seed, rotation=0.0)
        length = np.hypot(*sample.motion[:2]) + sample.motion[2]
        ratios.append(length.max() / length.min())
    assert min(ratios) > 1.1 and np.median(ratios) > 1.5
    picture = np.random.default_rng(11).integers(0, 256, (64 + 26, 80 + 26, 3), dtype=np.uint8)
    np.testing.assert_array_equal(sample.gt, picture[13:-13, 13:-13])
