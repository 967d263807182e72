"""Low-rank adapters on the frozen backbone (LoRA, Hu et al. 2021), by peft."""

import copy
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from diffusers import SanaTransformer2DModel
from torch import Tensor, nn

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between

Network = TypeVar('Network', bound=nn.Module)
ATTENTION, FEED_FORWARD = ('to_q', 'to_k', 'to_v', 'to_out.0'), ('conv_inverted', 'conv_point')
TRAINED_WHOLE = 'patch_embed.proj'


@dataclass(kw_only=True)
class LoraOptions:
    """`network_g:lora`: a layer W x becomes W x + (alpha / rank) B A x with trained A (rank rows) and B, zero at the start
    (equation 3 of LoRA).

    Attributes:
        rank: rows of A, columns of B.
        alpha: alpha / rank scales the change, and under AdamW the adapters' pace against that of all else that is trained.
        targets: ends of the names of the linear layers and convolutions that get one; by default all of attention and the
            1x1 convolutions of the feed-forward part (our choice).
    """

    rank: Annotated[int, Between(1)] = 16
    alpha: Annotated[float, Between(1e-6)] = 16.0
    targets: list[str] = field(default_factory=lambda: [*ATTENTION, *FEED_FORWARD])


def add_adapters(backbone: SanaTransformer2DModel, options: LoraOptions) -> None:
    """Freeze the backbone and put trained adapters beside its layers; at first they change nothing.

    Its first layer, which holds the new columns of the widened input, stays trained as a whole. What is frozen is no longer in
    its `state_dict`.

    Raises:
        UserError: peft is not installed, or a target is no layer of the backbone that can have an adapter.
    """
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise UserError(f'network_g:lora: needs peft ({error}); pip install "glowdeblur_plugin[lora]"') from error
    layers = _layers(backbone, options.targets)
    backbone.add_adapter(LoraConfig(r=options.rank, lora_alpha=options.alpha, target_modules=layers))
    backbone.get_submodule(TRAINED_WHOLE).requires_grad_(True)
    backbone.register_state_dict_post_hook(_leave_out_frozen)


def has_adapters(network: nn.Module) -> bool:
    """Whether the network's `backbone` has them."""
    return bool(getattr(network.backbone, 'peft_config', None))


def without_adapters(network: Network) -> Network:
    """The network as it was before its backbone got adapters, in the same tensors: what is written into one is in both."""
    view = copy.deepcopy(network, {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())})
    view.backbone.unload_lora()
    return view


def merged(network: Network) -> Network:
    """A copy whose backbone has W + (alpha / rank) B A for W and no adapters: same output, plain names, all weights its own."""
    twin = copy.deepcopy(network)
    twin.backbone.fuse_lora()
    twin.backbone.unload_lora()
    twin.backbone.reference = None
    return twin


def _leave_out_frozen(backbone: nn.Module, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    if getattr(backbone, 'peft_config', None):
        for name in [name for name in state if name.startswith(prefix)]:
            if '.lora_' not in name and not name.startswith(f'{prefix}{TRAINED_WHOLE}.'):
                del state[name]


def _layers(backbone: nn.Module, targets: Collection[str]) -> list[str]:
    """Full names of the layers that `targets` are the ends of."""
    names = [name for name, layer in backbone.named_modules() if name != TRAINED_WHOLE and
             (isinstance(layer, nn.Linear) or isinstance(layer, nn.Conv2d) and layer.groups == 1)]
    found: list[str] = []
    for target in targets:
        fitting = [name for name in names if f'.{name}'.endswith(f'.{target}')]
        if not fitting:
            ends = sorted({'.'.join(name.split('.')[-2:]) if name[-1].isdigit() else name.split('.')[-1] for name in names})
            raise UserError(f'network_g:lora:targets: {target!r} is no layer of the backbone that can have an adapter; its '
                            f'layers end in {", ".join(ends)}')
        found += fitting
    return found
