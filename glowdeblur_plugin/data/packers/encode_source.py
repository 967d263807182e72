"""What a worker process does for one side of a picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glowdeblur_plugin.data.decode import decode_picture
from glowdeblur_plugin.data.encodings import EncodedPicture, Encoding, encode_picture
from glowdeblur_plugin.data.simulate.camera import Response
from glowdeblur_plugin.data.simulate.high_speed import average_frames
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError


@dataclass(frozen=True)
class EncodeTask:
    """One side of a picture.

    Attributes:
        files: its file, or the frames to average.
        response: through which frames to average were taken.
        windows: what to cut out of it; empty to keep it whole.
    """

    files: tuple[Path, ...]
    response: Response | None
    windows: tuple[Window, ...]
    encoding: Encoding


def encode_source(task: EncodeTask) -> list[EncodedPicture] | str:
    """Decode, average, cut and encode; or what is wrong with the files."""
    try:
        picture = _picture(task)
    except UserError as error:
        return str(error)
    cuts = [window.cut(picture) for window in task.windows] or [picture]
    return [encode_picture(cut, task.encoding) for cut in cuts]


def _picture(task: EncodeTask) -> np.ndarray:
    pictures = [_read(file) for file in task.files]
    if len(pictures) == 1:
        return pictures[0]
    return average_frames(pictures, task.response)[0]


def _read(file: Path) -> np.ndarray:
    try:
        return decode_picture(file.read_bytes(), str(file))
    except OSError as error:
        raise UserError(f'{file}: cannot be read ({error.strerror or error})') from None
