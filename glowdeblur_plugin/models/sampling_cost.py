"""What the parts of GLOWDeblur cost: weights, multiplications and moved values of a picture, counted before anything is
allocated."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderDC
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from glowdeblur_plugin.archs.domain_alignment import CodecAlignment
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.picture_parts import picture_and_features
from glowdeblur_plugin.archs.text_context import TextContext
from glowdeblur_plugin.diffusion.autoencoder_codec import SANA_AUTOENCODER, AutoencoderCodec
from glowdeblur_plugin.diffusion.frozen import Frozen

FLOPS_OF_MAC = 2


@dataclass(frozen=True)
class Cost:
    """What one use of a part costs.

    Attributes:
        macs: multiply-accumulates of its convolutions and matrix products, grouped and depth-wise ones and both of attention
            included; element-wise work, norms and softmax are not counted.
        weights: values of the weights that it reads, each once.
        inputs, outputs: values that come in and go out, what stays inside not counted.
    """

    macs: int
    weights: int
    inputs: int
    outputs: int


class UntrainedGLOWDeblur(GLOWDeblur):
    """GLOWDeblur in the shape of its published parts without their files: an untrained backbone of the variant and, but for
    nano, SANA's autoencoder with random weights. Arguments as of `GLOWDeblur`; `codec` and `backbone` are not read."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{**arguments, 'codec': None, 'backbone': None})

    def build_codec(self, variant: str, path: str | None) -> Frozen:
        """The codec of the variant, untrained."""
        return super().build_codec(variant, None) if variant == 'nano' else Frozen(
            AutoencoderCodec(AutoencoderDC(**SANA_AUTOENCODER)))


def outline(**arguments: Any) -> UntrainedGLOWDeblur:
    """A network of that shape on the meta device, in eval mode: shapes without memory. Arguments as of `GLOWDeblur`."""
    with torch.device('meta'):
        return UntrainedGLOWDeblur(**arguments).eval()


@torch.enable_grad()
def count_parts(net: GLOWDeblur, height: int, width: int, text_length: int = 1) -> dict[str, Cost]:
    """The cost of each part of one picture of height x width pixels, multiples of `net.size_multiple`.

    Args:
        net: on the meta device, see `outline`, where counting takes neither memory nor time.
        text_length: tokens of the text; the null embedding is one.

    Returns:
        `prereconstruction`, `encoder` (of one picture), `alignment` (without the encoder), `motion`, `backbone` (one step with
        its text, as training takes it), `text` (keys and values, which a sampler computes once), `step` (one step with these) and
        `decoder`.
    """
    device = net.null_text.device
    lq = torch.empty(1, 3, height, width, device=device)
    latent = torch.empty(1, net.latent_channels, height // net.compression, width // net.compression, device=device)
    text = torch.empty(1, text_length, net.null_text.shape[-1], device=device)
    sigma = torch.empty(1, device=device)
    condition = net.condition(lq)
    picture, features = picture_and_features(net.prereconstruction, lq)
    context = net.text_context(text)
    noised = (latent, condition.aligned, condition.motion_map)
    parts: dict[str, tuple[Callable[[], Any], Iterable[Tensor]]] = {
        'prereconstruction': (lambda: picture_and_features(net.prereconstruction, lq), (lq,)),
        'encoder': (lambda: net.encode(lq), (lq,)),
        'alignment': (lambda: net.alignment(picture, features, lambda _: latent), (features, latent)),
        'motion': (lambda: net.motion(lq), (lq,)),
        'backbone': (lambda: net.velocity(latent, sigma, condition, text), (*noised, text)),
        'text': (lambda: _tensors(net.text_context(text)), (text,)),
        'step': (lambda: net.velocity(latent, sigma, condition, context), (*noised, *_tensors(context))),
        'decoder': (lambda: net.decode(latent), (latent,)),
    }
    weights = {id(tensor): tensor for owner in (net, net.codec.held) for tensor in (*owner.parameters(), *owner.buffers())}
    costs = {name: _count(call, inputs, weights.values()) for name, (call, inputs) in parts.items() if name != 'step'}
    # In a step the projection of the text is called on no tokens at all, which reads nothing.
    for part in (net.backbone.caption_projection, net.backbone.caption_norm):
        for parameter in part.parameters():
            del weights[id(parameter)]
    return costs | {'step': _count(*parts['step'], weights.values())}


def sampling_uses(net: GLOWDeblur, steps: int) -> dict[str, int]:
    """How often a sampler at guidance 1 uses each part that `count_parts` counts, for one picture."""
    encodings = int(isinstance(net.alignment, CodecAlignment))
    return {'prereconstruction': 1, 'encoder': encodings, 'alignment': 1, 'motion': 1, 'text': 1, 'step': steps, 'decoder': 1}


def _tensors(context: TextContext) -> tuple[Tensor, ...]:
    return (*context.keys, *context.values, *context.answers)


def _count(call: Callable[[], Any], inputs: Iterable[Tensor], weights: Iterable[Tensor]) -> Cost:
    with FlopCounterMode(display=False) as counter, _WeightsRead(weights) as read:
        outputs = tree_leaves(call())
    return Cost(counter.get_total_flops() // FLOPS_OF_MAC, read.values, *(sum(tensor.numel() for tensor in tensors)
                                                                         for tensors in (inputs, outputs)))


class _WeightsRead(TorchDispatchMode):
    """Notes which of the given tensors are read."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        super().__init__()
        self._unread = {id(tensor): tensor.numel() for tensor in weights}
        self.values = 0

    def __torch_dispatch__(self, function: Any, kinds: Any, arguments: tuple[Any, ...] = (),
                           named: dict[str, Any] | None = None) -> Any:
        for leaf in tree_leaves((arguments, named)):
            self.values += self._unread.pop(id(leaf), 0)
        return function(*arguments, **(named or {}))
