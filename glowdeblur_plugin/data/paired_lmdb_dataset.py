"""Blurry and sharp pictures in pairs, from packed sets or plain folders, with what else is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from basicsr.utils.registry import DATASET_REGISTRY

from glowdeblur_plugin.data.dataset_base import DeblurDataset, Symmetry, limit_worker_threads, random_crop, to_tensor
from glowdeblur_plugin.data.picture_source import check_pairs, open_source
from glowdeblur_plugin.data.randomness import draw_generator
from glowdeblur_plugin.data.sample_latents import SampleLatents, check_latent_options
from glowdeblur_plugin.data.sample_texts import SampleTexts, TextOptions, open_side
from glowdeblur_plugin.data.side_data import MotionSource
from glowdeblur_plugin.data.simulate.motion import flip_motion
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError


@dataclass(kw_only=True)
class PairedLMDBOptions(TextOptions):
    """Keys of a `PairedLMDBDataset` section.

    Attributes:
        dataroot_lq: blurry pictures, a packed set (.lmdb) or a folder.
        dataroot_gt: sharp pictures of the same keys and sizes; may be left out in validation and test.
        dataroot_motion: packed motion maps under the same keys, see `side_data`.
        dataroot_latent: packed latents of the sharp pictures under the same keys, for training on whole pictures without flips;
            `glowdeblur latents` makes them.
    """

    dataroot_lq: str
    dataroot_gt: str | None = None
    dataroot_motion: str | None = None
    dataroot_latent: str | None = None


@DATASET_REGISTRY.register()
class PairedLMDBDataset(DeblurDataset):
    """Random crops of pairs with flips in training, whole pairs in validation and test.

    Samples hold `lq`, `gt` (3, H, W), `domain` (the section's `name`) and both paths; without sharp pictures no `gt`.
    With side data also `motion` (3, H, W), the blur tensor in pixels, and `motion_known` (True), and what `SampleTexts` and
    `SampleLatents` read.

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
        self.motion = self._open_motion()
        self.texts = SampleTexts(self.options, self.section, self.lq)
        self.keys = self.usable_keys(self.lq)
        self.latents = SampleLatents(self.options.dataroot_latent, self.section, self.gt, self.options)

    @classmethod
    def read_options(cls, opt: Mapping[str, Any], section: str) -> PairedLMDBOptions:
        """Check the section, see the base class."""
        options = super().read_options(opt, section)
        if opt.get('phase') == 'train' and options.dataroot_gt is None:
            raise UserError(f"{section}: key 'dataroot_gt' is missing (sharp pictures; only validation and test go without)")
        if options.dataroot_latent is not None:
            check_latent_options(options, section, opt.get('phase') == 'train')
        return options

    def _open_motion(self) -> MotionSource | None:
        option = f'{self.section}:dataroot_motion'
        source = open_side(MotionSource, self.options.dataroot_motion, option, self.lq, self.options)
        if source is not None:
            for key, size in self.lq.sizes.items():
                try:
                    source.check_grid(key, size)
                except UserError as error:
                    raise UserError(f'{option}: {error}') from None
        return source

    def __len__(self) -> int:
        return len(self.keys)

    def lq_path(self, draw: int) -> str:
        """The path of the sample of a draw, without reading anything."""
        return self.lq.describe(self.keys[draw % len(self.keys)])

    def __getitem__(self, draw: int) -> dict[str, Any]:
        limit_worker_threads()
        key = self.keys[draw % len(self.keys)]
        window, symmetry = Window(0, 0, *self.lq.sizes[key]), None
        if self.training:
            rng = draw_generator(self.options.seed, draw, 'pairs')
            window = random_crop(self.lq.sizes[key], self.options.gt_size, 0, rng)
            symmetry = Symmetry(self.options, rng)
        sample = {'domain': str(self.opt.get('name', 'pairs')), 'lq_path': self.lq_path(draw)}
        for side, source in (('lq', self.lq), ('gt', self.gt)):
            if source is not None:
                picture = source.read(key, window)
                sample[side] = to_tensor(symmetry(picture) if symmetry else picture, self.options.dtype)
                sample[f'{side}_path'] = source.describe(key)
        return sample | self._motion_of(key, window, symmetry) | self.texts.read(key) | self.latents.read(key)

    def _motion_of(self, key: str, window: Window, symmetry: Symmetry | None) -> dict[str, Any]:
        if self.motion is None:
            return {}
        motion = self.motion.window(key, window)
        if symmetry:
            motion = flip_motion(motion, symmetry.horizontal, symmetry.vertical, symmetry.transpose)
        return {'motion': torch.from_numpy(motion), 'motion_known': True}

    def blank_extras(self) -> dict[str, Any]:
        """No motion, no caption, no token, no latent, see the base class."""
        side = self.options.gt_size
        blanks = {} if self.motion is None else {'motion': torch.zeros(3, side, side), 'motion_known': False}
        return blanks | self.texts.blanks() | self.latents.blanks()

    def fingerprint(self) -> str:
        """Hash of the settings, of both sides' keys and sizes, and of the kinds of side data."""
        side = ['motion'] * (self.motion is not None) + self.texts.kinds + ['latent'] * (self.latents.source is not None)
        return self.hash_of([source for source in (self.lq, self.gt) if source is not None], side)
