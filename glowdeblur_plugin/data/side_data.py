"""What goes with the pictures of a packed set: motion maps, captions, text embeddings and latents, each a packed set under the
same keys.

They lie beside the pictures, `<split>_motion.lmdb`, `<split>_caption.lmdb`, `<split>_embedding.lmdb` and `<split>_latent.lmdb`;
a section of an option file names them by `dataroot_motion`, `dataroot_caption`, `dataroot_embedding` and `dataroot_latent`.
"""

import json
import math
from abc import ABC
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, get_args

import cv2
import numpy as np
import zstandard

from glowdeblur_plugin.data.encodings import EncodedPicture, SideEncoding, decompress
from glowdeblur_plugin.data.lmdb_store import check_whole, read_manifest, read_record, read_sizes
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError

CaptionOrigin = Literal['sharp', 'blurry']


class Caption(NamedTuple):
    """A text about a picture; `origin` says which side of the pair it was written from. Those of the sharp side are a leak in
    validation and test."""

    text: str
    origin: CaptionOrigin


def cell_means(motion: np.ndarray, cell: int) -> np.ndarray:
    """Means of a blur tensor (3, H, W) over cells of `cell` x `cell` pixels; the last of a row or column may be smaller."""
    tops, lefts = (np.arange(0, length, cell) for length in motion.shape[1:])
    sums = np.add.reduceat(np.add.reduceat(motion, tops, axis=1, dtype=np.float64), lefts, axis=2)
    heights, widths = (np.diff([*starts, length]) for starts, length in zip((tops, lefts), motion.shape[1:]))
    return sums / (heights[:, None] * widths)


def encode_motion(motion: np.ndarray) -> EncodedPicture:
    """Record of a blur tensor (3, h, w) in pixels of the picture, one entry a cell (`MotionSource.cell`), stored as float16."""
    return _encode_array(motion, *motion.shape[1:])


def encode_embedding(states: np.ndarray) -> EncodedPicture:
    """Record of a text encoder's states (tokens, channels), stored as float16."""
    return _encode_array(states, *states.shape)


def encode_latent(latent: np.ndarray) -> EncodedPicture:
    """Record of the latent (C, h, w) of a sharp picture, stored as float16."""
    return _encode_array(latent, *latent.shape[1:])


def encode_caption(caption: Caption) -> EncodedPicture:
    """Record of a caption."""
    data = json.dumps(caption._asdict(), ensure_ascii=False).encode()
    return EncodedPicture(data, len(caption.text), 1)


def _encode_array(array: np.ndarray, height: int, width: int) -> EncodedPicture:
    data = zstandard.ZstdCompressor(level=1).compress(np.ascontiguousarray(array, '<f2'))
    return EncodedPicture(data, height, width)


def decode_array(data: memoryview | bytes, shape: tuple[int, ...], name: str) -> np.ndarray:
    """The array of `shape` in a record of `encode_motion`, `encode_embedding` or `encode_latent`, float32.

    Raises:
        UserError: damaged data, or an array of another size; `name` says which.
    """
    try:
        return np.frombuffer(decompress(data, 2 * math.prod(shape)), '<f2').reshape(shape).astype(np.float32)
    except (zstandard.ZstdError, ValueError) as error:
        raise UserError(f'{name}: the record is damaged ({error}); pack the set again') from None


def decode_caption(data: memoryview | bytes, length: int, name: str) -> Caption:
    """The caption of `length` characters in a record.

    Raises:
        UserError: damaged data, or a caption of another length; `name` says which.
    """
    try:
        caption = Caption(**json.loads(bytes(data)))
        if caption.origin not in get_args(CaptionOrigin) or len(caption.text) != length:
            raise ValueError(f'{len(caption.text)} of {length} characters, origin {caption.origin!r}')
    except (ValueError, TypeError) as error:
        raise UserError(f'{name}: the record is damaged ({error}); pack the set again') from None
    return caption


class SideSource(ABC):
    """Side data of a packed set.

    Attributes:
        root: the side set's folder.
        sizes: key -> the first two numbers of the records' shape.

    Raises:
        UserError: not a packed set of this kind.
    """

    encoding: ClassVar[SideEncoding]

    def __init__(self, root: str | Path) -> None:
        if not str(root):
            raise UserError(f'the path is empty, give a packed set of {self.encoding} records')
        root = Path(root)
        manifest = read_manifest(root)
        if manifest is None or manifest.encoding != self.encoding:
            found = 'nothing packed' if manifest is None else f'{manifest.encoding} records'
            raise UserError(f'{root}: expected a packed set of {self.encoding} records, found {found}')
        self.root, self.manifest = root, manifest
        self.sizes = read_sizes(root)
        check_whole(root)


class MotionSource(SideSource):
    """Blur tensors (D cos 2a, D sin 2a, L_minor) in pixels of the picture, one entry a cell of `cell` x `cell` pixels."""

    encoding = 'motion'

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        if not isinstance(self.cell, int) or self.cell < 1:
            raise UserError(f'{self.root}: its manifest says cell: {self.cell!r}, expected a whole number of pixels; '
                            'pack it again')

    @property
    def cell(self) -> int:
        """Side of a cell in pixels; the last cells of a row or column may be cut off by the picture's border."""
        return self.manifest.details.get('cell', 1)

    def check_grid(self, key: str, size: tuple[int, int]) -> None:
        """Refuse a motion map that does not belong to a picture of `size` (height, width) in pixels.

        Raises:
            UserError: its grid is not that of the picture's cells.
        """
        height, width = (-(-length // self.cell) for length in size)
        if self.sizes[key] != (height, width):
            raise UserError(f'{self.root}/{key}: has {self.sizes[key][1]}x{self.sizes[key][0]} cells, but a picture of '
                            f'{size[1]}x{size[0]} has {width}x{height} cells of {self.cell} pixels; pack it again')

    def read(self, key: str) -> np.ndarray:
        """The blur tensor on its grid of cells, float32 (3, h, w)."""
        return decode_array(read_record(self.root, key), (3, *self.sizes[key]), f'{self.root}/{key}')

    def window(self, key: str, window: Window) -> np.ndarray:
        """The blur tensor of every pixel of a window, float32 (3, H, W), linear between the middles of cells."""
        grid = np.ascontiguousarray(self.read(key).transpose(1, 2, 0))
        if self.cell == 1:
            return np.ascontiguousarray(window.cut(grid).transpose(2, 0, 1))
        x, y = ((start + np.arange(count, dtype=np.float32) - (self.cell - 1) / 2) / self.cell
                for start, count in ((window.left, window.width), (window.top, window.height)))
        x, y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        pixels = cv2.remap(grid, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


class CaptionSource(SideSource):
    """Captions with the side of the pair that they were written from."""

    encoding = 'caption'

    def read(self, key: str) -> Caption:
        """The caption under `key`.

        Raises:
            UserError: a damaged record.
        """
        return decode_caption(read_record(self.root, key), self.sizes[key][0], f'{self.root}/{key}')


class EmbeddingSource(SideSource):
    """States of a text encoder, (tokens, channels); a text without a token is none."""

    encoding = 'embedding'

    @property
    def origin(self) -> CaptionOrigin:
        """Which side of the pairs the embedded captions were written from; the sharp one where the manifest does not say."""
        return 'blurry' if self.manifest.details.get('origin') == 'blurry' else 'sharp'

    def read(self, key: str, length: int) -> tuple[np.ndarray, np.ndarray]:
        """States under `key` cut or filled up with zeros to `length` tokens, float32 (length, channels), and a mask (length,),
        true where a state counts."""
        tokens, channels = self.sizes[key]
        states = decode_array(read_record(self.root, key), (tokens, channels), f'{self.root}/{key}')[:length]
        padded = np.zeros((length, channels), np.float32)
        padded[:len(states)] = states
        return padded, np.arange(length) < len(states)


class LatentSource(SideSource):
    """Latents (C, h, w) of whole sharp pictures; the manifest says of which codec and of which pictures."""

    encoding = 'latent'

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        if not isinstance(self.channels, int) or self.channels < 1:
            raise UserError(f'{self.root}: its manifest says channels: {self.channels!r}, expected a whole number; make it '
                            'again with glowdeblur latents')

    @property
    def channels(self) -> int:
        """Channels C of the latents."""
        return self.manifest.details.get('channels')

    def read(self, key: str) -> np.ndarray:
        """The latent under `key`, float32 (C, h, w)."""
        return decode_array(read_record(self.root, key), (self.channels, *self.sizes[key]), f'{self.root}/{key}')


def split_and_side(root: Path) -> tuple[str, str]:
    """`train` and `lq` of a packed set `train_lq.lmdb`: what stands before its name's last `_` and behind it."""
    split, _, side = root.stem.rpartition('_')
    return split, side


def motion_sibling(root: Path) -> Path | None:
    """`<split>_motion.lmdb` beside a packed set `<split>_lq.lmdb` or `<split>_gt.lmdb`; None where there is none."""
    split, side = split_and_side(root)
    sibling = root.with_name(f'{split}_motion.lmdb')
    return sibling if side in ('lq', 'gt') and sibling.is_dir() else None
