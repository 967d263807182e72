"""What a network costs: parameters, multiply-accumulates and memory, counted on shapes alone (see dry_run.py)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.recomputation import enable_gradient_checkpointing
from glowdeblur_plugin.models.dry_run import DryRun, LiveBytes, weight_bytes
from glowdeblur_plugin.models.options import DeblurTrainOptions
from glowdeblur_plugin.models.sampling_cost import FLOPS_OF_MAC, PartRun, part_runs, sampling_uses

ADAM_MOMENTS = 2


class PartCount(NamedTuple):
    """A part of a network.

    Attributes:
        name: what it is called in the paper or the code.
        parameters, trained: how many it has, and how many of them are trained.
        macs: multiply-accumulates of one forward pass over one picture.
        live_bytes: the most that its tensors need at one time in that pass without gradient, beside the weights.
    """

    name: str
    parameters: int
    trained: int
    macs: int
    live_bytes: int


def count_parts(network: nn.Module, mode: DryRun, height: int, width: int) -> list[PartCount]:
    """The parts of a network from `dry_network`, each in one forward pass over a picture of `height` x `width`, multiples of the
    network's `size_multiple`, in float32; of networks other than GLOWDeblur the whole.

    The alignment is counted without the codec's encoder that it runs, the backbone with one step of sampling, and without a text
    but the null embedding, whose weights are the backbone's.
    """
    with mode:
        if isinstance(network, GLOWDeblur):
            runs = part_runs(network, height, width)
        else:
            picture = torch.empty(1, 3, height, width)
            runs = {'network': PartRun(network, lambda: network(picture), (picture, ))}
    return [PartCount(name, *_sizes(part.module), *_cost(mode, part.run)) for name, part in runs.items()]


def picture_macs(network: nn.Module, parts: list[PartCount], steps: int | None) -> int:
    """Multiply-accumulates of restoring one picture: the sum over the parts from `count_parts` of how often each is used, with
    `steps` of sampling at guidance 1 (None for networks that do not sample)."""
    uses = {} if steps is None else sampling_uses(network, steps)
    return sum(uses.get(part.name, 1) * part.macs for part in parts)


def training_memory(network: nn.Module, mode: DryRun, options: DeblurTrainOptions, crops: int, side: int) -> dict[str, int]:
    """Bytes that training needs on one device, by what needs them.

    `activations` is the most that lives at one time beside the rest in forward and backward pass of one micro-batch of `crops`
    crops of `side` x `side`, where gradients are added to those of a micro-batch before: what autograd keeps, and the layers' own
    working memory. The terms of the loss are not in it, nor what the framework and its allocator hold besides.
    """
    trained = weight_bytes(network, trained=True)
    network.train()
    if options.gradient_checkpointing:
        enable_gradient_checkpointing(network)
    with mode:
        for value in network.parameters():
            value.grad = torch.empty_like(value) if value.requires_grad else None
        with LiveBytes() as live:
            with torch.autocast('cpu', torch.bfloat16, enabled=options.precision == 'bf16'):
                outputs = _training_pass(network, torch.empty(crops, 3, side, side), getattr(options, 'flow_draws', 1))
            sum(output.float().square().mean() for output in outputs).backward()
    network.zero_grad(set_to_none=True)
    memory = {
        'weights': weight_bytes(network),
        'gradients': trained,
        'optimizer (two moments of AdamW)': ADAM_MOMENTS * trained,
        'activations': live.peak
    }
    if options.ema_decay > 0:
        memory['moving average'] = trained
    return memory


def _sizes(module: nn.Module | None) -> tuple[int, int]:
    parameters = [] if module is None else list(module.parameters())
    return sum(value.numel() for value in parameters), sum(value.numel() for value in parameters if value.requires_grad)


def _cost(mode: DryRun, run: Callable[[], Any]) -> tuple[int, int]:
    with mode, FlopCounterMode(display=False) as counter:
        run()
    with mode, torch.no_grad(), LiveBytes() as live:
        run()
    return counter.get_total_flops() // FLOPS_OF_MAC, live.peak


def _training_pass(network: nn.Module, picture: Tensor, draws: int) -> list[Tensor]:
    if not isinstance(network, GLOWDeblur):
        return [network(picture)]
    count, _, height, width = picture.shape
    noise = torch.empty(draws * count, network.latent_channels, height // network.compression, width // network.compression)
    return list(network(picture, picture, noise, torch.empty(len(noise)), torch.empty(count)).values())
