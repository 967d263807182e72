"""What this machine can do at best: products of matrices and copies in memory, measured."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

REPEATS = 5
# By the kind of device: side of the matrices, bytes of the copy, calls in one measurement.
SIZES = {'cuda': (4096, 1 << 30, 20), 'cpu': (1024, 1 << 28, 3)}


@dataclass(frozen=True)
class Rates:
    """Floating-point operations a second (two for a multiply-accumulate) of square matrix products in one precision, and bytes
    a second that a copy reads and writes."""

    flops: float
    bytes: float


def measure_rates(device: torch.device, precision: torch.dtype) -> Rates:
    """The fastest of five measurements of each, after one to warm up."""
    side, size, calls = SIZES[device.type]
    first, second = (torch.randn(side, side, device=device).to(precision) for _ in range(2))
    product = torch.empty_like(first)
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    copy = torch.empty_like(source)

    def shortest(call: Callable[[], object]) -> float:
        seconds_of(call, device)
        return min(seconds_of(call, device, calls) for _ in range(REPEATS))

    return Rates(2 * side ** 3 / shortest(lambda: torch.matmul(first, second, out=product)),
                 2 * size / shortest(lambda: copy.copy_(source)))


def fastest(*measured: Rates) -> Rates:
    """The largest of each rate."""
    return Rates(max(rates.flops for rates in measured), max(rates.bytes for rates in measured))


def seconds_of(call: Callable[[], object], device: torch.device, calls: int = 1) -> float:
    """Mean seconds of a call, all that it has started on the device included."""
    _finish(device)
    start = time.perf_counter()
    for _ in range(calls):
        call()
    _finish(device)
    return (time.perf_counter() - start) / calls


def _finish(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
