"""Guidance on the text (classifier-free guidance, Ho and Salimans 2022)."""

import torch
from torch import Tensor

from glowdeblur_plugin.archs.glowdeblur_arch import Condition, GLOWDeblur
from glowdeblur_plugin.diffusion.sampler import Velocity


def guided_velocity(net: GLOWDeblur, condition: Condition, text: Tensor | None = None, text_mask: Tensor | None = None,
                    guidance: float = 1.0) -> Velocity:
    """The velocity under `condition` (N pictures) as a function of noised latents (N, C, h, w) and levels (N,).

    With a text and a guidance g other than 1 it is v_null + g (v_text - v_null), both from one call of the backbone on 2 N
    latents; the picture's condition is the same in both. Otherwise it is the network's velocity. The text is read here, once,
    with the weights and the precision of this moment.

    Args:
        text, text_mask: see `GLOWDeblur.velocity`.
    """
    if text is None or guidance == 1:
        context = net.text_context(text, text_mask)
        return lambda noised, sigma: net.velocity(noised, sigma, condition, context)
    both = Condition(*map(_twice, (condition.prereconstruction, condition.aligned, condition.motion, condition.motion_map)))
    # Cross-attention over equal states gives what it gives over one of them, so the null embedding may be as long as the text.
    texts = torch.cat([net.null_text.to(text.dtype).expand_as(text), text])
    masks = None if text_mask is None else torch.cat([torch.ones_like(text_mask), text_mask])
    context = net.text_context(texts, masks)

    def velocity(noised: Tensor, sigma: Tensor) -> Tensor:
        plain, led = net.velocity(_twice(noised), _twice(sigma), both, context).float().chunk(2)
        return plain + guidance * (led - plain)

    return velocity


def _twice(part: Tensor) -> Tensor:
    return torch.cat([part, part])
