"""Fidelity without truth, on pictures that the simulator blurred."""

import numpy as np
import pytest
from skimage import data

from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.pipeline import Sample, simulate
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.catalogue import PictureFailed, open_metric


@pytest.fixture(scope='module')
def samples() -> list[Sample]:
    domain, rng = Domain({'rotation': 1, 'zoom': 1}, blur_length=(8, 12), noise=(0, 0)), np.random.default_rng(3)
    return [simulate(data.astronaut(), Window(60, 150, 128, 160), domain, rng) for _ in range(3)]


def floats(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) / 255


def test_the_nearer_to_the_sharp_picture_the_better(samples: list[Sample]) -> None:
    """Along the true motion, from the blurry picture to the sharp one; the blurry picture is no restoration of itself."""
    for sample in samples:
        sharp, blurry = floats(sample.gt), floats(sample.lq)
        score = open_metric('reblur', motion=lambda picture: sample.motion)
        scores = [score(share * sharp + (1 - share) * blurry, blurry=blurry) for share in (0, 0.3, 0.6, 0.9, 1)]
        assert scores == sorted(scores)
        assert scores[-1] > 36 and scores[-1] > scores[0] + 10
        assert score(np.roll(sharp, 6, axis=1), blurry=blurry) < scores[-1] - 10


def test_along_a_motion_that_is_too_short_the_gain_still_tells_sharp_from_blurry(samples: list[Sample]) -> None:
    """Where the plain score prefers the blurry picture, as it does along estimates."""
    for sample in samples:
        sharp, blurry, short = floats(sample.gt), floats(sample.lq), {'motion': lambda picture: 0.6 * sample.motion}
        plain, gain = open_metric('reblur', **short), open_metric('reblur-gain', **short)
        assert plain(blurry, blurry=blurry) > plain(sharp, blurry=blurry)
        assert gain(0.1 * sharp + 0.9 * blurry, blurry=blurry) < 0 < gain(sharp, blurry=blurry) - 4
        with pytest.raises(PictureFailed, match='^reblur-gain: the restored picture is the blurry one'):
            gain(blurry, blurry=blurry)


def test_a_wrong_motion_costs_the_sharp_picture(samples: list[Sample]) -> None:
    for sample in samples:
        sharp, blurry, seen = floats(sample.gt), floats(sample.lq), []
        across = sample.motion * np.float32([-1, -1, 1])[:, None, None]
        true, wrong, none = (open_metric('reblur', motion=lambda picture, tensor=tensor: seen.append(picture) or tensor)
                             for tensor in (sample.motion, across, np.zeros((3, 4, 5))))
        assert true(sharp, blurry=blurry) > max(wrong(sharp, blurry=blurry), none(sharp, blurry=blurry)) + 8
        assert all(np.array_equal(picture, blurry) and picture.dtype == np.float32 for picture in seen)


def test_what_it_needs(samples: list[Sample]) -> None:
    blurry = floats(samples[0].lq)
    with pytest.raises(UserError, match='^reblur: needs the setting motion'):
        open_metric('reblur')
    with pytest.raises(UserError, match="^reblur:response: 'rgb' is not one of srgb, gamma22, none"):
        open_metric('reblur', motion=np.zeros_like, response='rgb')
    score = open_metric('reblur', motion=lambda picture: samples[0].motion, rim=64)
    with pytest.raises(UserError, match='^reblur: needs the blurry picture, and there is none'):
        score(blurry, sharp=blurry)
    with pytest.raises(PictureFailed, match='^reblur: a rim of 64 pixels leaves nothing of 160x128'):
        score(blurry, blurry=blurry)
