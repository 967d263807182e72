"""What the words of a caption become: the states of SANA's text encoder."""

import hashlib
from pathlib import Path, PurePath
from typing import Any

import torch
from torch import Tensor, nn

from glowdeblur_plugin.diffusion.language_models import load_language_model, load_processor
from glowdeblur_plugin.diffusion.pretrained import WeightsReference, weights_reference
from glowdeblur_plugin.errors import UserError

TEXT_LENGTH = 300


class TextEncoder(nn.Module):
    """The decoder of a causal language model (SANA: Gemma-2-2b-it) read as an encoder, with the text handling of diffusers'
    `SanaPipeline`.

    A text is put into lower case and stripped. With an instruction before it, the first token and those from the instruction's
    last one on are kept. A later token does not change an earlier state, so texts are filled up to the longest of a batch only.

    Args:
        decoder: maps tokens (N, L) to states (N, L, channels).
        tokenizer: its own, which pads on the right here.
        length: tokens that are kept at most, special ones included.
        instruction: what is put before each text; the empty text for none.
    """

    def __init__(self, decoder: nn.Module, tokenizer: Any, length: int = TEXT_LENGTH, instruction: str = '') -> None:
        super().__init__()
        self.decoder, self.tokenizer, self.length, self.instruction = decoder, tokenizer, length, instruction
        tokenizer.padding_side = 'right'
        self.channels: int = decoder.config.hidden_size

    @classmethod
    def from_pretrained(cls, option: str, source: str, length: int = TEXT_LENGTH, instruction: str = '') -> 'TextEncoder':
        """Load from a transformers folder or hub id (safetensors only), in the precision of its files.

        Raises:
            UserError: no causal language model or no tokenizer is there, or transformers is missing; starts with `option`.
        """
        decoder = load_language_model(option, 'AutoModelForCausalLM', source).get_decoder()
        tokenizer = load_processor(option, 'AutoTokenizer', tokenizer_source(source), decoder)
        return cls(decoder, tokenizer, length, instruction)

    @torch.no_grad()
    def encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """States (N, length, channels) of texts, float32, zero after each text's last token, and a mask (N, length), true where
        a state counts. An empty text has no state that does."""
        cleaned = [text.lower().strip() for text in texts]
        before = len(self.tokenizer.encode(self.instruction)) if self.instruction else 0
        first = max(before - 1, 1)
        tokens = self.tokenizer([self.instruction + text for text in cleaned], padding='longest', truncation=True,
                                max_length=first + self.length - 1, return_tensors='pt')
        device = next(self.decoder.parameters()).device
        ids, valid = tokens.input_ids.to(device), tokens.attention_mask.to(device)
        with torch.autocast(device.type, enabled=False):
            states = self.decoder(ids, attention_mask=valid)[0].float()
        states, valid = (torch.cat([part[:, :1], part[:, first:]], dim=1) for part in (states, valid))
        given = torch.tensor([bool(text) for text in cleaned], device=device)
        mask = torch.zeros(len(texts), self.length, dtype=torch.bool, device=device)
        mask[:, :valid.shape[1]] = valid.bool() & given[:, None]
        padded = states.new_zeros(len(texts), self.length, self.channels)
        padded[:, :states.shape[1]] = states * mask[:, :states.shape[1], None]
        return padded, mask


def tokenizer_source(source: str) -> str:
    """Where the tokenizer of a text encoder lies: with it or, as in diffusers' pipelines, in `tokenizer` beside
    `text_encoder`."""
    path = PurePath(source)
    beside = str(path.with_name('tokenizer')) if path.name == 'text_encoder' else source
    return beside if not Path(source).exists() or Path(beside).exists() else source


def encoder_reference(source: str, instruction: str = '') -> WeightsReference:
    """Which encoder makes states of texts: its source, and the hash of its weights (and of the instruction where there is
    one)."""
    weights = weights_reference(source)
    if not instruction:
        return weights
    return WeightsReference(source, hashlib.sha256(f'{weights.sha256} {instruction}'.encode()).hexdigest())


def read_instruction(option: str, file: str | None) -> str:
    """The text of an instruction file less the end of its last line; empty for None.

    Raises:
        UserError: it cannot be read; starts with `option`.
    """
    if file is None:
        return ''
    try:
        return Path(file).read_text(encoding='utf-8').removesuffix('\n')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{option}: {file} cannot be read as text ({error})') from None
