"""The estimator against known blur, and its parts against direct computation."""

import cv2
import numpy as np
import pytest
from skimage import data

from glowdeblur_plugin.report.audit import rank_correlation
from glowdeblur_plugin.report.blur_estimate import BlurEstimate, estimate_blur, noise_level
from glowdeblur_plugin.report.structure_functions import CELL, offsets, pool, structure_functions, templates


def true_cells(sample) -> np.ndarray:
    return np.stack([pool(plane) for plane in sample.motion])


def lengths(motion: np.ndarray) -> np.ndarray:
    return np.hypot(motion[0], motion[1]) + motion[2]


def direction_errors(estimate: BlurEstimate, truth: np.ndarray) -> np.ndarray:
    turn = np.arctan2(estimate.motion[1], estimate.motion[0]) - np.arctan2(truth[1], truth[0])
    return np.degrees(np.abs(np.angle(np.exp(1j * turn))))[estimate.sure & (np.hypot(*truth[:2]) > 4)] / 2


def tensor_error(estimate: BlurEstimate, truth: np.ndarray) -> float:
    return float(np.linalg.norm(estimate.motion - truth, axis=0)[estimate.sure].mean())


@pytest.mark.parametrize('noise', [0, 2])
def test_directions_of_lines_are_found(blurred, noise):
    errors = np.concatenate([direction_errors(estimate_blur(sample.lq), true_cells(sample))
                             for sample in blurred('linear', 40, 8, 24, noise)])
    assert np.median(errors) < 8
    assert (errors < 20).mean() > 0.7


@pytest.mark.parametrize('kind', ['linear', 'defocus'])
def test_longer_blur_is_estimated_longer(blurred, kind):
    samples = blurred(kind, 40, 1, 28)
    found, true = [], []
    for sample in samples:
        estimate = estimate_blur(sample.lq)
        found.append(np.median(lengths(estimate.motion)[estimate.sure]))
        true.append(np.median(lengths(sample.motion)))
    assert rank_correlation(np.array(found), np.array(true)) > 0.75
    assert abs(np.median(np.log2(np.array(found) / np.array(true)))) < 0.6


def test_lines_are_told_from_round_blur(blurred):
    """Share of the length that is directed: 1 for a line, 0 out of focus."""
    shares = []
    for kind in ('linear', 'defocus'):
        estimates = [estimate_blur(sample.lq) for sample in blurred(kind, 40, 8, 24)]
        directed, whole = (np.concatenate([measure(e.motion)[e.sure] for e in estimates])
                           for measure in (lambda motion: np.hypot(motion[0], motion[1]), lengths))
        shares.append(np.median(directed / whole))
    assert shares[0] > 0.7 and shares[1] < 0.5


def test_sharp_pictures_have_hardly_any_blur():
    for picture in (data.astronaut(), data.coffee()):
        estimate = estimate_blur(picture)
        assert np.median(lengths(estimate.motion)[estimate.sure]) < 2


@pytest.mark.parametrize('kind', ['shake', 'object'])
def test_the_sharp_picture_helps(blurred, kind):
    samples = blurred(kind, 24, 4, 24)
    truths = [true_cells(sample) for sample in samples]
    blind, paired = ([estimate_blur(sample.lq, sharp) for sample, sharp in zip(samples, side)]
                     for side in ([None] * len(samples), [sample.gt for sample in samples]))
    medians = [np.median(np.concatenate(list(map(direction_errors, side, truths)))) for side in (blind, paired)]
    assert medians[1] < 0.8 * medians[0]
    assert np.mean(list(map(tensor_error, paired, truths))) < np.mean(list(map(tensor_error, blind, truths)))


def test_a_shifted_sharp_picture_does_little_harm(blurred):
    """The sharp picture of real pairs may lie half a frame off."""
    for sample in blurred('linear', 4, 8, 24):
        straight, shifted = (estimate_blur(sample.lq[:, :160], sample.gt[:, shift:160 + shift]).motion for shift in (0, 4))
        assert np.linalg.norm(straight - shifted, axis=0).mean() < 0.2 * lengths(straight).mean()


@pytest.mark.parametrize(('turned', 'signs'), [
    (lambda array: array[:, ::-1], (1, -1, 1)), (lambda array: array[::-1], (1, -1, 1)),
    (lambda array: array.swapaxes(0, 1), (-1, 1, 1))])
def test_flips_and_transposes_turn_the_estimate(blurred, turned, signs):
    for sample in blurred('linear', 4, 8, 24):
        picture = np.ascontiguousarray(turned(sample.lq))
        expected = turned(estimate_blur(sample.lq).motion.transpose(1, 2, 0)) * signs
        difference = np.linalg.norm(estimate_blur(picture).motion.transpose(1, 2, 0) - expected, axis=-1)
        assert difference.mean() < 0.1 * np.linalg.norm(expected, axis=-1).mean()


def test_structure_functions_are_mean_squared_differences():
    grey = cv2.cvtColor(data.astronaut()[:160, :160], cv2.COLOR_RGB2GRAY)
    measured = structure_functions(grey.astype(np.float32))[:, 2, 2]
    rows, columns = (slice(2 * CELL, 3 * CELL),) * 2
    levels = grey.astype(np.float64)
    for (x, y), value in zip(offsets(), measured):
        ends = [levels[rows.start + down:rows.stop + down, columns.start + right:columns.stop + right]
                for right, down in ((x // 2, y // 2), (x // 2 - x, y // 2 - y))]
        np.testing.assert_allclose(value, np.mean((ends[0] - ends[1]) ** 2), rtol=1e-4)


def test_templates_of_a_line_grow_as_theory_says():
    """Far below a line's length and above the lens's spread, S across it grows like d^(1 + alpha), the mean of the sharp
    d^alpha over the line; along it faster, towards d^2."""
    blurred, sharp, tensors = templates()
    line = np.linalg.norm(tensors - [32, 0, 0], axis=1).argmin()
    distances = np.hypot(*offsets().T)

    def slopes(logarithms: np.ndarray, axis: int) -> np.ndarray:
        near, far = (np.flatnonzero((offsets()[:, axis] == 0) & (distances == distance))[0] for distance in (2, 6))
        return (logarithms[:, far] - logarithms[:, near]) / np.log(3)

    np.testing.assert_allclose(slopes(blurred[line], 0), [1.1, 1.3, 1.5], rtol=0.15)
    assert (slopes(blurred[line], 1) > slopes(blurred[line], 0) + 0.3).all()
    assert (slopes(sharp, 1) < slopes(blurred[line], 0) - 0.2).all()


@pytest.mark.parametrize('std', [1.0, 4.0, 10.0])
def test_noise_level_of_a_photograph(std):
    photograph = cv2.cvtColor(data.rocket(), cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(photograph, (0, 0), 2) * 0.6 + 50
    noisy = smooth + np.random.default_rng(0).normal(0, std, smooth.shape).astype(np.float32)
    assert noise_level(noisy) == pytest.approx(std, rel=0.1)


def test_cells_without_texture_are_not_sure():
    picture = np.full((96, 160, 3), 128, np.uint8)
    picture[:, 80:] = data.astronaut()[:96, 150:230]
    noisy = picture + np.random.default_rng(0).normal(0, 2, picture.shape)
    sure = estimate_blur(np.clip(noisy, 0, 255).astype(np.uint8)).sure
    assert not sure[:, 0].any() and sure[:, -1].all()
