"""Blur out of your own high-speed videos."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from miniature import pixels

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.packers.frames import Averaging
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.errors import UserError


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Frames 8 to 21 without 15 of one video, whose names sort otherwise than their numbers, and four frames of another."""
    rng = np.random.default_rng(0)
    for video, numbers in (('one', [*range(8, 15), *range(16, 22)]), ('two', range(4))):
        (tmp_path / video).mkdir()
        for number in numbers:
            cv2.imwrite(str(tmp_path / video / f'f.{number}.png'), rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    return tmp_path


def pack(videos: Path, *options: str) -> int:
    return cli.main(['pack', 'frames', '--root', str(videos), '--out', str(videos / 'out'), '--workers', '1', *options])


@pytest.mark.parametrize(('step', 'expected'), [
    (None, [(0, 3), (3, 5), (8, 3)]),
    (1, [(0, 3), (1, 5), (2, 3), (3, 5), (4, 3), (5, 5), (6, 3), (7, 5), (8, 3)]),
    (4, [(0, 3), (4, 5), (8, 3)]),
])
def test_numbers_of_frames_are_used_in_turn(step, expected):
    assert Averaging(frames=(3, 5), step=step).windows(12) == expected


@pytest.mark.parametrize(('response', 'gamma'), [('none', 1.0), ('gamma22', 2.2)])
def test_pairs_are_means_of_consecutive_frames_and_the_one_in_the_middle(videos, response, gamma):
    assert pack(videos, '--frames', '3,5', '--response', response) == 0
    lq, gt = (LmdbSource(videos / 'out' / f'train_{side}.lmdb') for side in ('lq', 'gt'))
    expected = {'one_f_9_3f': (8, 9, 10), 'one_f_17_3f': (16, 17, 18), 'two_f_1_3f': (0, 1, 2)}
    assert set(lq.sizes) == set(gt.sizes) == set(expected)
    for key, numbers in expected.items():
        frames = [pixels(videos / key[:3] / f'f.{number}.png') for number in numbers]
        np.testing.assert_array_equal(gt.read(key), frames[1])
        mean = 255 * np.mean([(frame / 255) ** gamma for frame in frames], axis=0) ** (1 / gamma)
        assert np.abs(lq.read(key) - mean).max() <= 0.505, 'rounding, and the step of the table for the response'
    assert lq.manifest.details.items() >= {'frames': [3, 5], 'response': response, 'frame_step': None}.items()


@pytest.mark.parametrize(('options', 'match'), [
    (['--frames', '4'], '--frames: expected odd numbers of at least 3, .* found 4'),
    (['--frames', 'x'], "--frames: expected odd numbers .* found 'x'"),
    (['--frames', '3', '--frame-step', '0'], '--frame-step: expected at least 1 frame, found 0'),
    (['--frames', '9'], 'holds no 9 consecutive frames'),
])
def test_wrong_options_are_refused(videos, capsys, options, match):
    assert pack(videos, *options) == 2
    with pytest.raises(UserError, match=match):
        raise UserError(capsys.readouterr().err)
    (videos / 'one/cover.png').write_bytes((videos / 'one/f.8.png').read_bytes())
    assert pack(videos, '--frames', '3') == 2
    assert 'one/cover.png has no frame number at the end of its name' in capsys.readouterr().err
