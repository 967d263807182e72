"""What a comparison found, as `summary.json` holds it, and which of the numbers are marked."""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.report.bootstrap import paired_interval

FEWEST_PAIRED = 6
INFINITE = 150.0
Kind = Literal['network', 'folder', 'blurry', 'codec', 'published']
COMPETITORS = ('network', 'folder')


@dataclass
class SetRecord:
    """A set: its label in tables, how many of its pictures (`names`) were taken, how many scenes they show (None: each its
    own), and how they were compared."""

    label: str
    pictures: int
    protocol: str
    crop_border: int
    metrics: list[str]
    with_truth: bool
    names: list[str]
    scenes: int | None = None


@dataclass
class MethodRecord:
    """A row of the tables.

    Attributes:
        kind: a `network` that was run, a `folder` of results made elsewhere, the `blurry` input, the `codec`'s round trip of
            the sharp picture, or figures that were only `published`.
        weights: file, of a folder its path.
        option: option file of the network.
        seeds: of the noise; empty for a method that does not sample.
        seconds_per_picture: spent restoring, without reading and measuring.
    """

    label: str
    kind: Kind
    weights: str | None = None
    weights_sha256: str | None = None
    option: str | None = None
    seeds: list[int] = field(default_factory=list)
    device: str | None = None
    seconds_per_picture: float | None = None


@dataclass
class MetricRecord:
    """A metric: label in tables, which values are better, digits behind the point."""

    label: str
    better: Literal['higher', 'lower']
    digits: int


@dataclass
class Cell:
    """One number.

    Attributes:
        mean: over the pictures, and over the seeds of a method that samples; None where there is no number, see `why`, or
            where all pictures failed.
        spread: standard deviation of the mean over the seeds; None of one run, and of an infinite mean.
        low, high: paired 95 % interval of the difference to the best method, over the pictures (and seeds) that all have.
        count: pictures in the mean.
        failed: `picture` and `why` of those that are not.
        rank: how it is marked, see `rank_cells`.
    """

    set: str
    method: str
    metric: str
    mean: float | None = None
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    why: str | None = None
    rank: Literal['best', 'second'] | None = None
    published: float | None = None
    published_source: str | None = None


@dataclass
class Summary:
    """All of a comparison.

    Attributes:
        created: ISO 8601.
        git: commits of the plugin's own repository, where it runs from one, that the numbers were made with.
        notes: what a reader must know beside the cells, a line each.
    """

    name: str
    created: str
    code_version: str
    torch: str
    device: str
    sets: dict[str, SetRecord]
    methods: dict[str, MethodRecord]
    metrics: dict[str, MetricRecord]
    cells: list[Cell]
    git: str | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> 'Summary':
        """The summary in a file.

        Raises:
            UserError: there is none.
        """
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
            kinds = {'sets': SetRecord, 'methods': MethodRecord, 'metrics': MetricRecord}
            records = {key: {name: kind(**value) for name, value in found[key].items()} for key, kind in kinds.items()}
            return cls(**{**found, **records, 'cells': [Cell(**value) for value in found['cells']]})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f'{path}: no summary of a comparison ({error}); glowdeblur compare writes it') from None

    def write(self, path: Path) -> None:
        """Write it whole or not at all. JSON has no infinite number: it is written as 1e999, which Python, JavaScript and jq
        take for one or for the largest that they have, while a strict reader may say that it is out of range."""
        text = json.dumps(dataclasses.asdict(self), indent=2)
        write_atomically(path, re.sub(r'(?<=: )(-?)Infinity(?=,?$)', r'\g<1>1e999', text, flags=re.MULTILINE) + '\n')


def rank_cells(cells: list[Cell], methods: Mapping[str, MethodRecord], values: Mapping[str, Mapping[str, list[float]]],
               better: Literal['higher', 'lower'], scenes: Mapping[str, str] | None = None) -> int:
    """Fill in `low`, `high` and `rank` of the cells of one column, a set and a metric.

    Networks and folders compete. Their differences are taken over the pictures that all of them have; a method that does not
    sample is paired with every seed of one that does. The best mean is `best` and the next `second`, unless the interval of
    a difference to the best contains 0: then the column has no mark. Below six scenes there is neither interval nor mark:
    even if all differences had one sign, a sign test would not reach 5 % (our choice). An infinite value, the PSNR of equal
    pictures, counts as 150.

    Args:
        values: method -> picture -> its values, one or one for each seed, of the methods that have a mean.
        scenes: picture -> the scene that it shows, see `paired_interval`; each its own by default.

    Returns:
        How many pictures all competitors have.
    """
    rows = {cell.method: cell for cell in cells if cell.mean is not None and values.get(cell.method)}
    rivals = [name for name in rows if methods[name].kind in COMPETITORS]
    shared = sorted(set.intersection(*(set(values[name]) for name in rivals))) if rivals else []
    scene = {picture: picture for picture in shared} if scenes is None else scenes
    if len(rivals) < 2 or len({scene[picture] for picture in shared}) < FEWEST_PAIRED:
        return len(shared)
    sign = 1 if better == 'higher' else -1
    tables = {name: _table(values[name], shared) for name in rivals}
    order = sorted(rivals, key=lambda name: -sign * tables[name].mean())
    best, tied = order[0], False
    for name, cell in rows.items():
        common = [picture for picture in shared if picture in values[name]]
        shown = [scene[picture] for picture in common]
        if name == best or len(set(shown)) < FEWEST_PAIRED:
            continue
        differences = _table(values[name], common) - _table(values[best], common)
        cell.low, cell.high = paired_interval(differences, scenes=shown)
        tied = tied or name in rivals and cell.low <= 0 <= cell.high
    if not tied:
        rows[best].rank, rows[order[1]].rank = 'best', 'second'
    return len(shared)


def _table(values: Mapping[str, list[float]], pictures: list[str]) -> np.ndarray:
    """(pictures, seeds)."""
    table = np.array([values[picture] for picture in pictures], np.float64)
    return np.where(np.isinf(table), np.copysign(INFINITE, table), table)
