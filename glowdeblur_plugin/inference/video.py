"""Videos restored frame by frame."""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError, printable

# What OpenCV's own FFmpeg can write without further libraries; H.264 is not among it.
CODECS = {'.mp4': 'mp4v', '.mov': 'mp4v', '.mkv': 'mp4v', '.avi': 'MJPG', '.webm': 'VP90'}
VIDEO_SUFFIXES = tuple(CODECS)
SOUND_PROGRAM = 'ffmpeg'
WHOLE_SHARE = 0.98  # some formats give the number of frames only roughly


def restore_video(source: Path, out: Path, restore: Callable[[np.ndarray], np.ndarray],
                  progress: Progress = silent) -> tuple[str, ...]:
    """Restore every frame of a video with its frame rate; `out` is there whole or not at all.

    Frames are written as MPEG-4, in .avi as Motion JPEG and in .webm as VP9, which costs some quality (35 dB against the
    restored frame on a photograph); a frame rate that varies becomes its mean. Sound is copied by the program ffmpeg where that
    is installed.

    Args:
        out: of the same suffix as `source`.
        restore: float32 RGB (H, W, 3) in [0, 1] to the same.
        progress: told after each frame.

    Returns:
        What is not kept, a few words each.

    Raises:
        UserError: no video that can be read, a file that cannot be written, or names that OpenCV does not take; also what
            `restore` raises.
    """
    for path in (source, out):
        if printable(path) != str(path):
            raise UserError(f'{path}: OpenCV opens no video whose name is no UTF-8; rename it')
    capture = cv2.VideoCapture(str(source))
    temporary = out.with_name(f'.{out.stem}.{os.getpid()}{out.suffix}')
    with_sound = temporary.with_name(f'.{out.stem}.{os.getpid()}.sound{out.suffix}')
    try:
        if not capture.isOpened() or capture.get(cv2.CAP_PROP_FPS) <= 0:
            raise UserError(f'{source}: not a video that can be read')
        out.parent.mkdir(parents=True, exist_ok=True)
        expected = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

        def tell(done: int) -> None:
            progress(f'{source.name}: frame', done, expected if expected >= done else done + 1)

        count = _restore_frames(capture, source, temporary, restore, tell)
        notes = [f'ends after {count} of {expected} frames'] if count + 1 < expected * WHOLE_SHARE else []
        written = cv2.VideoCapture(str(temporary))
        if missing := count - sum(iter(written.grab, False)):
            raise UserError(f'{out}: cannot be written, {missing} of {count} frames are missing in it; is the disk full?')
        if _size(written) != _size(capture):
            notes.append(f'loses a row or column: {_size(capture)} pixels become {_size(written)}')
        if _copy_sound(source, temporary, with_sound):
            os.replace(with_sound, out)
        else:
            notes.append(f'sound, if it has any, is lost: the program {SOUND_PROGRAM} is not installed or failed')
            os.replace(temporary, out)
    except OSError as error:
        raise UserError(f'{out}: cannot be written ({error.strerror or error})') from error
    finally:
        capture.release()
        for path in (temporary, with_sound):
            with suppress(OSError):
                path.unlink()
    return tuple(notes)


def _restore_frames(capture: cv2.VideoCapture, source: Path, out: Path, restore: Callable[[np.ndarray], np.ndarray],
                    tell: Callable[[int], None]) -> int:
    """Write the restored frames and return how many there were."""
    writer, count = None, 0
    try:
        while (frame := capture.read()[1]) is not None:
            picture = restore(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) / np.float32(255))
            if writer is None:
                writer = cv2.VideoWriter(str(out), cv2.VideoWriter_fourcc(*CODECS[out.suffix.lower()]),
                                         capture.get(cv2.CAP_PROP_FPS), frame.shape[1::-1])
                if not writer.isOpened():
                    raise UserError(f'{source}: this OpenCV makes no {out.suffix} videos of {_size(capture)} pixels')
            levels = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
            writer.write(cv2.cvtColor(levels, cv2.COLOR_RGB2BGR))
            count += 1
            tell(count)
    finally:
        if writer is not None:
            writer.release()
    if not count:
        raise UserError(f'{source}: holds no frame that can be read')
    return count


def _size(video: cv2.VideoCapture) -> str:
    return 'x'.join(f'{video.get(side):.0f}' for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))


def _copy_sound(source: Path, silent_video: Path, out: Path) -> bool:
    """Whether `out` now holds the frames of one and the sound, if there is any, of the other."""
    program = shutil.which(SOUND_PROGRAM)
    if program is None:
        return False
    command = [program, '-v', 'error', '-y', '-i', silent_video, '-i', source, '-map', '0:v', '-map', '1:a?', '-c', 'copy', out]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
