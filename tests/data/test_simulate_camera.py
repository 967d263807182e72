"""The camera's response, noise, mosaic and JPEG, and the order in which they come."""

import numpy as np
import pytest

from glowdeblur_plugin.data.simulate import camera
from glowdeblur_plugin.data.simulate.develop import Development, add_noise, demosaic, develop, mosaic
from glowdeblur_plugin.data.simulate.domains import DOMAINS, Domain
from glowdeblur_plugin.data.simulate.high_speed import average_frames
from glowdeblur_plugin.data.simulate.pipeline import simulate
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError

LIGHTS = (0.02, 0.2, 0.9)


@pytest.mark.parametrize('response', camera.RESPONSES)
def test_every_level_survives_linear_light(response):
    np.testing.assert_array_equal(camera.expose(camera.linear_table(response), response), np.arange(256))


@pytest.mark.parametrize('response', camera.RESPONSES)
def test_exposure_rounds_the_exact_response(response):
    linear = np.concatenate([np.linspace(-0.1, 1.2, 20001), np.logspace(-7, 0, 20001)])
    exact = 255 * camera.from_linear(np.clip(linear, 0, 1), response)
    assert np.abs(camera.expose(linear.astype(np.float32), response) - exact).max() < 0.51


def test_srgb_is_the_standards():
    linear = camera.to_linear(np.array([0.02, 0.5, 0.8]), 'srgb')
    np.testing.assert_allclose(linear, [0.00154799, 0.21404114, 0.60382734], atol=1e-8)


@pytest.mark.parametrize('response', camera.RESPONSES)
def test_highlights_raise_only_the_brightest_levels(response):
    gain = camera.highlight_gain(camera.linear_table(response), response, 6)
    assert (gain[:243] == 1).all() and gain[255] == pytest.approx(6) and (np.diff(gain[242:]) > 0).all()


def still(**changes) -> Domain:
    return Domain(**{'kinds': {'shake': 1}, 'blur_length': (0, 0), 'noise': (0, 0), **changes})


def test_a_raised_light_keeps_its_colour_and_outshines_its_surroundings():
    picture = np.full((120, 120, 3), 20, np.uint8)
    picture[55:65, 55:65] = (255, 250, 235)
    blurred = {}
    for highlights in (1, 4):
        domain = still(kinds={'defocus': 1}, blur_length=(24, 24), highlights=(highlights, highlights), response='none')
        sample = simulate(picture, Window(40, 40, 40, 40), domain, np.random.default_rng(0))
        blurred[highlights] = sample.lq[20, 20].astype(int) - 20
    assert blurred[4][0] > 2 * blurred[1][0]
    np.testing.assert_allclose(blurred[4] / blurred[4][0], blurred[1] / blurred[1][0], atol=0.05)


@pytest.mark.parametrize('light', LIGHTS)
def test_noise_has_the_stated_mean_and_variance(light):
    development = Development('srgb', noise=0.02, read_noise=0.1)
    seen = add_noise(np.full((300, 300, 3), light, np.float32), development, np.random.default_rng(1))
    noise = seen.astype(np.float64) - light
    variance = 0.02 ** 2 * (light + 0.1 ** 2)
    assert abs(noise.mean()) < 4 * np.sqrt(variance / noise.size)
    assert noise.var() == pytest.approx(variance, rel=0.015)


@pytest.mark.parametrize('light', LIGHTS)
def test_demosaicing_averages_the_noise_as_stated(light):
    development = Development('srgb', noise=0.02, read_noise=0.1)
    seen = add_noise(np.full((600, 600), light, np.float32), development, np.random.default_rng(1))
    inner = demosaic(seen)[1:-1, 1:-1].astype(np.float64) - light
    variance = 0.02 ** 2 * (light + 0.1 ** 2)
    for channel, share in enumerate((9 / 16, 5 / 8, 9 / 16)):
        assert inner[..., channel].var() == pytest.approx(variance * share, rel=0.025)
        assert abs(inner[..., channel].mean()) < 4 * np.sqrt(variance / inner[..., channel].size)


def test_demosaicing_gives_back_what_varies_linearly():
    rows, columns = np.mgrid[:9, :12].astype(np.float32)
    picture = np.stack([rows + 2 * columns, 30 - columns, 3 * rows - columns], axis=-1)
    np.testing.assert_allclose(demosaic(mosaic(picture))[1:-1, 1:-1], picture[1:-1, 1:-1], atol=1e-5)
    flat = np.float32([0.2, 0.5, 0.7])
    np.testing.assert_allclose(demosaic(mosaic(np.broadcast_to(flat, (7, 6, 3)))), np.broadcast_to(flat, (7, 6, 3)), atol=1e-6)


def test_the_mosaic_begins_with_red():
    picture = np.broadcast_to(np.float32([1, 2, 3]), (2, 2, 3))
    np.testing.assert_array_equal(mosaic(picture), [[1, 2], [2, 3]])


def test_jpeg_comes_last_and_costs_what_its_quality_says():
    rng = np.random.default_rng(0)
    light = rng.random((64, 64, 3)).astype(np.float32) * 0.5
    plain = develop(light, Development('srgb')).astype(float)
    errors = [np.abs(develop(light, Development('srgb', jpeg_quality=quality)) - plain).mean() for quality in (95, 60, 20)]
    assert 0 < errors[0] < errors[1] < errors[2]
    white = develop(np.full((32, 32, 3), 5, np.float32), Development('srgb', jpeg_quality=50))
    assert (white == 255).all()


@pytest.mark.parametrize('response', camera.RESPONSES)
@pytest.mark.parametrize('kind', ['shake', 'spline', 'linear', 'zoom', 'rotation', 'parallax', 'defocus'])
def test_a_camera_at_rest_gives_back_the_picture_bit_exactly(kind, response):
    picture = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    sample = simulate(picture, Window(5, 6, 40, 50), still(kinds={kind: 1}, response=response), np.random.default_rng(2))
    np.testing.assert_array_equal(sample.lq, picture[5:45, 6:56])
    np.testing.assert_array_equal(sample.gt, picture[5:45, 6:56])
    assert not sample.motion.any()


def test_noise_comes_after_the_clip_and_never_into_the_target():
    white = np.full((80, 80, 3), 255, np.uint8)
    for bayer in (0, 1):
        sample = simulate(white, Window(8, 8, 64, 64), still(noise=(3, 3), highlights=(5, 5), bayer=bayer),
                          np.random.default_rng(0))
        assert (sample.gt == 255).all()
        # Light 5 before the clip is 1 after it; noise added before the clip would leave every pixel white.
        assert 0.2 < (sample.lq < 255).mean() < 0.7


def test_target_takes_the_clip_of_raised_highlights():
    picture = np.full((80, 80, 3), 250, np.uint8)
    sample = simulate(picture, Window(8, 8, 64, 64), still(highlights=(5, 5)), np.random.default_rng(0))
    assert (sample.gt == 255).all() and (sample.lq == 255).all()


def test_noise_after_the_response_is_refused():
    with pytest.raises(UserError, match='after the camera response'):
        still(noise=(0, 1), response='none')
    assert all(domain.noise == (0, 0) for domain in DOMAINS.values() if domain.response == 'none')


def test_high_speed_frames_average_by_the_gopro_recipe():
    frames = list(np.random.default_rng(0).integers(0, 256, (7, 20, 24, 3), dtype=np.uint8))
    exact = {'gamma22': 255 * np.mean((np.array(frames) / 255) ** 2.2, axis=0) ** (1 / 2.2), 'none': np.mean(frames, axis=0)}
    for response, expected in exact.items():
        lq, gt = average_frames(frames, response)
        assert np.abs(lq - expected).max() < 0.52 and lq.dtype == np.uint8
        np.testing.assert_array_equal(gt, frames[3])


@pytest.mark.parametrize('sizes, message', [([8] * 4, 'odd number of frames.*found 4'), ([8, 8, 9], 'differ in size'),
                                            ([], 'found 0')])
def test_high_speed_frames_that_make_no_exposure_are_refused(sizes, message):
    with pytest.raises(UserError, match=message):
        average_frames([np.zeros((side, 8, 3), np.uint8) for side in sizes], 'gamma22')
