"""The blur tensor against closed forms and against a dense float64 reference."""

import itertools

import cv2
import numpy as np
import pytest

from glowdeblur_plugin.data.picture_source import Window
from glowdeblur_plugin.data.simulate import render, trajectory
from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.motion import flip_motion, path_motion
from glowdeblur_plugin.data.simulate.pipeline import simulate
from glowdeblur_plugin.data.simulate.plan import margin

EDGE = 24
SYMMETRIES = list(itertools.product([False, True], repeat=3))


def offsets(x: list[float] | np.ndarray, y: list[float] | np.ndarray) -> np.ndarray:
    return np.stack([x, y, np.zeros(len(x))], axis=1)


def shaken(seed: int) -> np.ndarray:
    path = trajectory.shake(np.random.default_rng(seed))
    return trajectory.scaled(path, 12, 0.15, trajectory.frame_count(path, 12))


@pytest.mark.parametrize('angle', [0, 0.4, np.pi / 2, 2.5])
def test_straight_motion_is_its_way_and_doubled_angle(angle):
    path = trajectory.scaled(trajectory.straight(angle), 9, 0, 11)
    motion = path_motion(path, 5, 6)
    assert motion.shape == (3, 5, 6) and motion.dtype == np.float32
    np.testing.assert_allclose(motion[:, 2, 3], [9 * np.cos(2 * angle), 9 * np.sin(2 * angle), 0], atol=1e-4)


def test_out_and_back_has_the_length_of_its_reach_though_it_ends_where_it_began():
    np.testing.assert_allclose(path_motion(offsets([0, 7, 0], [0, 0, 0]), 1, 1)[:, 0, 0], [7, 0, 0], atol=1e-5)


def test_a_circle_has_no_direction():
    angles = np.linspace(0, 2 * np.pi, 400)
    motion = path_motion(offsets(5 * np.cos(angles), 5 * np.sin(angles)), 1, 1)[:, 0, 0]
    np.testing.assert_allclose(motion, [0, 0, np.sqrt(12) * 5 / np.sqrt(2)], atol=2e-3)


def test_a_turn_has_the_closed_form_of_an_arc():
    turn, side, count = 0.5, 61, 801
    path = np.zeros((count + 1, 3))
    path[:, 2] = np.linspace(-turn / 2, turn / 2, count + 1)
    motion = path_motion(path, side, side)
    tangent = np.sqrt(0.5 - np.sin(turn) / (2 * turn))
    radial = np.sqrt(0.5 + np.sin(turn) / (2 * turn) - (np.sin(turn / 2) / (turn / 2)) ** 2)
    for x, y in ((30, 0), (0, -20), (12, 25), (-7, 7)):
        radius, direction = np.hypot(x, y), np.arctan2(y, x) + np.pi / 2
        length, minor = np.sqrt(12) * radius * tangent, np.sqrt(12) * radius * radial
        expected = [(length - minor) * np.cos(2 * direction), (length - minor) * np.sin(2 * direction), minor]
        np.testing.assert_allclose(motion[:, 30 + y, 30 + x], expected, atol=2e-3)
    np.testing.assert_allclose(motion[:, 30, 30], 0, atol=1e-6)


@pytest.mark.parametrize('seed', range(4))
def test_shake_equals_a_dense_walk_over_every_point(seed):
    path, height, width = shaken(seed), 9, 14
    times = np.linspace(0, len(path) - 1, 20001)
    x, y, turn = (np.interp(times, np.arange(len(path)), axis) for axis in path.T)
    motion = path_motion(path, height, width)
    for row, column in ((0, 0), (8, 13), (4, 2)):
        u, v = column - (width - 1) / 2, row - (height - 1) / 2
        points = np.stack([x + u * np.cos(turn) - v * np.sin(turn), y + u * np.sin(turn) + v * np.cos(turn)])
        variances, directions = np.linalg.eigh(np.cov(points))
        minor, length = np.sqrt(12 * variances)
        angle = np.arctan2(*directions[::-1, 1])
        expected = [(length - minor) * np.cos(2 * angle), (length - minor) * np.sin(2 * angle), minor]
        np.testing.assert_allclose(motion[:, row, column], expected, atol=0.01)


def flipped_path(path: np.ndarray, horizontal: bool, vertical: bool, transpose: bool) -> np.ndarray:
    x, y, turn = path.T
    x, turn = (-x, -turn) if horizontal else (x, turn)
    y, turn = (-y, -turn) if vertical else (y, turn)
    return np.stack([y, x, -turn] if transpose else [x, y, turn], axis=1)


def flipped(picture: np.ndarray, horizontal: bool, vertical: bool, transpose: bool) -> np.ndarray:
    picture = picture[::-1 if vertical else 1, ::-1 if horizontal else 1]
    return np.ascontiguousarray(picture.transpose(1, 0, 2) if transpose else picture)


@pytest.mark.parametrize('symmetry', SYMMETRIES)
def test_blur_of_a_flipped_picture_is_the_flipped_blur_with_the_flipped_motion(symmetry):
    height, width = 30, 44
    noise = np.random.default_rng(0).random((height + 2 * EDGE, width + 2 * EDGE, 4)).astype(np.float32)
    picture, path = cv2.GaussianBlur(noise, (0, 0), 2) * 4 - 1.5, shaken(1)
    moved = flipped_path(path, *symmetry)
    window = Window(EDGE, EDGE, *((width, height) if symmetry[2] else (height, width)))
    np.testing.assert_allclose(render.average(flipped(picture, *symmetry), moved, window),
                               flipped(render.average(picture, path, Window(EDGE, EDGE, height, width)), *symmetry), atol=2e-3)
    np.testing.assert_allclose(path_motion(moved, window.height, window.width),
                               flip_motion(path_motion(path, height, width), *symmetry), atol=1e-4)


def sample_of(kind: str, length: float, seed: int = 0):
    domain = Domain({kind: 1}, (length, length), (0, 0))
    edge = margin(domain)
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (64 + 2 * edge, 80 + 2 * edge, 3), dtype=np.uint8)
    return simulate(picture, Window(edge, edge, 64, 80), domain, rng)


def test_defocus_is_a_disk_without_direction():
    np.testing.assert_allclose(sample_of('defocus', 11).motion, np.broadcast_to([[[0]], [[0]], [[11]]], (3, 64, 80)), atol=1e-4)


def test_shake_and_lines_have_the_drawn_length_in_the_middle():
    for kind, seed in itertools.product(('shake', 'linear'), range(5)):
        along, across, minor = sample_of(kind, 13, seed).motion[:, 31:33, 39:41].mean(axis=(1, 2))
        assert np.hypot(along, across) + minor == pytest.approx(13, rel=2e-3)


def test_a_moving_object_blurs_itself_and_the_still_background_stays_sharp():
    seen = 0
    for seed in range(12):
        sample = sample_of('object', 10, seed)
        length = np.hypot(*sample.motion[:2]) + sample.motion[2]
        still, moving = length == 0, np.isclose(length, 10, atol=1e-3)
        if not still.any():
            continue
        seen += 1
        assert (still | moving).all() and 0.02 < moving.mean() < 0.7
        far = cv2.erode(still.astype(np.uint8), np.ones((19, 19))) > 0
        np.testing.assert_array_equal(sample.lq[far], sample.gt[far])
        inner = cv2.erode(moving.astype(np.uint8), np.ones((5, 5))) > 0
        assert np.abs(sample.lq[inner].astype(int) - sample.gt[inner]).mean() > 20
    assert seen >= 3
