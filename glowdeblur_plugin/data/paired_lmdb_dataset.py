"""Blurry and sharp pictures in pairs, from packed sets or plain folders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from basicsr.utils.registry import DATASET_REGISTRY

from glowdeblur_plugin.data.dataset_base import (CropOptions, DeblurDataset, Symmetry, limit_worker_threads, random_crop,
                                                 to_tensor)
from glowdeblur_plugin.data.picture_source import check_pairs, open_source
from glowdeblur_plugin.data.randomness import draw_generator


@dataclass(kw_only=True)
class PairedLMDBOptions(CropOptions):
    """Keys of a `PairedLMDBDataset` section.

    Attributes:
        dataroot_lq: blurry pictures, a packed set (.lmdb) or a folder.
        dataroot_gt: sharp pictures of the same keys and sizes.
    """

    dataroot_lq: str
    dataroot_gt: str


@DATASET_REGISTRY.register()
class PairedLMDBDataset(DeblurDataset):
    """Random crops of pairs with flips in training, whole pairs in validation and test.

    Samples hold `lq`, `gt` (3, H, W), `domain` (the section's `name`) and both paths.

    Raises:
        UserError: wrong option; missing path; keys or sizes that differ; damaged or too small picture.
    """

    Options = PairedLMDBOptions

    def __init__(self, opt: Mapping[str, Any], section: str | None = None) -> None:
        super().__init__(opt, section)
        self.lq = open_source(self.options.dataroot_lq, f'{self.section}:dataroot_lq', self.options.made_by)
        self.gt = open_source(self.options.dataroot_gt, f'{self.section}:dataroot_gt', self.options.made_by)
        check_pairs(self.lq, self.gt, self.section)
        self.keys = self.usable_keys(self.gt)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, draw: int) -> dict[str, Any]:
        limit_worker_threads()
        key = self.keys[draw % len(self.keys)]
        if self.training:
            rng = draw_generator(self.options.seed, draw, 'pairs')
            window = random_crop(self.gt.sizes[key], self.options.gt_size, 0, rng)
            symmetry = Symmetry(self.options, rng)
            lq, gt = symmetry(self.lq.read(key, window)), symmetry(self.gt.read(key, window))
        else:
            lq, gt = self.lq.read(key), self.gt.read(key)
        return {
            'lq': to_tensor(lq, self.options.dtype), 'gt': to_tensor(gt, self.options.dtype),
            'domain': str(self.opt.get('name', 'pairs')), 'lq_path': self.lq.describe(key), 'gt_path': self.gt.describe(key),
        }

    def fingerprint(self) -> str:
        """Hash of the settings and of both sides' keys and sizes."""
        return self.hash_of([self.lq, self.gt])
