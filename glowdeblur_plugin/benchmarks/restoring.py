"""Restoring a picture with a network of random weights, as it is timed: from a blurry 8-bit picture on the device to a restored
one there."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.data.dataset_base import to_unit_range
from glowdeblur_plugin.models.glowdeblur_evaluation import restore
from glowdeblur_plugin.models.seeds import picture_generator
from glowdeblur_plugin.resources import PeakMemory

PRECISIONS = {'fp32': torch.float32, 'bf16': torch.bfloat16}
Size = tuple[int, int]
Network = TypeVar('Network', bound=nn.Module)


def random_network(build: Callable[[], Network], device: torch.device, precision: str) -> Network:
    """The network that `build` makes, in eval mode on `device`, with the random weights of seed 0 in a precision of
    `PRECISIONS`."""
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(0)
        return build().eval().to(device, PRECISIONS[precision])


def random_picture(size: Size, device: torch.device) -> Tensor:
    """Noise (1, 3, H, W) of a width and height, uint8."""
    return torch.randint(256, (1, 3, *size[::-1]), generator=torch.Generator().manual_seed(0), dtype=torch.uint8).to(device)


@torch.inference_mode()
def restored_bytes(net: nn.Module, blurry: Tensor, steps: int | None, precision: str = 'fp32') -> Tensor:
    """Restored pictures (N, 3, H, W) of blurry ones, both uint8 on the network's device, as validation restores them.

    Args:
        steps: of a GLOWDeblur; other networks do not sample.
        precision: of the arithmetic, a key of `PRECISIONS`.
    """
    lq = pad_to_multiple(to_unit_range(blurry), getattr(net, 'size_multiple', 1))
    with torch.autocast(blurry.device.type, torch.bfloat16, enabled=precision == 'bf16'):
        if isinstance(net, GLOWDeblur):
            generators = [picture_generator(0, index) for index in range(len(blurry))]
            restored = restore(net, net.condition(lq), generators, steps)
        else:
            restored = net(lq)
    restored = restored[..., :blurry.shape[-2], :blurry.shape[-1]]
    return (restored.float().clamp(0, 1) * 255).round().to(torch.uint8)


def peak_bytes(call: Callable[[], object], device: torch.device) -> int:
    """The most memory during a call: what the allocator has given out on CUDA, else what the process holds, Python included."""
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        call()
        return torch.cuda.max_memory_allocated(device)
    memory = PeakMemory(interval=0.02)
    call()
    return round(memory.look() * 2 ** 20)
