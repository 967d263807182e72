"""Pictures inside the page: which ones, how they are packed, and where they are magnified first."""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from glowdeblur_plugin.comparison.crops import crop_side, telling_crop
from glowdeblur_plugin.comparison.picture_values import Values, first_shown, gains, spread_over
from glowdeblur_plugin.comparison.summary import Summary
from glowdeblur_plugin.data.decode import decode_picture
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError

BUDGET = 27_000_000
PICTURES_A_SET = 7
LOSSLESS_PIXELS = 256 * 256
LONGEST_SIDE = 1600
QUALITY, LOSSLESS = 90, 101
SHARP = 'sharp'

Embedded = dict[str, Any]


@dataclass
class Carried:
    """What the page carries: data URIs with their places, each once, though sets may share pictures, and set -> picture -> what
    `embed_picture` gives, with places for URIs."""

    uris: dict[str, int]
    sets: dict[str, dict[str, Embedded]]

    def new_characters(self, embedded: Embedded) -> int:
        """How much longer the page gets by a picture."""
        return sum(map(len, {*embedded['whole'].values(), *embedded['detail'].values()} - self.uris.keys()))

    def add(self, name: str, picture: str, embedded: Embedded) -> None:
        """Keep a picture of set `name`, its data URIs replaced by their places in `uris`."""
        placed = {part: {method: self.uris.setdefault(uri, len(self.uris)) for method, uri in embedded[part].items()}
                  for part in ('whole', 'detail')}
        self.sets[name][picture] = {**embedded, **placed}


def shown_methods(folder: Path, summary: Summary, name: str) -> list[str]:
    """Methods of a set that left pictures: the blurry input first, the sharp picture last, the others as in the summary."""
    methods = dict.fromkeys(['blurry', *summary.methods, SHARP])
    order = [method for method in methods if method != SHARP] + [SHARP]
    return [method for method in order if (folder / 'pictures' / name / method).is_dir()]


def embed_pictures(folder: Path, summary: Summary, values: Values, progress: Progress = silent,
                   budget: int = BUDGET) -> Carried:
    """Of each set up to seven pictures, spread over their gains (`spread_over`); the sets take turns, so that each has its
    share of the budget.

    Args:
        folder: of the comparison; `pictures/<set>/<method>/<picture>.png` are its pictures.
        budget: characters that they take together.

    Raises:
        UserError: a picture cannot be read.
    """
    orders = {name: chosen_pictures(summary, values, name) for name in summary.sets}
    methods = {name: shown_methods(folder, summary, name) for name in summary.sets}
    turns = [(name, order[turn]) for turn in range(PICTURES_A_SET) for name, order in orders.items() if turn < len(order)]
    carried = Carried({}, {name: {} for name in summary.sets})
    rivals, full = {name for name, record in summary.methods.items() if record.kind != 'codec'}, set()
    for done, (name, picture) in enumerate(turns):
        progress('pictures embedded', done, len(turns))
        if name not in full:
            embedded = embed_picture(folder / 'pictures' / name, picture, methods[name], rivals)
            taken = carried.new_characters(embedded)
            if taken > budget:
                full.add(name)
            elif embedded['whole']:
                carried.add(name, picture, embedded)
                budget -= taken
    progress('pictures embedded', len(turns), len(turns))
    return carried


def chosen_pictures(summary: Summary, values: Values, name: str) -> list[str]:
    """All pictures of a set, those that the page shows first in front."""
    first, gain = first_shown(summary, values, name), {}
    if first is not None:
        metric, method, reference = first
        gain = gains(values[name, method, metric], values[name, reference, metric], summary.metrics[metric])
    return spread_over(summary.sets[name].names, gain)


def embed_picture(folder: Path, picture: str, methods: Sequence[str], rivals: Collection[str]) -> Embedded:
    """One picture by all `methods`; magnified first where those among `rivals` differ most.

    Returns:
        `width` and `height` in pixels; `crop`: left, top and side of the square that is magnified first; `whole`: method ->
        data URI, WebP, without loss up to 256x256 pixels, else of quality 90 and at most 1600 pixels long; `detail`: method ->
        data URI of the square without loss, where `whole` has one; `absent`: method -> why there is no picture.
    """
    pictures, absent = read_pictures(folder, picture, methods)
    if not pictures:
        return {'whole': {}, 'detail': {}, 'absent': absent}
    height, width = next(iter(pictures.values())).shape[:2]
    side = crop_side(height, width)
    compared = [array for method, array in pictures.items() if method in rivals]
    top, left = telling_crop(compared if len(compared) > 1 else list(pictures.values()), side)
    small = height * width <= LOSSLESS_PIXELS
    detail = {} if small else {method: data_uri(array[top:top + side, left:left + side], LOSSLESS)
                               for method, array in pictures.items()}
    whole = {method: data_uri(shrunk(array), LOSSLESS if small else QUALITY) for method, array in pictures.items()}
    return {'width': width, 'height': height, 'crop': [left, top, side], 'whole': whole, 'detail': detail, 'absent': absent}


def read_pictures(folder: Path, picture: str, methods: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """uint8 RGB pictures (H, W, 3) of one size by method, and for the other methods why there is none.

    Raises:
        UserError: a file that cannot be read.
    """
    found: dict[str, np.ndarray] = {}
    absent: dict[str, str] = {}
    for method in methods:
        path = folder / method / f'{picture}.png'
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            absent[method] = 'no picture'
            continue
        except OSError as error:
            raise UserError(f'{path}: cannot be read ({error.strerror or error})') from None
        found[method] = decode_picture(data, str(path))
    return same_size(found, absent)


def same_size(found: Mapping[str, np.ndarray], absent: Mapping[str, str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The pictures as large as the first one; the others join those that are absent."""
    sizes = {method: array.shape[1::-1] for method, array in found.items()}
    first = next(iter(sizes.values()), None)
    other = {method: f'{size[0]}x{size[1]} pixels instead of {first[0]}x{first[1]}' for method, size in sizes.items()
             if first is not None and size != first}
    return {method: array for method, array in found.items() if method not in other}, {**absent, **other}


def shrunk(picture: np.ndarray) -> np.ndarray:
    """`picture` with its longer side at most 1600 pixels."""
    height, width = picture.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return picture
    return cv2.resize(picture, (max(round(width * scale), 1), max(round(height * scale), 1)), interpolation=cv2.INTER_AREA)


def data_uri(picture: np.ndarray, quality: int) -> str:
    """A uint8 RGB picture (H, W, 3) as WebP; above 100, `quality` means without loss."""
    data = cv2.imencode('.webp', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    return f'data:image/webp;base64,{base64.b64encode(data).decode()}'
