"""What restoring a picture costs with each of several networks, counted and measured, as a table and as JSON."""

import json
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glowdeblur_plugin.data.progress import Progress
from glowdeblur_plugin.files import write_atomically

if TYPE_CHECKING:
    import torch
    from torch import nn

    from glowdeblur_plugin.benchmarks.latency import Latency
    from glowdeblur_plugin.models.complexity import PartCount

GIB, NOTE_WIDTH = 2**30, 120
CONVENTION = ('multiply-accumulates (one multiplication and one addition) of convolutions and matrix products, those of '
              'attention included; element-wise work, norms and softmax are not')
NOTES = (f'GMAC: {CONVENTION}. GLOWDeblur: all steps, its codec and what reads the null text once.',
         'weights, tensors: GiB in float32, the whole picture at once: parameters and buffers with the frozen codec, and the '
         'most that the tensors beside them need at one time.')


@dataclass
class Row:
    """A network at one size and number of steps.

    Attributes:
        network: its name.
        size: width and height of the picture; it is padded to what the network takes.
        steps: of sampling; None where there is none.
        parts: of one pass each.
        macs: multiply-accumulates of the whole.
        weight_bytes, live_bytes: of the weights, and of what lives at one time beside them, in float32.
        measured: by precision, what it took or why it could not be measured.
    """

    network: str
    size: tuple[int, int]
    steps: int | None
    parts: 'list[PartCount]'
    macs: int
    weight_bytes: int
    live_bytes: int
    measured: 'dict[str, Latency | str]' = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """How many there are, those of a frozen codec included and a null text's embedding not."""
        return sum(part.parameters for part in self.parts)

    def as_entry(self) -> dict[str, Any]:
        """The row for JSON."""
        measured = {precision: {'why_not': found} if isinstance(found, str) else
                    {'seconds': found.seconds.median, 'seconds_spread': found.seconds.spread, 'peak_bytes': found.peak_bytes}
                    for precision, found in self.measured.items()}
        return {'network': self.network, 'width': self.size[0], 'height': self.size[1], 'steps': self.steps,
                'parameters': self.parameters, 'macs': self.macs, 'weight_bytes': self.weight_bytes,
                'live_bytes': self.live_bytes, 'parts': as_entries(self.parts), 'measured': measured}

    @property
    def picture(self) -> str:
        """The size as options have it."""
        return f'{self.size[0]}x{self.size[1]}'


def count_rows(name: str, network: 'nn.Module', mode: Any, sizes: Sequence[tuple[int, int]], steps: Sequence[int]) -> list[Row]:
    """The rows of a network from `dry_network`: each size, with each number of steps where it samples."""
    from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
    from glowdeblur_plugin.models.complexity import count_parts, picture_macs
    from glowdeblur_plugin.models.dry_run import weight_bytes

    rows, multiple = [], getattr(network, 'size_multiple', 1)
    for size in sizes:
        parts = count_parts(network, mode, *(-(-length // multiple) * multiple for length in reversed(size)))
        for count in steps if isinstance(network, GLOWDeblur) else [None]:
            rows.append(Row(name, size, count, parts, picture_macs(network, parts, count), weight_bytes(network),
                            max(part.live_bytes for part in parts)))
    return rows


def measure_rows(rows: Sequence[Row], build: 'Callable[[], nn.Module]', device: 'torch.device', precisions: Sequence[str],
                 rounds: int, progress: Progress) -> None:
    """Fill `measured` of the rows of one network, which `build` makes with random weights."""
    from glowdeblur_plugin.benchmarks.latency import Picture, measure_latency

    pictures, done = [Picture(row.size, row.steps, row.live_bytes) for row in rows], 0

    def tell() -> None:
        nonlocal done
        done += 1
        progress(f'{rows[0].network}: measured', done, len(rows) * len(precisions))

    for precision in precisions:
        found = measure_latency(build, rows[0].weight_bytes, pictures, device, precision, rounds, tell)
        for row, latency in zip(rows, found, strict=True):
            row.measured[precision] = latency


def as_table(rows: Sequence[Row], device: str | None) -> str:
    """All rows in columns, and what they mean below."""
    precisions = list(rows[0].measured)
    width = max(len('network'), *(len(row.network) for row in rows))
    heads = [f'{"network":{width}}{"parameters":>15}{"picture":>12}{"steps":>6}{"GMAC":>11}{"weights":>9}{"tensors":>9}',
             *(f'{f"{name} ms":>12}{f"{name} GiB":>10}' for name in precisions)]
    lines, reasons = [''.join(heads)], []
    for row in rows:
        cells = [f'{row.network:{width}}{row.parameters:15,}{row.picture:>12}{row.steps or "-":>6}{row.macs / 1e9:11,.1f}'
                 f'{row.weight_bytes / GIB:9.2f}{row.live_bytes / GIB:9.2f}']
        for precision, found in row.measured.items():
            if isinstance(found, str):
                cells.append(f'{"no memory":>12}{"":10}')
                reasons.append(f'{row.network}, {row.picture}, {precision}: {found}.')
            else:
                cells.append(f'{1000 * found.seconds.median:12,.1f}{found.peak_bytes / GIB:10.2f}')
        lines.append(''.join(cells).rstrip())
    if precisions:
        reasons.append(f'ms, GiB: measured on {device} with random weights: the median of the rounds, and the most that '
                       'tensors took at one time, weights included, what layers take for themselves not on a CPU.')
    return '\n'.join([*lines, '', *(textwrap.fill(note, NOTE_WIDTH) for note in (*NOTES, *reasons))])


def write_json(path: Path, entries: Sequence[dict[str, Any]], device: str | None) -> None:
    """Write `rows` with the convention, PyTorch's version and the device that was measured on (None if none was)."""
    import torch

    from glowdeblur_plugin import __version__

    content = {'convention': CONVENTION, 'glowdeblur_plugin': __version__, 'torch': torch.__version__, 'device': device,
               'rows': entries}
    write_atomically(path, json.dumps(content, indent=2) + '\n')


def as_entries(parts: 'Sequence[PartCount]') -> dict[str, dict[str, int]]:
    """The parts of a network by name, for JSON."""
    return {part.name: {key: value for key, value in part._asdict().items() if key != 'name'} for part in parts}
