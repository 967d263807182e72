"""The camera's response and noise, and the order in which the pipeline applies them."""

import numpy as np
import pytest

from glowdeblur_plugin.data.picture_source import Window
from glowdeblur_plugin.data.simulate import camera
from glowdeblur_plugin.data.simulate.domains import DOMAINS, Domain
from glowdeblur_plugin.data.simulate.pipeline import simulate
from glowdeblur_plugin.data.simulate.plan import draw_plan, margin

RESPONSES = ('srgb', 'gamma22', 'none')


@pytest.mark.parametrize('response', RESPONSES)
def test_every_level_survives_linear_light(response):
    np.testing.assert_array_equal(camera.expose(camera.linear_table(response), response), np.arange(256))


@pytest.mark.parametrize('response', RESPONSES)
def test_exposure_rounds_the_exact_response(response):
    linear = np.concatenate([np.linspace(-0.1, 1.2, 20001), np.logspace(-7, 0, 20001)])
    exact = 255 * camera.from_linear(np.clip(linear, 0, 1), response)
    assert np.abs(camera.expose(linear.astype(np.float32), response) - exact).max() < 0.51


def test_srgb_is_the_standards():
    linear = camera.to_linear(np.array([0.02, 0.5, 0.8]), 'srgb')
    np.testing.assert_allclose(linear, [0.00154799, 0.21404114, 0.60382734], atol=1e-8)


def test_highlights_raise_only_the_brightest_levels():
    gain = camera.highlight_table(6)
    assert (gain[:243] == 1).all() and gain[255] == 6 and (np.diff(gain[242:]) > 0).all()


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


@pytest.mark.parametrize('light', [0.02, 0.2, 0.9])
def test_noise_has_the_stated_mean_and_variance(light):
    linear = np.full((300, 300, 3), light, np.float32)
    white_std, read_share = 0.02, 0.1
    noise = camera.add_noise(linear, white_std, read_share, np.random.default_rng(1)).astype(np.float64) - light
    variance = white_std ** 2 * (light + read_share ** 2)
    assert abs(noise.mean()) < 4 * np.sqrt(variance / noise.size)
    assert noise.var() == pytest.approx(variance, rel=0.015)


def still(**changes) -> Domain:
    return Domain(**{'kinds': {'shake': 1}, 'blur_length': (0, 0), 'noise': (0, 0), **changes})


@pytest.mark.parametrize('response', RESPONSES)
@pytest.mark.parametrize('kind', ['shake', 'linear', 'defocus'])
def test_a_camera_at_rest_gives_back_the_picture_bit_exactly(kind, response):
    picture = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    sample = simulate(picture, Window(5, 6, 40, 50), still(kinds={kind: 1}, response=response), np.random.default_rng(2))
    np.testing.assert_array_equal(sample.lq, picture[5:45, 6:56])
    np.testing.assert_array_equal(sample.gt, picture[5:45, 6:56])
    assert not sample.motion.any()


def test_noise_comes_after_the_clip_and_never_into_the_target():
    white = np.full((80, 80, 3), 255, np.uint8)
    sample = simulate(white, Window(8, 8, 64, 64), still(noise=(3, 3), highlights=(5, 5)), np.random.default_rng(0))
    assert (sample.gt == 255).all()
    # Light 5 before the clip is 1 after it; noise added before the clip would leave every pixel white.
    assert 0.3 < (sample.lq < 255).mean() < 0.7


def test_target_takes_the_clip_of_raised_highlights():
    picture = np.full((80, 80, 3), 250, np.uint8)
    sample = simulate(picture, Window(8, 8, 64, 64), still(highlights=(5, 5)), np.random.default_rng(0))
    assert (sample.gt == 255).all() and (sample.lq == 255).all()


@pytest.mark.parametrize('name', DOMAINS)
def test_the_margin_covers_every_displacement(name):
    """A picture whose surroundings are another colour beyond the margin: none of it may enter a sample."""
    domain, rng = DOMAINS[name], np.random.default_rng(0)
    edge, side = margin(domain), 32
    picture = np.full((side + 2 * edge + 20, side + 2 * edge + 20, 3), 255, np.uint8)
    picture[10:-10, 10:-10] = 40
    clean = Domain(**{**vars(domain), 'noise': (0, 0), 'highlights': (1, 1)})
    for _ in range(60):
        assert (simulate(picture, Window(10 + edge, 10 + edge, side, side), clean, rng).lq == 40).all()


def test_a_window_without_its_margin_is_refused():
    domain = DOMAINS['gopro']
    with pytest.raises(ValueError, match='pixels around it'):
        simulate(np.zeros((90, 90, 3), np.uint8), Window(2, 2, 40, 40), domain, np.random.default_rng(0))


def test_every_kind_of_a_domain_is_drawn_by_its_weight():
    rng, domain = np.random.default_rng(0), DOMAINS['pretraining']
    kinds = [draw_plan(domain, 32, 32, rng).kind for _ in range(1000)]
    total = sum(domain.kinds.values())
    for kind, weight in domain.kinds.items():
        assert kinds.count(kind) / len(kinds) == pytest.approx(weight / total, abs=0.05)
