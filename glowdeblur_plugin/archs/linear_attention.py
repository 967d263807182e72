"""SANA's linear self-attention with its sums in float32, also under autocast."""

from diffusers import SanaTransformer2DModel
from diffusers.models.attention_processor import Attention
from torch import Tensor
from torch.nn import functional as F

from glowdeblur_plugin.diffusion.precision import without_autocast

FLOOR = 1e-15


class LinearAttention:
    """Attention processor for diffusers: ReLU kernels, out = q (k^T v) / q (k^T 1) (SANA, Xie et al. 2024, section 2.2).

    Same result as diffusers' own in float32. That one casts to float32 too, but under autocast its products fall back to
    bfloat16, the sum over all tokens that it divides by included; here autocast is off for them.
    """

    def __call__(self, attention: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,
                 attention_mask: Tensor | None = None) -> Tensor:
        """Attend over the tokens (N, L, width) of `hidden_states`; the two other arguments are diffusers' and not used by
        self-attention."""
        query, key, value = (project(hidden_states) for project in (attention.to_q, attention.to_k, attention.to_v))
        if attention.norm_q is not None:
            query = attention.norm_q(query)
        if attention.norm_k is not None:
            key = attention.norm_k(key)
        with without_autocast(hidden_states.device):
            query, key, value = (part.float().unflatten(-1, (attention.heads, -1)).transpose(1, 2)
                                 for part in (query, key, value))
            query, key = F.relu(query), F.relu(key)
            mixed = query @ (key.transpose(-1, -2) @ value)
            total = query @ key.sum(dim=-2).unsqueeze(-1)
            attended = (mixed / (total + FLOOR)).transpose(1, 2).flatten(2).to(hidden_states.dtype)
        return attention.to_out[1](attention.to_out[0](attended))


def use_float32_sums(backbone: SanaTransformer2DModel) -> None:
    """Give every self-attention of the backbone the processor above; weights and their names stay."""
    for block in backbone.transformer_blocks:
        block.attn1.set_processor(LinearAttention())
