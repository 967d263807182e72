"""Blurry and sharp pictures in pairs, from packed sets or plain folders, with what else is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from basicsr.utils.registry import DATASET_REGISTRY

from glowdeblur_plugin.data.dataset_base import (CropOptions, DeblurDataset, Symmetry, limit_worker_threads, random_crop,
                                                 to_tensor)
from glowdeblur_plugin.data.picture_source import check_pairs, open_source
from glowdeblur_plugin.data.randomness import draw_generator
from glowdeblur_plugin.data.side_data import CaptionSource, EmbeddingSource, MotionSource, SideSource
from glowdeblur_plugin.data.simulate.motion import flip_motion
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError, made_by
from glowdeblur_plugin.options import Between

SIDE_SOURCES = {'motion': MotionSource, 'caption': CaptionSource, 'embedding': EmbeddingSource}


@dataclass(kw_only=True)
class PairedLMDBOptions(CropOptions):
    """Keys of a `PairedLMDBDataset` section.

    Attributes:
        dataroot_lq: blurry pictures, a packed set (.lmdb) or a folder.
        dataroot_gt: sharp pictures of the same keys and sizes; may be left out in validation and test.
        dataroot_motion, dataroot_caption, dataroot_embedding: packed side data under the same keys, see `side_data`.
        text_length: tokens that embeddings are cut or filled up to (SANA's text encoder gives at most 300).
    """

    dataroot_lq: str
    dataroot_gt: str | None = None
    dataroot_motion: str | None = None
    dataroot_caption: str | None = None
    dataroot_embedding: str | None = None
    text_length: Annotated[int, Between(1)] = 300


@DATASET_REGISTRY.register()
class PairedLMDBDataset(DeblurDataset):
    """Random crops of pairs with flips in training, whole pairs in validation and test.

    Samples hold `lq`, `gt` (3, H, W), `domain` (the section's `name`) and both paths; without sharp pictures no `gt`.
    With side data also `motion` (3, H, W), the blur tensor in pixels, and `motion_known` (True); `caption` and `caption_origin`
    ('sharp' or 'blurry'); `text` (text_length, channels) float32 and `text_mask` (text_length,), true where a token counts.

    Raises:
        UserError: wrong option; missing path; keys or sizes that differ; damaged or too small picture.
    """

    Options = PairedLMDBOptions

    def __init__(self, opt: Mapping[str, Any], section: str | None = None) -> None:
        super().__init__(opt, section)
        self.lq = open_source(self.options.dataroot_lq, f'{self.section}:dataroot_lq', self.options.made_by)
        self.gt = None
        if self.options.dataroot_gt is not None:
            self.gt = open_source(self.options.dataroot_gt, f'{self.section}:dataroot_gt', self.options.made_by)
            check_pairs(self.lq, self.gt, self.section)
        self.side = {kind: self._open_side(kind) for kind in SIDE_SOURCES
                     if getattr(self.options, f'dataroot_{kind}') is not None}
        self.keys = self.usable_keys(self.lq)

    @classmethod
    def read_options(cls, opt: Mapping[str, Any], section: str) -> PairedLMDBOptions:
        """Check the section, see the base class."""
        options = super().read_options(opt, section)
        if opt.get('phase') == 'train' and options.dataroot_gt is None:
            raise UserError(f"{section}: key 'dataroot_gt' is missing (sharp pictures; only validation and test go without)")
        return options

    def _open_side(self, kind: str) -> SideSource:
        option, root = f'{self.section}:dataroot_{kind}', getattr(self.options, f'dataroot_{kind}')
        try:
            source = SIDE_SOURCES[kind](root)
            missing = self.lq.sizes.keys() - source.sizes.keys()
            if missing:
                raise UserError(f'{root} lacks {len(missing)} of {len(self.lq.sizes)} pictures of {self.lq.root}, '
                                f'such as {min(missing)}{made_by(self.options.made_by)}')
            if isinstance(source, MotionSource):
                for key, size in self.lq.sizes.items():
                    source.check_grid(key, size)
        except UserError as error:
            raise UserError(f'{option}: {error}') from None
        return source

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, draw: int) -> dict[str, Any]:
        limit_worker_threads()
        key = self.keys[draw % len(self.keys)]
        window, symmetry = Window(0, 0, *self.lq.sizes[key]), None
        if self.training:
            rng = draw_generator(self.options.seed, draw, 'pairs')
            window = random_crop(self.lq.sizes[key], self.options.gt_size, 0, rng)
            symmetry = Symmetry(self.options, rng)
        sample = {'domain': str(self.opt.get('name', 'pairs')), 'lq_path': self.lq.describe(key)}
        for side, source in (('lq', self.lq), ('gt', self.gt)):
            if source is not None:
                picture = source.read(key, window)
                sample[side] = to_tensor(symmetry(picture) if symmetry else picture, self.options.dtype)
                sample[f'{side}_path'] = source.describe(key)
        return sample | self._side_data(key, window, symmetry)

    def _side_data(self, key: str, window: Window, symmetry: Symmetry | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if 'motion' in self.side:
            motion = self.side['motion'].window(key, window)
            if symmetry:
                motion = flip_motion(motion, symmetry.horizontal, symmetry.vertical, symmetry.transpose)
            found |= {'motion': torch.from_numpy(motion), 'motion_known': True}
        if 'caption' in self.side:
            caption = self.side['caption'].read(key)
            found |= {'caption': caption.text, 'caption_origin': caption.origin}
        if 'embedding' in self.side:
            text, mask = self.side['embedding'].read(key, self.options.text_length)
            found |= {'text': torch.from_numpy(text), 'text_mask': torch.from_numpy(mask)}
        return found

    def blank_extras(self) -> dict[str, Any]:
        """No motion, no caption, no token, see the base class."""
        side, blanks = self.options.gt_size, {}
        if 'motion' in self.side:
            blanks |= {'motion': torch.zeros(3, side, side), 'motion_known': False}
        if 'caption' in self.side:
            blanks |= {'caption': '', 'caption_origin': ''}
        if 'embedding' in self.side:
            length, (_, channels) = self.options.text_length, next(iter(self.side['embedding'].sizes.values()))
            blanks |= {'text': torch.zeros(length, channels), 'text_mask': torch.zeros(length, dtype=torch.bool)}
        return blanks

    def fingerprint(self) -> str:
        """Hash of the settings, of both sides' keys and sizes, and of the kinds of side data."""
        return self.hash_of([source for source in (self.lq, self.gt) if source is not None], sorted(self.side))
