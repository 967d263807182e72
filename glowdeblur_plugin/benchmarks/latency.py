"""Seconds and memory of restoring one picture with any network, where the machine has room for it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from glowdeblur_plugin.benchmarks.figures import Figure, figure
from glowdeblur_plugin.benchmarks.machine_rates import seconds_of
from glowdeblur_plugin.benchmarks.restoring import PRECISIONS, Size, peak_bytes, random_network, random_picture, restored_bytes
from glowdeblur_plugin.models.dry_run import LiveBytes, weight_bytes
from glowdeblur_plugin.resources import free_bytes

GIB = 2**30


class Picture(NamedTuple):
    """What is to be restored.

    Attributes:
        size: width and height.
        steps: of sampling; None for networks that do not sample.
        live_bytes: what its tensors need at one time beside the weights, in float32.
    """

    size: Size
    steps: int | None
    live_bytes: int


class Latency(NamedTuple):
    """What restoring a picture took.

    Attributes:
        seconds: median over the rounds and their spread; the clock waits for the device.
        peak_bytes: the most that tensors took at one time, weights included: on CUDA what the allocator had given out, on the
            CPU without what layers take for themselves.
    """

    seconds: Figure
    peak_bytes: int


def measure_latency(build: Callable[[], nn.Module], float32_bytes: int, pictures: Sequence[Picture], device: torch.device,
                    precision: str, rounds: int, tell: Callable[[], None]) -> list[Latency | str]:
    """Restore each picture once to warm up, when memory is looked at, and then `rounds` times by the clock.

    Args:
        build: makes the network, whose weights are random.
        float32_bytes: of the network's weights in float32, in which it is built.
        precision: of weights and arithmetic, a key of `PRECISIONS`.
        tell: called after each picture.

    Returns:
        What each picture took, or why it could not be restored: for want of memory.
    """
    share = PRECISIONS[precision].itemsize / torch.float32.itemsize
    network, found = None, []
    for picture in pictures:
        needed, free = share * (float32_bytes + picture.live_bytes), free_bytes(device)
        if network is None:
            needed = max(needed, float32_bytes)
        else:
            free += weight_bytes(network)
        try:
            if needed > free:
                raise torch.OutOfMemoryError(f'needs {needed / GIB:.1f} GiB, {free / GIB:.1f} are free')
            network = network or random_network(build, device, precision)
            found.append(_measure(network, picture, device, precision, rounds))
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
            found.append(str(error).splitlines()[0])
        tell()
    return found


def _measure(network: nn.Module, picture: Picture, device: torch.device, precision: str, rounds: int) -> Latency:
    restore = partial(restored_bytes, network, random_picture(picture.size, device), picture.steps, precision)
    if device.type == 'cuda':
        peak = peak_bytes(restore, device)
    else:
        with LiveBytes() as live:
            restore()
        peak = weight_bytes(network) + live.peak
    return Latency(figure([seconds_of(restore, device) for _ in range(rounds)]), peak)


def _out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """PyTorch has no class of its own for the CPU's."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)
