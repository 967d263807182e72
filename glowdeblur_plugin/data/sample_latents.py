"""Latents of sharp pictures, encoded once instead of at every step: for training on whole pictures without flips."""

import hashlib
from typing import Any

import torch

from glowdeblur_plugin.data.dataset_base import CropOptions
from glowdeblur_plugin.data.lmdb_store import CHECKSUM_FILE
from glowdeblur_plugin.data.picture_source import LmdbSource, PictureSource
from glowdeblur_plugin.data.sample_texts import open_side
from glowdeblur_plugin.data.side_data import LatentSource
from glowdeblur_plugin.errors import UserError

MAKE_AGAIN = 'make it again with glowdeblur latents'


def check_latent_options(options: CropOptions, section: str, training: bool) -> None:
    """Refuse latents where the sharp picture is turned, or not needed.

    Raises:
        UserError: validation or test; or flips are on.
    """
    if not training:
        raise UserError(f'{section}:dataroot_latent: only training uses latents of sharp pictures; leave it out')
    for key in ('use_hflip', 'use_rot'):
        if getattr(options, key):
            raise UserError(f'{section}:dataroot_latent: a latent is that of the picture as it is; set {key}: false, or leave '
                            'the latents out')


def check_whole_crops(pictures: PictureSource | None, options: CropOptions, section: str) -> LmdbSource:
    """The packed set of sharp pictures, every one of which is a crop already.

    Raises:
        UserError: a plain folder or a set without checksums, which could not be told from a later one; or a picture of another
            size than `gt_size`.
    """
    if not isinstance(pictures, LmdbSource) or not (pictures.root / CHECKSUM_FILE).is_file():
        raise UserError(f'{section}:dataroot_latent: needs dataroot_gt to be a packed set with checksums; pack it with '
                        'glowdeblur pack')
    side = options.gt_size
    for key, (height, width) in pictures.sizes.items():
        if (height, width) != (side, side):
            raise UserError(f'{section}:dataroot_latent: {pictures.describe(key)} is {width}x{height}, so its crops of gt_size '
                            f'{side} differ from draw to draw; pack the set with --crop {side}, or leave the latents out')
    return pictures


def pictures_digest(pictures: LmdbSource) -> str:
    """Hash of all pictures of a packed set, by its checksums."""
    return hashlib.sha256((pictures.root / CHECKSUM_FILE).read_bytes()).hexdigest()


class SampleLatents:
    """The latents of a dataset's sharp pictures.

    Args:
        root: packed latents, None for none.
        section: name of the dataset, which starts errors.
        pictures: the sharp ones.
        options: of the dataset.

    Attributes:
        source: None where there are none.

    Raises:
        UserError: a set of another kind, that lacks a key or was made from other pictures; or see `check_whole_crops`.
    """

    def __init__(self, root: str | None, section: str, pictures: PictureSource | None, options: CropOptions) -> None:
        self.source: LatentSource | None = None
        if root is None:
            return
        packed = check_whole_crops(pictures, options, section)
        self.source = open_side(LatentSource, root, f'{section}:dataroot_latent', packed, options)
        if self.source.manifest.details.get('pictures') != pictures_digest(packed):
            raise UserError(f'{section}:dataroot_latent: {root} was made from other pictures than {packed.root} holds; '
                            f'{MAKE_AGAIN}')

    def read(self, key: str) -> dict[str, Any]:
        """What a sample holds of them: `latent` (C, h, w) of its sharp picture, float32, and `latent_known` (True)."""
        if self.source is None:
            return {}
        return {'latent': torch.from_numpy(self.source.read(key)), 'latent_known': True}

    def blanks(self) -> dict[str, Any]:
        """A zero latent, not known, in the form of `read`."""
        if self.source is None:
            return {}
        return {'latent': torch.zeros(self.source.channels, *next(iter(self.source.sizes.values()))), 'latent_known': False}
