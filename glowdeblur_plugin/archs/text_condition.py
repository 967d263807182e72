"""Texts that enter the backbone: which encoder makes them, and what stands in where there is none."""

from typing import Literal

import torch
from torch import Tensor

from glowdeblur_plugin.diffusion.frozen import Frozen
from glowdeblur_plugin.diffusion.text_encoder import TextEncoder, encoder_reference, read_instruction
from glowdeblur_plugin.errors import UserError

SemanticName = Literal['none', 'cache', 'live']


def build_text_encoder(semantic: SemanticName, source: str | None, instruction: str | None, length: int,
                       channels: int) -> Frozen | None:
    """The frozen text encoder of `semantic: live`, None for the others, which have none.

    Args:
        source: folder or hub id.
        instruction: file with what is put before each text.
        length: tokens of a text at most.
        channels: of the texts that the backbone takes.

    Raises:
        UserError: a key that is missing or not read, no encoder at `source`, or one of other channels.
    """
    if semantic != 'live':
        for key, value in (('text_encoder', source), ('text_instruction', instruction)):
            if value is not None:
                raise UserError(f"network_g:{key}: is read with semantic: live only, found semantic: {semantic}; leave it out")
        return None
    if source is None:
        raise UserError('network_g:text_encoder: semantic: live needs the folder or hub id of a text encoder')
    words = read_instruction('network_g:text_instruction', instruction)
    encoder = TextEncoder.from_pretrained('network_g:text_encoder', source, length, words)
    if encoder.channels != channels:
        raise UserError(f'network_g:text_encoder: {source!r} gives texts of {encoder.channels} channels, the backbone takes '
                        f'{channels}')
    return Frozen(encoder, encoder_reference(source, words))


def fill_absent(null_text: Tensor, text: Tensor, text_mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Put the null embedding (1, 1, C) where none of a text's states counts, as the only one that does.

    Args:
        text: states (N, L, C).
        text_mask: (N, L), 1 where a state counts; None where all do.

    Returns:
        States (N, L, C) and mask (N, L).
    """
    if text_mask is None:
        return text, None
    counted = text_mask.bool()
    absent = ~counted.any(dim=1, keepdim=True)
    first = torch.arange(text.shape[1], device=text.device) == 0
    return torch.where(absent[..., None], null_text.to(text.dtype), text), counted | (absent & first)
