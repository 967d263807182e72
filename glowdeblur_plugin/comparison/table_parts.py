"""Tables of a comparison before they get a format: what stands in which cell, how it is marked and what is noted below."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from glowdeblur_plugin.comparison.summary import FEWEST_PAIRED, Cell, MetricRecord, Summary

NOTHING = '–'
REFERENCES = ('blurry', 'codec')
NAMED_FAILURES = 5
RANKS = ('Best bold, second underlined. A column has no marks where the paired 95 % bootstrap interval of a difference to the '
         f'best contains 0, below {FEWEST_PAIRED} scenes, or where pictures have no value of their own, as under FID.')


@dataclass(frozen=True)
class Entry:
    """One cell of a table.

    Attributes:
        text: the number, or `NOTHING`.
        spread: what follows `±`, empty for none.
        interval: the paired 95 % interval of the difference to the best method, empty for none.
        rank: how it is marked.
        notes: numbers of the foot notes, from 1.
    """

    text: str = NOTHING
    spread: str = ''
    interval: str = ''
    rank: Literal['best', 'second'] | None = None
    notes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Column:
    """Head of a column: what it shows, which direction is better (None for a published figure) and a second line."""

    label: str
    better: Literal['higher', 'lower'] | None
    below: str = ''


@dataclass(frozen=True)
class Row:
    """One method; `reference` where it is no competitor but the blurry input or the codec alone."""

    label: str
    reference: bool
    entries: list[Entry]


@dataclass
class Table:
    """A table without a format.

    Attributes:
        key: unlike that of every other table of the comparison.
        title: a few words.
        caption: what was measured, protocol included.
        legend: what the marks mean.
        notes: foot notes, the first has number 1.
    """

    key: str
    title: str
    caption: str
    legend: list[str]
    columns: list[Column]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """All that a caption says where the table stands alone."""
        return ' '.join([f'{self.title}: {self.caption}', *self.legend])

    def note(self, text: str) -> int:
        """The number of this foot note, which is added where it is new."""
        if text not in self.notes:
            self.notes.append(text)
        return self.notes.index(text) + 1


def number(value: float, digits: int) -> str:
    """`value` with as many digits after the point as its metric is given with."""
    return f'{value:.{digits}f}' if math.isfinite(value) else str(value).replace('inf', '∞')


def set_table(summary: Summary, name: str) -> Table:
    """Methods x metrics of one set, each published figure in a column of its own beside ours."""
    record = summary.sets[name]
    cells = {(cell.method, cell.metric): cell for cell in summary.cells if cell.set == name}
    cited = {cell.metric for cell in cells.values() if cell.published is not None}
    labels = unlike(summary, record.metrics)
    columns = []
    for metric in record.metrics:
        columns.append(Column(labels[metric], summary.metrics[metric].better))
        if metric in cited:
            columns.append(Column(labels[metric], None, 'published'))
    methods = [method for method in summary.methods if any(method == key[0] for key in cells)]
    table = Table(f'set-{name}', record.label, f'{described_set(summary, name)}.', legend(summary, cells.values()), columns)
    for method in methods:
        entries = []
        for metric in record.metrics:
            cell = cells.get((method, metric))
            entries.append(entry(table, cell, summary.metrics[metric], record.pictures))
            if metric in cited:
                entries.append(published_entry(table, cell, summary.metrics[metric]))
        table.rows.append(Row(summary.methods[method].label, summary.methods[method].kind in REFERENCES, entries))
    return table


def overview_table(summary: Summary, metric: str) -> Table:
    """Methods x sets of one metric, without published figures; the protocol of each set stands in the head of its column."""
    sets = [name for name, record in summary.sets.items() if metric in record.metrics]
    cells = {(cell.method, cell.set): cell for cell in summary.cells if cell.metric == metric}
    label = unlike(summary, summary.metrics)[metric]
    columns = [Column(summary.sets[name].label, summary.metrics[metric].better, protocol(summary, name)) for name in sets]
    table = Table(f'overview-{metric}', label, f'{len(sets)} sets, the protocol of each below its name.',
                  legend(summary, cells.values()), columns)
    for method, record in summary.methods.items():
        if record.kind != 'published' and any((method, name) in cells for name in sets):
            entries = [entry(table, cells.get((method, name)), summary.metrics[metric], summary.sets[name].pictures)
                       for name in sets]
            table.rows.append(Row(record.label, record.kind in REFERENCES, entries))
    return table


def overview_metrics(summary: Summary) -> list[str]:
    """The metrics that more than one set has."""
    return [metric for metric in summary.metrics if sum(metric in record.metrics for record in summary.sets.values()) > 1]


def all_tables(summary: Summary) -> list[Table]:
    """The overviews, then the table of each set."""
    return [*(overview_table(summary, metric) for metric in overview_metrics(summary)),
            *(set_table(summary, name) for name in summary.sets)]


def unlike(summary: Summary, metrics: Iterable[str]) -> dict[str, str]:
    """Labels of metrics; two that share one, such as the two kinds of SSIM, are told apart by their names."""
    metrics = list(metrics)
    labels = [summary.metrics[metric].label for metric in metrics]
    return {metric: f'{label} ({metric})' if labels.count(label) > 1 else label for metric, label in zip(metrics, labels)}


def protocol(summary: Summary, name: str) -> str:
    """The protocol of a set and the border that it leaves out."""
    record = summary.sets[name]
    return record.protocol + (f', border {record.crop_border}' if record.crop_border else '')


def described_set(summary: Summary, name: str) -> str:
    """Size, truth and protocol of a set, in words."""
    record = summary.sets[name]
    truth = '' if record.with_truth else ' without sharp ones'
    border = f'{record.crop_border} pixels of border left out' if record.crop_border else 'no border left out'
    scenes = '' if record.scenes is None else f' of {record.scenes} scene{"s" * (record.scenes != 1)}'
    return f'{record.pictures} picture{"s" * (record.pictures != 1)}{scenes}{truth}, protocol {record.protocol}, {border}'


def legend(summary: Summary, cells: Iterable[Cell]) -> list[str]:
    """What marks and spreads mean, where the cells have them."""
    cells = list(cells)
    lines = [RANKS] if any(cell.mean is not None for cell in cells) else []
    seeds = sorted({len(summary.methods[cell.method].seeds) for cell in cells if cell.spread is not None})
    if seeds:
        lines.append(f'± is the standard deviation of the mean over {" or ".join(map(str, seeds))} noise seeds.')
    return lines


def entry(table: Table, cell: Cell | None, metric: MetricRecord, pictures: int) -> Entry:
    """What stands for `cell`; why there is no number and which pictures failed become foot notes of `table`."""
    if cell is None:
        return Entry()
    notes = []
    if cell.failed:
        notes.append(table.note(failures(cell, pictures)))
    if cell.mean is None:
        return Entry(notes=(*notes, *([table.note(cell.why)] if cell.why else [])))
    spread = '' if cell.spread is None else number(cell.spread, metric.digits)
    interval = ''
    if cell.low is not None and cell.high is not None:
        interval = f'{cell.low:+.{metric.digits}f} to {cell.high:+.{metric.digits}f}'
    return Entry(number(cell.mean, metric.digits), spread, interval, cell.rank, tuple(notes))


def published_entry(table: Table, cell: Cell | None, metric: MetricRecord) -> Entry:
    """The published figure beside `cell`, with its source as a foot note."""
    if cell is None or cell.published is None:
        return Entry()
    notes = (table.note(f'Published: {cell.published_source}'),) if cell.published_source else ()
    return Entry(number(cell.published, metric.digits), notes=notes)


def failures(cell: Cell, pictures: int) -> str:
    """One line that counts the pictures that failed, by reason, and names the first of each."""
    reasons: dict[str, list[str]] = {}
    for failure in cell.failed:
        reasons.setdefault(failure['why'], []).append(failure['picture'])
    parts = [f'{named(names)}: {why}' for why, names in reasons.items()]
    return f'{len(cell.failed)} of {pictures} failed and are not in the mean; {"; ".join(parts)}'


def named(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMED_FAILURES
    return ', '.join(names[:NAMED_FAILURES]) + (f' and {more} more (see per_picture.csv)' if more > 0 else '')
