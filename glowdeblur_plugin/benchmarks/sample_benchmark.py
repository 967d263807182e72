"""Seconds and memory of restoring one picture with GLOWDeblur, beside the least that this machine needs for it.

Timed is the whole way from a blurry 8-bit picture on the device to a restored one there: pre-reconstruction, alignment with its
encoder, motion estimator, the steps from pure noise (Euler, null text, guidance 1) and the decoder; weights are random.

The floor is the sum over these parts of how often each is used times the longer of two times: its counted multiply-accumulates
at the measured rate of matrix products in that precision, and its bytes at the measured rate of copies. Bytes are the part's
weights, read once a use, and what comes in and goes out. What would stay inside a part with all its kernels fused counts
nothing, nor do element-wise work and the launching of kernels.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from glowdeblur_plugin.archs.text_context import TextContext
from glowdeblur_plugin.benchmarks.figures import Figure, figure, say
from glowdeblur_plugin.benchmarks.machine_rates import Rates, fastest, measure_rates, seconds_of
from glowdeblur_plugin.benchmarks.restoring import PRECISIONS, Size, peak_bytes, random_network, random_picture, restored_bytes
from glowdeblur_plugin.models.compilation import compile_parts
from glowdeblur_plugin.models.sampling_cost import FLOPS_OF_MAC, Cost, UntrainedGLOWDeblur, count_sampling, sampling_uses


class MeasuredGLOWDeblur(UntrainedGLOWDeblur):
    """An untrained network that can also read its text anew at every step, as diffusers does: the plain way."""

    text_once = True

    def text_context(self, text: Tensor | None = None, text_mask: Tensor | None = None) -> TextContext | None:
        """The context of the null embedding, or None where it is to be read at every step."""
        return super().text_context(text, text_mask) if self.text_once else None


def run(variants: Sequence[str], sizes: Sequence[Size], steps: Sequence[int], device: torch.device, precision: str, rounds: int,
        compiled: bool) -> dict[str, Figure]:
    """Measure every combination; progress goes to stderr.

    Args:
        variants: of `GLOWDeblur`.
        sizes: width and height of pictures.
        steps: numbers of steps.
        precision: of weights and arithmetic, a key of `PRECISIONS`.
        rounds: alternating rounds, over which medians are taken.
        compiled: also measure under torch.compile.

    Returns:
        The machine's rates, and for each combination, such as `nano_512x512_4steps`: `.._s`, `.._peak_mib` (of the device's
        allocator on CUDA, else of the whole process), `.._floor_s` and `.._times_floor`, and ratios of times to the plain way's
        within a round: `.._text_once_vs_plain`, which is how pictures are restored, and `.._compiled_vs_plain`.
    """
    figures, needed, rates = {}, {}, _rates(device, precision)
    for variant in variants:
        networks = [_network(variant, device, precision) for _ in range(1 + compiled)]
        for width, height in sizes:
            multiple = networks[0].size_multiple
            costs = count_sampling(*(-(-side // multiple) * multiple for side in (height, width)), variant=variant)
            for count in steps:
                name = f'{variant}_{width}x{height}_{count}steps'
                found = _measure(name, networks, (width, height), count, precision, rounds)
                figures |= {f'{name}_{what}': row for what, row in found.items()}
                needed[name] = costs, sampling_uses(networks[0], count)
    # A machine that others use may be slow at one moment: the floor takes the faster rates of the two ends.
    rates = fastest(rates, _rates(device, precision))
    for name, (costs, uses) in needed.items():
        floor = floor_seconds(costs, uses, rates, PRECISIONS[precision].itemsize)
        figures[f'{name}_floor_s'] = figure([floor])
        for what in ('', 'compiled_')[:1 + compiled]:
            figures[f'{name}_{what}times_floor'] = Figure(*(value / floor for value in figures[f'{name}_{what}s'][:2]))
    return figures | {f'matrix_{precision}_tflops': figure([rates.flops / 1e12], 'fastest measured'),
                      'copy_gb_per_s': figure([rates.bytes / 1e9], 'fastest measured')}


def floor_seconds(costs: dict[str, Cost], uses: dict[str, int], rates: Rates, value_bytes: int) -> float:
    """The least seconds of a picture: the sum over parts of uses x the longer of arithmetic and moved bytes.

    Args:
        value_bytes: of a weight and of a value that goes in or out.
    """
    return sum(count * max(FLOPS_OF_MAC * costs[part].macs / rates.flops,
                           value_bytes * (costs[part].weights + costs[part].inputs + costs[part].outputs) / rates.bytes)
               for part, count in uses.items())


def _rates(device: torch.device, precision: str) -> Rates:
    say(f'rates of {device} in {precision}')
    return measure_rates(device, PRECISIONS[precision])


def _network(variant: str, device: torch.device, precision: str) -> MeasuredGLOWDeblur:
    say(f'{variant}: random weights')
    return random_network(partial(MeasuredGLOWDeblur, variant=variant), device, precision)


def _measure(name: str, networks: Sequence[MeasuredGLOWDeblur], size: Size, steps: int, precision: str,
             rounds: int) -> dict[str, Figure]:
    net, device = networks[0], networks[0].null_text.device
    blurry = random_picture(size, device)

    def restored(network: MeasuredGLOWDeblur, text_once: bool) -> None:
        network.text_once = text_once
        restored_bytes(network, blurry, steps, precision)

    ways: dict[str, Callable[[], None]] = {'plain': partial(restored, net, False), 'text_once': partial(restored, net, True)}
    if len(networks) > 1:
        say(f'{name}: compiling')
        compile_parts(networks[1])
        ways['compiled'] = partial(restored, networks[1], True)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for call in ways.values():
        call()
    for number in range(rounds):
        say(f'{name}: round {number + 1} of {rounds}')
        for way, call in ways.items():
            seconds[way].append(seconds_of(call, device))
    figures = {'s': figure(seconds['text_once']), 'peak_mib': figure([peak_bytes(ways['text_once'], device) / 2 ** 20])}
    if 'compiled' in ways:
        figures['compiled_s'] = figure(seconds['compiled'])
    for way in ways.keys() - {'plain'}:
        figures[f'{way}_vs_plain'] = figure([own / plain for own, plain in zip(seconds[way], seconds['plain'])])
    return figures
