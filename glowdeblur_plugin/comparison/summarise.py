"""From the parts of a comparison to `summary.json` and `per_picture.csv`."""

import csv
import datetime
import io
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from glowdeblur_plugin import __version__
from glowdeblur_plugin.comparison.measures import Measures, device_name
from glowdeblur_plugin.comparison.methods import Method
from glowdeblur_plugin.comparison.options import Comparison, PublishedFigure
from glowdeblur_plugin.comparison.parts import Part
from glowdeblur_plugin.comparison.picture_set import PictureSet
from glowdeblur_plugin.comparison.summary import Cell, MethodRecord, MetricRecord, SetRecord, Summary, rank_cells
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.metrics.catalogue import METRICS

COLUMNS = ('set', 'method', 'seed', 'picture', 'metric', 'value', 'failure')
NOT_RUN = 'published figures only'


@dataclass
class Findings:
    """What was run: `parts` holds (method, set) -> seed -> part; a method without pictures of a set is not in it."""

    comparison: Comparison
    methods: list[Method]
    sets: dict[str, PictureSet]
    measures: dict[str, Measures]
    device: torch.device
    parts: dict[tuple[str, str], dict[int | None, Part]] = field(default_factory=dict)

    def values(self, method: str, set_name: str, metric: str) -> dict[str, list[float]]:
        """Picture -> its value under each seed, of the pictures that have all."""
        parts = list(self.parts.get((method, set_name), {}).values())
        names = self.sets[set_name].names if parts and metric in self.measures[set_name].per_picture else []
        columns = {name: [part.value(name, metric) for part in parts] for name in names}
        return {name: column for name, column in columns.items() if None not in column}


def write_findings(findings: Findings, folder: Path) -> Summary:
    """Write `summary.json` and `per_picture.csv`; returns the summary."""
    summary = summarise(findings)
    write_atomically(folder / 'per_picture.csv', _per_picture(findings))
    summary.write(folder / 'summary.json')
    return summary


def summarise(findings: Findings) -> Summary:
    """All numbers, with their marks and with the published figures beside them."""
    top = findings.comparison.top
    sets = {name: SetRecord(entry.label, len(entry.names), entry.options.protocol, entry.options.crop_border,
                            list(entry.options.metrics), entry.with_truth, list(entry.names),
                            None if len(set(entry.scenes.values())) == len(entry.names) else len(set(entry.scenes.values())))
            for name, entry in findings.sets.items()}
    methods = {method.name: _method_record(findings, method) for method in findings.methods}
    methods |= {name: MethodRecord(top.labels.get(name, name), 'published') for name in top.published if name not in methods}
    shown = dict.fromkeys(metric for record in sets.values() for metric in record.metrics)
    metrics = {name: MetricRecord(METRICS[name].label, METRICS[name].better, METRICS[name].digits) for name in shown}
    cells, notes = [], [note for method in findings.methods for entry in findings.sets.values() for note in method.notes(entry)]
    for set_name, record in sets.items():
        for metric in record.metrics:
            column = [_cell(findings, method, set_name, metric) for method in findings.methods
                      if method.kind != 'codec' or record.with_truth]
            values = {cell.method: found for cell in column if (found := findings.values(cell.method, set_name, metric))}
            shared = rank_cells(column, methods, values, metrics[metric].better, findings.sets[set_name].scenes)
            if values and shared < record.pictures and any(cell.failed for cell in column if cell.count):
                notes.append(f'{set_name}, {metric}: {record.pictures - shared} of {record.pictures} pictures failed for one '
                             'of the methods and are left out of all intervals and marks')
            if METRICS[metric].per_set and any(cell.mean is not None and methods[cell.method].seeds for cell in column):
                notes.append(f'{set_name}, {metric}: of the first noise seed alone where a method samples')
            cells += column + [Cell(set_name, name, metric, why=NOT_RUN) for name, method in methods.items()
                               if method.kind == 'published' and metric in top.published[name].get(set_name, {})]
    for cell in cells:
        figure = top.published.get(cell.method, {}).get(cell.set, {}).get(cell.metric)
        if figure is not None:
            own = isinstance(figure, PublishedFigure)
            cell.published = figure.value if own else figure
            cell.published_source = figure.source if own and figure.source else top.published_source
    commits = ', '.join(sorted(set().union(*(part.commits for runs in findings.parts.values() for part in runs.values()))))
    created = datetime.datetime.now().astimezone().isoformat(timespec='seconds')
    return Summary(top.name, created, __version__, torch.__version__, device_name(findings.device), sets, methods, metrics,
                   cells, commits or None, notes)


def _cell(findings: Findings, method: Method, set_name: str, metric: str) -> Cell:
    cell = Cell(set_name, method.name, metric)
    measures, parts = findings.measures[set_name], findings.parts.get((method.name, set_name))
    cell.why = method.why_not(findings.sets[set_name]) or measures.unavailable.get(metric)
    if cell.why is not None or parts is None:
        return cell
    if METRICS[metric].per_set:
        part = next(iter(parts.values()))
        found = part.of_set[metric]
        cell.mean, cell.why, cell.count = found.get('value'), found.get('failure'), len(found['pictures'])
        cell.failed = [{'picture': name, 'why': why} for name in findings.sets[set_name].names
                       if (why := part.failure(name, metric)) is not None]
        return cell
    values = findings.values(method.name, set_name, metric)
    cell.count = len(values)
    cell.failed = [{'picture': name, 'why': next(filter(None, (part.failure(name, metric) for part in parts.values())))}
                   for name in findings.sets[set_name].names if name not in values]
    if not values:
        return cell
    means = [statistics.fmean(column) for column in zip(*values.values())]
    cell.mean = statistics.fmean(means)
    cell.spread = statistics.stdev(means) if len(means) > 1 and math.isfinite(cell.mean) else None
    return cell


def _method_record(findings: Findings, method: Method) -> MethodRecord:
    record = method.record()
    parts = [part for (name, _), runs in findings.parts.items() if name == method.name for part in runs.values()]
    if method.kind == 'network':
        seconds = [entry['seconds'] for part in parts for entry in part.pictures.values() if entry.get('seconds') is not None]
        record.seconds_per_picture = statistics.fmean(seconds) if seconds else None
        record.device = '; '.join(sorted(set().union(*(part.devices for part in parts)))) or None
    return record


def _per_picture(findings: Findings) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(COLUMNS)
    writer.writerows(_rows(findings))
    return text.getvalue()


def _rows(findings: Findings) -> Iterator[tuple[object, ...]]:
    for (method, set_name), runs in findings.parts.items():
        for seed, part in runs.items():
            for name in findings.sets[set_name].names:
                for metric in findings.measures[set_name].per_picture:
                    value = part.value(name, metric)
                    failure = '' if value is not None else part.failure(name, metric)
                    yield (set_name, method, '' if seed is None else seed, name, metric, '' if value is None else value,
                           failure)
