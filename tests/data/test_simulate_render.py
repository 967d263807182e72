"""Rendering against float64 references, and the physics that every blur must keep."""

import cv2
import numpy as np
import pytest

from glowdeblur_plugin.data.picture_source import Window
from glowdeblur_plugin.data.simulate import render, trajectory

EDGE = 24
WINDOW = Window(EDGE, EDGE, 40, 52)


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth light (40 + 2 EDGE, 52 + 2 EDGE, 4) in about [0, 1]."""
    noise = np.random.default_rng(0).random((WINDOW.height + 2 * EDGE, WINDOW.width + 2 * EDGE, 4)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 2) * 4 - 1.5


def shaken(seed: int = 3, length: float = 12.0, turn: float = 0.1) -> np.ndarray:
    path = trajectory.shake(np.random.default_rng(seed))
    return trajectory.scaled(path, length, turn, trajectory.frame_count(path, length))


def convolved(picture: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """float64 mean of bilinear shifts by `offsets` (K, 2) x, y: convolution with the kernel that they splat."""
    total = np.zeros((WINDOW.height, WINDOW.width, 4))
    for x, y in -offsets:
        column, row = int(np.floor(x)), int(np.floor(y))
        for add_row, add_column, weight in ((0, 0, (1 - y + row) * (1 - x + column)), (0, 1, (1 - y + row) * (x - column)),
                                            (1, 0, (y - row) * (1 - x + column)), (1, 1, (y - row) * (x - column))):
            window = Window(EDGE + row + add_row, EDGE + column + add_column, WINDOW.height, WINDOW.width)
            total += weight * render.cut(picture, window).astype(np.float64)
    return total / len(offsets)


@pytest.mark.parametrize('direction', [(1, 0), (0, 1), (4, 3), (-3, 4)])
def test_uniform_translation_is_convolution_with_the_line(picture, direction):
    # Steps in 1/32 pixel, which OpenCV 4 renders exactly too.
    step, count = np.array(direction) * 5 / 32, 15
    path = trajectory.scaled(trajectory.straight(np.arctan2(*direction[::-1])), np.hypot(*step) * count, 0, count)
    offsets = np.arange(-(count // 2), count // 2 + 1)[:, None] * step
    np.testing.assert_allclose(render.average(picture, path, WINDOW), convolved(picture, offsets), atol=2e-6)


def test_a_turn_carries_points_where_the_path_says():
    picture = np.zeros((2 * EDGE + 41, 2 * EDGE + 41, 4), np.float32)
    picture[EDGE + 20, EDGE + 20 + 15] = 1
    turn = 0.4
    path = np.array([[3, -2, turn], [3, -2, turn]])
    frame = render.average(picture, path, Window(EDGE, EDGE, 41, 41))[..., 0]
    rows, columns = np.mgrid[:41, :41]
    middle = [(frame * axis).sum() / frame.sum() for axis in (columns, rows)]
    np.testing.assert_allclose(middle, [20 + 3 + 15 * np.cos(turn), 20 - 2 + 15 * np.sin(turn)], atol=0.05)


def test_light_is_kept():
    picture = np.zeros((WINDOW.height + 2 * EDGE, WINDOW.width + 2 * EDGE, 4), np.float32)
    picture[EDGE + 18:EDGE + 22, EDGE + 22:EDGE + 30] = np.random.default_rng(0).random((4, 8, 4)) * 5
    light = picture.sum(axis=(0, 1), dtype=np.float64)
    for blurry, tolerance in ((render.average(picture, shaken(turn=0), WINDOW), 1e-5),
                              (render.average(picture, shaken(turn=0.1), WINDOW), 1e-2),
                              (render.defocus(picture, 6.3, WINDOW), 1e-5)):
        np.testing.assert_allclose(blurry.sum(axis=(0, 1), dtype=np.float64), light, rtol=tolerance)
        assert blurry.max() < picture.max() / 2


def test_the_way_back_blurs_alike(picture):
    path = shaken()
    np.testing.assert_allclose(render.average(picture, path[::-1], WINDOW), render.average(picture, path, WINDOW), atol=2e-6)


@pytest.mark.parametrize('background_steps', [(0, 0), (0, 2), (-1, 1)])
def test_layers_are_composited_in_each_sub_frame(picture, background_steps):
    count, layer_steps = 7, (2, 0)
    layer = np.zeros_like(picture)
    layer[50:62, 40:55] = (3, 2, 1, 1)
    layer[50:62, 55] = (1.5, 1, 0.5, 0.5)
    times = np.arange(count + 1) - count / 2
    background_path, layer_path = (np.stack([times * x, times * y, times * 0], axis=1)
                                   for x, y in (background_steps, layer_steps))
    expected = 0
    for time in range(-(count // 2), count // 2 + 1):
        moved = [np.roll(content, (time * steps[1], time * steps[0]), axis=(0, 1))
                 for content, steps in ((picture, background_steps), (layer, layer_steps))]
        expected += (moved[1] + (1 - moved[1][..., 3:]) * moved[0].astype(np.float64)) / count
    found = render.average_layers(picture, background_path, layer, layer_path, WINDOW)
    np.testing.assert_allclose(found, render.cut(expected, WINDOW), atol=2e-6)


def test_a_disk_has_the_stated_spread():
    for radius in (1.5, 4.2, 11):
        kernel = render.disk(radius).astype(np.float64)
        offsets = np.arange(len(kernel)) - len(kernel) // 2
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        # The soft edge of one pixel adds 5/48 of a square pixel to radius^2 / 4, and the pixel grid about half as much.
        assert (kernel.sum(axis=0) * offsets ** 2).sum() == pytest.approx(radius ** 2 / 4, abs=0.2)


def test_shake_has_the_asked_length_stays_near_and_is_never_the_same():
    paths = [shaken(seed, length=20, turn=0.05) for seed in range(200)]
    for path in paths:
        assert len(path) % 2 == 0, 'an odd number of sub-frames has one at the centre'
        np.testing.assert_allclose(trajectory.frames(path)[len(path) // 2 - 1], 0, atol=1e-12)
        assert trajectory.blur_length(path[:, :2]) == pytest.approx(20)
        assert trajectory.blur_length(path[:, 2:]) == pytest.approx(0.05)
        assert np.hypot(path[:, 0], path[:, 1]).max() < 20 * 1.1
    assert len({path.tobytes() for path in paths}) == len(paths)
    net = np.array([np.hypot(*(path[-1] - path[0])[:2]) for path in paths])
    assert (net < 10).mean() > 0.1 and (net > 18).mean() > 0.1, 'both wandering and nearly straight paths occur'
