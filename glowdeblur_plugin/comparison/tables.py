"""A comparison as Markdown, LaTeX and CSV: one table a set, and an overview of each metric that several sets have."""

import csv
import io
from pathlib import Path

from glowdeblur_plugin.comparison.latex import latex_document, latex_table
from glowdeblur_plugin.comparison.summary import Summary
from glowdeblur_plugin.comparison.table_parts import Column, Entry, Table, all_tables, set_table
from glowdeblur_plugin.errors import printable
from glowdeblur_plugin.files import write_atomically

ARROWS = {'higher': ' ↑', 'lower': ' ↓', None: ''}
HASH_SHOWN = 12
CSV_HEAD = ('set', 'set_label', 'pictures', 'protocol', 'crop_border', 'method', 'method_label', 'kind', 'seeds', 'metric',
            'better', 'mean', 'spread', 'low', 'high', 'count', 'failed', 'why', 'rank', 'published', 'published_source',
            'weights', 'weights_sha256', 'option', 'device', 'code_version', 'git', 'created')
ESCAPED = str.maketrans({**{mark: f'\\{mark}' for mark in '\\`*_{}[]|~'}, '<': '&lt;', '>': '&gt;', '&': '&amp;',
                         '\n': ' ', '\r': ' '})


def write_tables(folder: Path) -> list[Path]:
    """Write `summary.md`, `summary.tex` and `summary.csv` beside the `summary.json` of `folder`; returns their paths.

    Raises:
        UserError: no `summary.json`, or a file cannot be written.
    """
    summary = Summary.read(folder / 'summary.json')
    written = []
    for ending, text in (('md', as_markdown(summary)), ('tex', as_latex(summary)), ('csv', as_csv(summary))):
        written.append(folder / f'summary.{ending}')
        write_atomically(written[-1], printable(text))
    return written


def as_markdown(summary: Summary, set_name: str | None = None) -> str:
    """The table of a set; without `set_name` a document with all tables and where the numbers come from."""
    if set_name is not None:
        return markdown_table(set_table(summary, set_name))
    notes = '\n'.join(f'- {escaped(note)}' for note in summary.notes)
    parts = [f'# {escaped(summary.name)}', *([notes] if notes else [])]
    parts += [f'## {escaped(table.title)}\n\n{markdown_table(table)}' for table in all_tables(summary)]
    lines = [f'- {escaped(what)}: {escaped(text)}' for what, text in provenance(summary)]
    lines += [f'- {escaped(record.label)}: {escaped(method_origin(summary, name))}' for name, record in summary.methods.items()]
    return '\n\n'.join([*parts, '## Where the numbers come from\n\n' + '\n'.join(lines)]) + '\n'


def as_latex(summary: Summary, set_name: str | None = None) -> str:
    """As `as_markdown`, as LaTeX tables for a document that uses the package booktabs."""
    if set_name is not None:
        return latex_table(set_table(summary, set_name))
    origins = [f'{record.label}: {method_origin(summary, name)}' for name, record in summary.methods.items()]
    shared = [f'{what}: {text}' for what, text in provenance(summary)]
    return latex_document(all_tables(summary), [*shared, *origins, *summary.notes])


def as_csv(summary: Summary, set_name: str | None = None) -> str:
    """One line a set, method and metric, numbers unrounded, each with its protocol, weights, code version and device; with
    `set_name` of this set only."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(CSV_HEAD)
    for cell in summary.cells:
        if set_name in (None, cell.set):
            record, method = summary.sets[cell.set], summary.methods[cell.method]
            writer.writerow([
                cell.set, record.label, record.pictures, record.protocol, record.crop_border, cell.method, method.label,
                method.kind, ' '.join(map(str, method.seeds)), cell.metric, summary.metrics[cell.metric].better, cell.mean,
                cell.spread, cell.low, cell.high, cell.count, len(cell.failed), cell.why, cell.rank, cell.published,
                cell.published_source, method.weights, method.weights_sha256, method.option, method.device or summary.device,
                summary.code_version, summary.git, summary.created])
    return text.getvalue()


def provenance(summary: Summary) -> list[tuple[str, str]]:
    """What holds for all numbers: (what, text)."""
    code = summary.code_version + (f', git {summary.git}' if summary.git else '')
    return [('made', summary.created), ('glowdeblur_plugin', code), ('torch', summary.torch), ('device', summary.device)]


def method_origin(summary: Summary, name: str) -> str:
    """Where the numbers of a method come from, on one line."""
    record = summary.methods[name]
    parts: list[str] = [record.kind]
    if record.weights:
        parts.append(record.weights if record.kind == 'folder' else f'weights {record.weights}')
    if record.weights_sha256:
        parts.append(f'sha256 {record.weights_sha256[:HASH_SHOWN]}')
    if record.option:
        parts.append(f'option {record.option}')
    if record.seeds:
        parts.append(f'noise seeds {", ".join(map(str, record.seeds))}')
    if record.seconds_per_picture is not None:
        parts.append(f'{record.seconds_per_picture:.3g} s a picture')
    return ', '.join([*parts, *([record.device] if record.device else [])])


def escaped(text: str) -> str:
    """`text` that Markdown shows as it is, in a table too."""
    return text.translate(ESCAPED)


def markdown_table(table: Table) -> str:
    """Caption, table and foot notes."""
    head = ['Method', *(_head(column) for column in table.columns)]
    rows = [head, ['---', *['---:'] * len(table.columns)]]
    rows += [[escaped(row.label), *(_entry(entry) for entry in row.entries)] for row in table.rows]
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    notes = [f'- \\[{index}\\] {escaped(note)}' for index, note in enumerate(table.notes, start=1)]
    return '\n'.join([escaped(table.words), '', *lines, *(['', *notes] if notes else [])])


def _head(column: Column) -> str:
    below = f'<br>{escaped(column.below)}' if column.below else ''
    return escaped(column.label) + ARROWS[column.better] + below


def _entry(entry: Entry) -> str:
    text = {'best': f'**{entry.text}**', 'second': f'<u>{entry.text}</u>', None: entry.text}[entry.rank]
    spread = f' ± {entry.spread}' if entry.spread else ''
    return text + spread + ''.join(f' \\[{note}\\]' for note in entry.notes)
