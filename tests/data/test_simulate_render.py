"""Rendering against float64 references, and the physics that every blur must keep."""

import cv2
import numpy as np
import pytest
from exposures import evenly, shaken
from scipy import ndimage

from glowdeblur_plugin.data.simulate import homography, render, trajectory
from glowdeblur_plugin.data.simulate.camera_path import draw_camera
from glowdeblur_plugin.data.simulate.render import MovingLayer
from glowdeblur_plugin.data.window import Window

EDGE = 24
WINDOW = Window(EDGE, EDGE, 40, 52)
SNAPPING = cv2.__version__.startswith('4')


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth light (40 + 2 EDGE, 52 + 2 EDGE, 4) in about [0, 1]."""
    noise = np.random.default_rng(0).random((WINDOW.height + 2 * EDGE, WINDOW.width + 2 * EDGE, 4)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 2) * 4 - 1.5


def average(picture: np.ndarray, motion: np.ndarray, window: Window = WINDOW,
            layers: tuple[MovingLayer, ...] = ()) -> np.ndarray:
    """`render.average` of sub-frames that last equally long."""
    return render.average(picture, motion, evenly(motion), window, layers)


def line(step: np.ndarray, count: int) -> np.ndarray:
    """Even motion by `step` pixels a sub-frame."""
    return homography.translation(trajectory.straight(count)[:, None] * count * np.asarray(step))


def seen(picture: np.ndarray, matrix: np.ndarray, row: int | None = None) -> np.ndarray:
    """float64 bilinear samples of the window, or a row of it, where the inverse of `matrix` looks."""
    rows = np.arange(WINDOW.height) if row is None else np.array([row])
    y, x = np.meshgrid(rows - (WINDOW.height - 1) / 2, np.arange(WINDOW.width) - (WINDOW.width - 1) / 2, indexing='ij')
    places = np.linalg.inv(matrix) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    places = places[1::-1] / places[2] + [[EDGE + (WINDOW.height - 1) / 2], [EDGE + (WINDOW.width - 1) / 2]]
    channels = [ndimage.map_coordinates(channel, places, order=1, output=np.float64) for channel in np.moveaxis(picture, -1, 0)]
    return np.stack(channels, axis=-1).reshape(*x.shape, 4)


@pytest.mark.parametrize('direction', [(1, 0), (0, 1), (4, 3), (-3, 4)])
def test_uniform_translation_is_convolution_with_the_line(picture, direction):
    """Against a float64 convolution with the kernel onto which the line's points are spread bilinearly."""
    # Steps in 1/32 pixel, which OpenCV 4 renders exactly too.
    step, count, radius = np.array(direction) * 5 / 32, 15, 10
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    for x, y in np.arange(-(count // 2), count // 2 + 1)[:, None] * step + radius:
        column, row = int(x), int(y)
        kernel[row:row + 2, column:column + 2] += np.outer([1 - y + row, y - row], [1 - x + column, x - column]) / count
    expected = ndimage.convolve(picture.astype(np.float64), kernel[..., None])
    np.testing.assert_allclose(average(picture, line(step, count)), WINDOW.cut(expected), atol=2e-6)


@pytest.mark.parametrize('seed', range(3))
def test_camera_motion_equals_a_float64_reference(picture, seed):
    motion, weights = shaken(seed, WINDOW.height, WINDOW.width)
    frames = [seen(picture, frame) for frame in homography.sub_frames(motion)]
    tolerance = 1e-2 if SNAPPING else 2e-5
    np.testing.assert_allclose(render.average(picture, motion, weights, WINDOW), np.average(frames, axis=0, weights=weights),
                               atol=tolerance)


def frame_at(picture: np.ndarray, matrix: np.ndarray, window: Window) -> np.ndarray:
    """The window as seen at `matrix`: three sub-frames, of which the middle one is the sharp picture."""
    return (3 * average(picture, np.stack([matrix] * 4), window) - window.cut(picture)) / 2


@pytest.mark.parametrize('shift', [0.01, 0.333, 0.5])
def test_the_warps_sub_pixel_error_is_as_stated(shift):
    """On a ramp of one level a pixel the rendered level says where the warp looked."""
    ramp = np.tile(np.arange(WINDOW.width + 2 * EDGE, dtype=np.float32)[None, :, None], (WINDOW.height + 2 * EDGE, 1, 4))
    moved = frame_at(ramp, render.shifted(-shift, 0), WINDOW)
    error = moved - WINDOW.cut(ramp) - shift
    assert np.abs(error).max() < (1 / 64 + 1e-4 if SNAPPING else 1e-4)


def test_a_turn_carries_points_where_the_motion_says():
    picture = np.zeros((2 * EDGE + 41, 2 * EDGE + 41, 4), np.float32)
    picture[EDGE + 20, EDGE + 20 + 15] = 1
    turn = 0.4
    pose = render.shifted(3, -2) @ homography.similarity(np.array([turn]), np.ones(1), np.zeros(2))[0]
    frame = frame_at(picture, pose, Window(EDGE, EDGE, 41, 41))[..., 0]
    rows, columns = np.mgrid[:41, :41]
    middle = [(frame * axis).sum() / frame.sum() for axis in (columns, rows)]
    np.testing.assert_allclose(middle, [20 + 3 + 15 * np.cos(turn), 20 - 2 + 15 * np.sin(turn)], atol=0.05)


def test_light_is_kept():
    picture = np.zeros((WINDOW.height + 2 * EDGE, WINDOW.width + 2 * EDGE, 4), np.float32)
    picture[EDGE + 18:EDGE + 22, EDGE + 22:EDGE + 30] = np.random.default_rng(0).random((4, 8, 4)) * 5
    light = picture.sum(axis=(0, 1), dtype=np.float64)
    nodes, weights = shaken(3, WINDOW.height, WINDOW.width)
    wander = homography.translation(np.concatenate(homography.positions(nodes, np.zeros(1), np.zeros(1)), axis=1))
    turn = homography.centred(homography.similarity(0.8 * trajectory.straight(15), np.ones(16), np.array([0.0, 15.0])))
    for blurry, tolerance in ((render.average(picture, wander, weights, WINDOW), 1e-5), (average(picture, turn), 1e-2),
                              (render.defocus(picture, 6.3, WINDOW), 1e-5)):
        np.testing.assert_allclose(blurry.sum(axis=(0, 1), dtype=np.float64), light, rtol=tolerance)
        assert blurry.max() < 0.8 * picture.max()


def test_the_way_back_blurs_alike(picture):
    motion, weights = shaken(3, WINDOW.height, WINDOW.width)
    forth, back = (render.average(picture, motion[::way], weights[::way], WINDOW) for way in (1, -1))
    np.testing.assert_allclose(back, forth, atol=2e-6)


@pytest.mark.parametrize('background_step', [(0, 0), (0, 2), (-1, 1)])
def test_layers_are_composited_in_each_sub_frame(picture, background_step):
    """Two layers, one of them over the other and over the window's edge, against a float64 composite of whole steps."""
    count, steps = 7, (background_step, (2, 0), (-1, -2))
    near, far = np.zeros_like(picture), np.zeros_like(picture)
    far[45:62, 40:55] = (3, 2, 1, 1)
    far[45:62, 55] = (1.5, 1, 0.5, 0.5)
    near[52:80, 50:62] = (0, 1, 0.3, 1)
    near[51, 50:62] = (0, 0.25, 0.1, 0.25)
    expected = 0
    for time in range(-(count // 2), count // 2 + 1):
        frame = None
        for content, (x, y) in zip((picture, far, near), steps):
            moved = np.roll(content, (time * y, time * x), axis=(0, 1)).astype(np.float64)
            frame = moved if frame is None else moved + (1 - moved[..., 3:]) * frame
        expected += frame / count
    layers = tuple(MovingLayer(content, line(step, count)) for content, step in zip((far, near), steps[1:]))
    found = average(picture, line(steps[0], count), layers=layers)
    np.testing.assert_allclose(found, WINDOW.cut(expected), atol=3e-6)


def test_a_layer_out_of_sight_changes_nothing(picture):
    layer = np.zeros_like(picture)
    layer[2:8, 2:8] = 1
    motion = line((0.2, 0), 7)
    np.testing.assert_array_equal(average(picture, motion, layers=(MovingLayer(layer, motion),)), average(picture, motion))


def rolled(readout: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A camera's motion at 66 nodes over the time of all rows, and the motion and weights of every row."""
    height, width = WINDOW.height, WINDOW.width
    path = draw_camera(12, False, 1.0, 0.8, height, width, np.random.default_rng(3))
    nodes = path.motion(1.0, trajectory.straight(trajectory.WALK_STEPS))
    centres = readout * ((np.arange(height) + 0.5) / height - 0.5) / (1 + readout)
    ways = np.hypot(*np.diff(nodes[:, :2, 2], axis=0).T)
    instants = trajectory.instants_along(ways, centres, 1 / (1 + readout))
    return nodes, homography.rows_of_rolling_shutter(nodes, instants), np.diff(instants, axis=0) * (1 + readout)


@pytest.mark.parametrize('readout', [0.3, 1.0])
def test_every_row_of_a_rolling_shutter_sees_its_own_time(picture, readout):
    """Against float64 rows, each rendered at 2001 even instants of the row's own exposure, seen from its own centre."""
    nodes, motion, weights = rolled(readout)
    found = render.average(picture, motion, weights, WINDOW)
    times = np.linspace(-(1 + readout) / 2, (1 + readout) / 2, len(nodes))
    for row in (0, 13, WINDOW.height - 1):
        centre = readout * ((row + 0.5) / WINDOW.height - 0.5)
        instants = np.append(centre + (np.arange(2001) + 0.5) / 2001 - 0.5, centre)
        path = np.stack([np.interp(instants, times, nodes[:, i, j]) for i in range(3) for j in range(3)], axis=1)
        path = path.reshape(-1, 3, 3)
        frames = path[:-1] @ np.linalg.inv(path[-1])
        expected = np.mean([seen(picture, frame, row)[0] for frame in frames], axis=0)
        np.testing.assert_allclose(found[row], expected, atol=2e-2)


def test_rows_seen_by_a_rolling_shutter_are_those_of_a_float64_reference(picture):
    _, motion, weights = rolled(0.5)
    found = render.average(picture, motion, weights, WINDOW)
    for row in (0, 13, WINDOW.height - 1):
        frames = [seen(picture, frame, row)[0] for frame in homography.sub_frames(motion)[:, row]]
        np.testing.assert_allclose(found[row], np.average(frames, axis=0, weights=weights[:, row]),
                                   atol=2e-2 if SNAPPING else 1e-4)


def test_without_read_out_time_a_rolling_shutter_is_a_global_one(picture):
    _, rows, weights = rolled(0.0)
    np.testing.assert_allclose(render.average(picture, rows, weights, WINDOW),
                               render.average(picture, rows[:, 0], weights[:, 0], WINDOW), atol=1e-4)


def test_a_disk_has_the_stated_spread():
    for radius in (1.5, 4.2, 11):
        kernel = render.disk(radius).astype(np.float64)
        offsets = np.arange(len(kernel)) - len(kernel) // 2
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        # The soft edge of one pixel adds 5/48 of a square pixel to radius^2 / 4, and the pixel grid about half as much.
        assert (kernel.sum(axis=0) * offsets ** 2).sum() == pytest.approx(radius ** 2 / 4, abs=0.2)
