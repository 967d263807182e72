"""Captions and text embeddings that go with the pictures of a dataset."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import torch

from glowdeblur_plugin.data.dataset_base import CropOptions
from glowdeblur_plugin.data.picture_source import PictureSource
from glowdeblur_plugin.data.side_data import CaptionSource, EmbeddingSource, SideSource
from glowdeblur_plugin.errors import UserError, made_by
from glowdeblur_plugin.options import Between

Source = TypeVar('Source', bound=SideSource)


@dataclass(kw_only=True)
class TextOptions(CropOptions):
    """Keys of a dataset whose pictures may have texts.

    Attributes:
        dataroot_caption, dataroot_embedding: packed side data under the pictures' keys, see `side_data`.
        text_length: tokens that embeddings are cut or filled up to (SANA's text encoder gives at most 300); the same as
            `network_g:text_length`.
    """

    dataroot_caption: str | None = None
    dataroot_embedding: str | None = None
    text_length: Annotated[int, Between(1)] = 300


class SampleTexts:
    """The texts of a dataset's samples.

    Args:
        options: of the dataset.
        section: its name, which starts errors.
        pictures: whose keys the texts must have.

    Raises:
        UserError: a set of texts is missing, of another kind, or lacks a key.
    """

    def __init__(self, options: TextOptions, section: str, pictures: PictureSource) -> None:
        self.length = options.text_length
        self.captions = open_side(CaptionSource, options.dataroot_caption, f'{section}:dataroot_caption', pictures, options)
        self.embeddings = open_side(EmbeddingSource, options.dataroot_embedding, f'{section}:dataroot_embedding', pictures,
                                    options)

    @property
    def kinds(self) -> list[str]:
        """Which kinds of texts there are."""
        sources = {'caption': self.captions, 'embedding': self.embeddings}
        return [kind for kind, source in sources.items() if source is not None]

    def read(self, key: str) -> dict[str, Any]:
        """What a sample holds of them: `caption` and `caption_origin` ('sharp' or 'blurry'); `text` (text_length, channels)
        float32, `text_mask` (text_length,), true where a token counts, and `text_origin`."""
        found: dict[str, Any] = {}
        if self.captions is not None:
            caption = self.captions.read(key)
            found |= {'caption': caption.text, 'caption_origin': caption.origin}
        if self.embeddings is not None:
            text, mask = self.embeddings.read(key, self.length)
            found |= {'text': torch.from_numpy(text), 'text_mask': torch.from_numpy(mask),
                      'text_origin': self.embeddings.origin}
        return found

    def blanks(self) -> dict[str, Any]:
        """No caption and no token, in the form of `read`."""
        blanks: dict[str, Any] = {}
        if self.captions is not None:
            blanks |= {'caption': '', 'caption_origin': ''}
        if self.embeddings is not None:
            _, channels = next(iter(self.embeddings.sizes.values()))
            blanks |= {'text': torch.zeros(self.length, channels), 'text_mask': torch.zeros(self.length, dtype=torch.bool),
                       'text_origin': ''}
        return blanks


def open_side(kind: type[Source], root: str | None, option: str, pictures: PictureSource,
              options: CropOptions) -> Source | None:
    """Side data of `pictures`, None where `root` is.

    Raises:
        UserError: not a packed set of that kind, or it lacks a picture's key; starts with `option`.
    """
    if root is None:
        return None
    try:
        source = kind(root)
    except UserError as error:
        raise UserError(f'{option}: {error}') from None
    missing = pictures.sizes.keys() - source.sizes.keys()
    if missing:
        raise UserError(f'{option}: {root} lacks {len(missing)} of {len(pictures.sizes)} pictures of {pictures.root}, '
                        f'such as {min(missing)}{made_by(options.made_by)}')
    return source
