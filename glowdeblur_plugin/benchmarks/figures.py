"""What a benchmark found: medians with their spread, as a table and as JSON."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from glowdeblur_plugin.files import write_atomically


class Figure(NamedTuple):
    """A quantity measured in several rounds.

    Attributes:
        median: over the rounds.
        spread: largest less smallest round.
        note: what stands beside it in the table.
    """

    median: float
    spread: float
    note: str = ''


def figure(rounds: Sequence[float], note: str = '') -> Figure:
    """The figure of a quantity's rounds."""
    return Figure(median(rounds), max(rounds) - min(rounds), note)


def table(figures: dict[str, Figure]) -> str:
    """One line a figure: name, median, spread, note."""
    width = max(map(len, figures))
    lines = [f'{"":{width}}  {"median":>10}  {"spread":>8}']
    lines += [f'{name:{width}}  {found.median:10.4g}  {found.spread:8.3g}  {found.note}'.rstrip()
              for name, found in figures.items()]
    return '\n'.join(lines)


def write_json(path: Path, figures: dict[str, Figure]) -> None:
    """Write {name: {"median": .., "spread": ..}}, atomically."""
    content = {name: {'median': found.median, 'spread': found.spread} for name, found in figures.items()}
    write_atomically(path, json.dumps(content, indent=2) + '\n')


def say(line: str) -> None:
    """Tell the progress of a benchmark on stderr."""
    sys.stderr.write(f'{line}\n')
