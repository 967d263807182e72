"""Videos frame by frame."""

import os
import resource
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.inference.video import CODECS, restore_video

RATE, FRAMES = 30000 / 1001, 5


@cache
def scene(index: int) -> np.ndarray:
    """uint8 RGB of 96x64 pixels, which moves."""
    return np.ascontiguousarray(cv2.resize(data.astronaut(), (256, 256))[60 + 3 * index:124 + 3 * index, 80:176])


def film(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*CODECS[path.suffix]), RATE, (96, 64))
    for index in range(FRAMES):
        writer.write(scene(index)[..., ::-1])
    writer.release()
    return path


@pytest.fixture
def without_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ffmpeg, wherever the tests run."""
    monkeypatch.setenv('PATH', str(tmp_path))


def frames(path: Path) -> tuple[list[np.ndarray], float]:
    capture, found = cv2.VideoCapture(str(path)), []
    while (frame := capture.read()[1]) is not None:
        found.append(frame[..., ::-1])
    return found, capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize('suffix', CODECS)
def test_every_frame_is_restored_in_order_at_the_same_rate(tmp_path: Path, without_programs: None, suffix: str) -> None:
    told = []
    source, out = film(tmp_path / f'in{suffix}'), tmp_path / 'made' / f'out{suffix}'
    notes = restore_video(source, out, lambda picture: 1 - picture, lambda *numbers: told.append(numbers[1:]))
    restored, rate = frames(out)
    assert len(restored) == FRAMES and rate == pytest.approx(RATE, abs=0.01)
    for index, frame in enumerate(restored):
        errors = [cv2.PSNR(255 - scene(other), np.ascontiguousarray(frame)) for other in range(FRAMES)]
        assert np.argmax(errors) == index and errors[index] > 25, errors
    assert notes == ('sound, if it has any, is lost: the program ffmpeg is not installed or failed',)
    assert [done for done, _ in told] == list(range(1, FRAMES + 1))
    assert os.listdir(out.parent) == [out.name]


def test_a_failing_frame_leaves_nothing_and_what_was_there(tmp_path: Path) -> None:
    source, out = film(tmp_path / 'in.avi'), tmp_path / 'made' / 'out.avi'
    out.parent.mkdir()
    out.write_text('earlier')
    seen = []

    def restore(picture: np.ndarray) -> np.ndarray:
        seen.append(picture)
        if len(seen) == 3:
            raise UserError('no picture')
        return picture

    with pytest.raises(UserError, match='no picture'):
        restore_video(source, out, restore)
    assert out.read_text() == 'earlier' and os.listdir(out.parent) == ['out.avi']


def test_files_that_are_no_videos_are_refused(tmp_path: Path) -> None:
    text, empty = tmp_path / 'text.mp4', tmp_path / 'empty.avi'
    text.write_text('no video')
    writer = cv2.VideoWriter(str(empty), cv2.VideoWriter_fourcc(*'MJPG'), RATE, (96, 64))
    writer.release()
    with pytest.raises(UserError, match=r'caf\\udce9.avi: OpenCV opens no video whose name is no UTF-8'):
        restore_video(tmp_path / 'caf\udce9.avi', tmp_path / 'out.avi', lambda picture: picture)
    for path in (text, empty):
        with pytest.raises(UserError, match=f'{path.name}: (not a video that can be read|holds no frame)'):
            restore_video(path, tmp_path / f'out{path.suffix}', lambda picture: picture)
    assert sorted(os.listdir(tmp_path)) == ['empty.avi', 'text.mp4']


def test_what_the_disk_does_not_take_is_refused(tmp_path: Path) -> None:
    """OpenCV's writer says nothing."""
    source, limits = film(tmp_path / 'in.avi'), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (source.stat().st_size // 2, limits[1]))
    try:
        with pytest.raises(UserError, match=f'out.avi: cannot be written, . of {FRAMES} frames are missing in it'):
            restore_video(source, tmp_path / 'out.avi', lambda picture: picture)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == ['in.avi']


def test_odd_sides_are_told(tmp_path: Path, without_programs: None) -> None:
    """OpenCV's writer makes them even; a film of one picture may have them."""
    (tmp_path / 'in.mp4').write_bytes(cv2.imencode('.png', scene(0)[:47, :63])[1].tobytes())
    notes = restore_video(tmp_path / 'in.mp4', tmp_path / 'out.mp4', lambda picture: picture)
    assert notes[0] == 'loses a row or column: 63x47 pixels become 62x46'
    assert [frame.shape for frame in frames(tmp_path / 'out.mp4')[0]] == [(46, 62, 3)]


def test_a_film_cut_short_is_told(tmp_path: Path) -> None:
    source = film(tmp_path / 'in.avi')
    source.write_bytes(source.read_bytes()[:source.stat().st_size // 2])
    notes = restore_video(source, tmp_path / 'out.avi', lambda picture: picture)
    restored, _ = frames(tmp_path / 'out.avi')
    assert 0 < len(restored) < FRAMES
    assert notes[0] == f'ends after {len(restored)} of {FRAMES} frames'
