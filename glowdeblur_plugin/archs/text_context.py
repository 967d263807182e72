"""The text side of cross-attention, computed once for all steps of a sampler."""

from dataclasses import dataclass
from typing import ClassVar

from diffusers import SanaTransformer2DModel
from diffusers.models.attention_processor import Attention
from diffusers.models.transformers.sana_transformer import SanaAttnProcessor2_0
from torch import Tensor
from torch.nn import functional as F

MASKED = -10000.0


@dataclass(frozen=True)
class TextContext:
    """What the cross-attentions of a backbone make of a text, whatever the noise level.

    It belongs to the weights that made it. Over a single state, such as the null embedding, attention gives that state's value
    to every query, so that its output is known beforehand too.

    Attributes:
        keys, values: for each block (N, heads, L, channels of a head); none where there are `answers`.
        bias: (N, 1, 1, L) added to the scores, or None where every state counts.
        answers: for each block (N, 1, width), the whole output of cross-attention over a text of one state.
        empty: (N, 0, caption channels), given to the backbone in place of the text.
        ndim: tells diffusers that this is no mask of two dimensions; it hands others on to the attention as they are.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    bias: Tensor | None
    answers: tuple[Tensor, ...]
    empty: Tensor
    ndim: ClassVar[int] = 0


class TextAttention(SanaAttnProcessor2_0):
    """diffusers' cross-attention of the block `index` that takes a `TextContext` too, in place of its mask."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def __call__(self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,
                 attention_mask: Tensor | TextContext | None = None) -> Tensor:
        """Attend from the tokens (N, T, width) of `hidden_states`; gives (N, T, width), or (N, 1, width) where all are alike.

        The arguments' names are diffusers'.
        """
        if not isinstance(attention_mask, TextContext):
            return super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask)
        context = attention_mask
        if context.answers:
            return context.answers[self.index]
        query = attn.to_q(hidden_states)
        if attn.norm_q is not None:
            query = attn.norm_q(query)
        mixed = F.scaled_dot_product_attention(_split(attn, query), context.keys[self.index], context.values[self.index],
                                               context.bias)
        return _output(attn, mixed.transpose(1, 2).flatten(2))


def read_texts_once(backbone: SanaTransformer2DModel) -> None:
    """Let every cross-attention of the backbone take a `TextContext`; weights, their names and other calls stay as they are."""
    for index, block in enumerate(backbone.transformer_blocks):
        block.attn2.set_processor(TextAttention(index))


def text_context(backbone: SanaTransformer2DModel, text: Tensor, mask: Tensor | None = None) -> TextContext:
    """The context of a text with the backbone's present weights.

    Args:
        backbone: prepared by `read_texts_once`.
        text: states (N, L, caption channels).
        mask: (N, L), 1 where a state counts; None where all do.
    """
    states = backbone.caption_norm(backbone.caption_projection(text))
    attentions = [block.attn2 for block in backbone.transformer_blocks]
    values = tuple(attention.to_v(states) for attention in attentions)
    empty = text[:, :0]
    if mask is None and text.shape[1] == 1:
        return TextContext((), (), None, tuple(map(_output, attentions, values)), empty)
    keys = [attention.to_k(states) for attention in attentions]
    keys = [key if attention.norm_k is None else attention.norm_k(key) for attention, key in zip(attentions, keys)]
    bias = None if mask is None else ((1 - mask.to(keys[0].dtype)) * MASKED)[:, None, None]
    return TextContext(tuple(map(_split, attentions, keys)), tuple(map(_split, attentions, values)), bias, (), empty)


def _split(attention: Attention, tokens: Tensor) -> Tensor:
    return tokens.unflatten(-1, (attention.heads, -1)).transpose(1, 2)


def _output(attention: Attention, mixed: Tensor) -> Tensor:
    return attention.to_out[1](attention.to_out[0](mixed)) / attention.rescale_output_factor
