"""What the parts of GLOWDeblur need at least to restore a picture: multiplications and values moved, counted on shapes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderDC
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from glowdeblur_plugin.archs.domain_alignment import CodecAlignment
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.picture_parts import picture_and_features
from glowdeblur_plugin.archs.text_context import TextContext
from glowdeblur_plugin.diffusion.autoencoder_codec import SANA_AUTOENCODER, AutoencoderCodec
from glowdeblur_plugin.diffusion.frozen import Frozen
from glowdeblur_plugin.models.dry_run import dry_network

FLOPS_OF_MAC = 2


@dataclass(frozen=True)
class Cost:
    """What one use of a part costs.

    Attributes:
        macs: multiply-accumulates of its convolutions and matrix products, grouped and depth-wise ones and those of linear
            attention included; element-wise work, norms and softmax are not counted.
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


def count_sampling(height: int, width: int, **arguments: Any) -> dict[str, Cost]:
    """The cost of each part of restoring one picture of height x width pixels, multiples of the network's `size_multiple`, with
    the null text.

    Args:
        arguments: of `UntrainedGLOWDeblur`.

    Returns:
        `prereconstruction`, `encoder` (of one picture), `alignment` (without the encoder), `motion`, `text` (what
        cross-attention makes of it, once), `decoder` and `step` (one step of the backbone with that).
    """
    net, mode = dry_network(lambda: UntrainedGLOWDeblur(**arguments).eval())
    weights = {id(tensor): tensor for owner in (net, net.codec.held) for tensor in (*owner.parameters(), *owner.buffers())}
    with mode:
        parts = part_runs(net, height, width)
        step = parts.pop('step')
        costs = {name: _count(part.run, part.inputs, weights.values()) for name, part in parts.items()}
        # In a step the projection of the text is called on no tokens at all, which reads nothing.
        for part in (net.backbone.caption_projection, net.backbone.caption_norm):
            for parameter in part.parameters():
                del weights[id(parameter)]
        return costs | {'step': _count(step.run, step.inputs, weights.values())}


class PartRun(NamedTuple):
    """A part of GLOWDeblur at work on one picture.

    Attributes:
        module: what holds its weights; None where that is counted with another part.
        run: one use of it.
        inputs: what comes in.
    """

    module: nn.Module | None
    run: Callable[[], Any]
    inputs: tuple[Tensor, ...]


def part_runs(net: GLOWDeblur, height: int, width: int) -> dict[str, PartRun]:
    """The parts of restoring a picture of height x width pixels with a network from `dry_network`, under its mode; names as of
    `count_sampling`."""
    lq, sigma = torch.empty(1, 3, height, width), torch.empty(1)
    condition, context = net.condition(lq), net.text_context()
    latent = condition.aligned.detach()
    picture, features = picture_and_features(net.prereconstruction, lq)
    halves = getattr(net.codec.held, 'autoencoder', None)
    return {
        'prereconstruction': PartRun(net.prereconstruction, lambda: picture_and_features(net.prereconstruction, lq), (lq, )),
        'encoder': PartRun(getattr(halves, 'encoder', None), lambda: net.encode(lq), (lq, )),
        'alignment': PartRun(net.alignment, lambda: net.alignment(picture, features, lambda _: latent), (features, latent)),
        'motion': PartRun(net.motion, lambda: net.motion(lq), (lq, )),
        'text': PartRun(None, lambda: _tensors(net.text_context()), ()),
        'step': PartRun(net.backbone, lambda: net.velocity(latent, sigma, condition, context),
                        (latent, condition.aligned, condition.motion_map, *_tensors(context))),
        'decoder': PartRun(getattr(halves, 'decoder', None), lambda: net.decode(latent), (latent, )),
    }


def sampling_uses(net: GLOWDeblur, steps: int) -> dict[str, int]:
    """How often a sampler at guidance 1 uses each part that `count_sampling` counts, for one picture."""
    encodings = int(isinstance(net.alignment, CodecAlignment))
    return {'prereconstruction': 1, 'encoder': encodings, 'alignment': 1, 'motion': 1, 'text': 1, 'step': steps, 'decoder': 1}


def _tensors(context: TextContext) -> tuple[Tensor, ...]:
    return (*context.keys, *context.values, *context.answers)


@torch.enable_grad()
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
