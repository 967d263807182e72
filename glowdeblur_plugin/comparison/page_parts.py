"""Parts of the page that need no script: tables, foot notes and where the numbers come from, as escaped HTML."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from glowdeblur_plugin.comparison.summary import Summary
from glowdeblur_plugin.comparison.table_parts import Column, Entry, Table, described_set
from glowdeblur_plugin.comparison.tables import provenance
from glowdeblur_plugin.metrics.protocols import PROTOCOLS

ARROWS = {'higher': ('↑', 'higher is better'), 'lower': ('↓', 'lower is better')}


def html_table(table: Table, index: int) -> str:
    """One table in a box that scrolls sideways, its caption above and its foot notes below; `index` sets its ids apart."""
    head = ''.join(_head(column) for column in table.columns)
    rows = []
    for row in table.rows:
        entries = ''.join(_entry(entry, column, index) for entry, column in zip(row.entries, table.columns))
        kind = ' class="reference"' if row.reference else ''
        rows.append(f'<tr{kind}><th scope="row">{escape(row.label)}</th>{entries}</tr>')
    notes = ''.join(f'<li id="note-{index}-{number}">{escape(note)}</li>' for number, note in enumerate(table.notes, start=1))
    return (f'<figure class="table" id="table-{index}"><figcaption>{escape(table.caption)}</figcaption><div class="scroll" '
            f'tabindex="0" role="region" aria-label="Table: {escape(table.title)}"><table aria-label="{escape(table.title)}">'
            f'<thead><tr><th scope="col">Method</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
            + (f'<ol class="notes">{notes}</ol>' if notes else '') + '</figure>')


def _head(column: Column) -> str:
    arrow = ''
    if column.better is not None:
        mark, words = ARROWS[column.better]
        arrow = f' <span class="arrow" role="img" aria-label="{words}">{mark}</span>'
    below = f'<small>{escape(column.below)}</small>' if column.below else ''
    published = ' class="published"' if column.better is None else ''
    return f'<th scope="col"{published}>{escape(column.label)}{arrow}{below}</th>'


def _entry(entry: Entry, column: Column, index: int) -> str:
    text = {'best': f'<strong>{escape(entry.text)}</strong>', 'second': f'<u>{escape(entry.text)}</u>',
            None: escape(entry.text)}[entry.rank]
    if entry.spread:
        text += f'<span class="spread"> ± {escape(entry.spread)}</span>'
    if entry.notes:
        links = ', '.join(f'<a href="#note-{index}-{note}" aria-label="note {note}">{note}</a>' for note in entry.notes)
        text += f'<sup>[{links}]</sup>'
    if entry.interval:
        text += f'<span class="interval">{escape(entry.interval)}</span>'
    published = ' class="published"' if column.better is None else ''
    return f'<td{published}>{text}</td>'


def html_origin(summary: Summary) -> str:
    """What all numbers share, the sets with their protocols and the methods with their weights."""
    facts = ''.join(f'<div><dt>{escape(what)}</dt><dd>{escape(text)}</dd></div>' for what, text in provenance(summary))
    sets = [[record.label, described_set(summary, name), PROTOCOLS[record.protocol].label]
            for name, record in summary.sets.items()]
    methods = [[record.label, record.kind, record.weights or '', record.weights_sha256 or '', record.option or '',
                ', '.join(map(str, record.seeds)), record.device or '',
                '' if record.seconds_per_picture is None else f'{record.seconds_per_picture:.3g}']
               for record in summary.methods.values()]
    heads = ['Method', 'Kind', 'Weights', 'SHA-256', 'Option file', 'Noise seeds', 'Device', 's a picture']
    return (f'<dl class="facts">{facts}</dl>'
            + _plain('Sets and protocols', ['Set', 'Pictures and protocol', 'What is compared'], sets)
            + _plain('Methods', heads, methods, (2, 3, 4)))


def _plain(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], code: Sequence[int] = ()) -> str:
    """A table of text, in columns `code` of paths and hashes; columns without any text are left out."""
    used = [column for column in range(len(heads)) if any(row[column] for row in rows)]
    head = ''.join(f'<th scope="col">{escape(heads[column])}</th>' for column in used)
    lines = []
    for row in rows:
        cells = ''.join(f'<td{" class=code" * (column in code)}>{escape(row[column])}</td>' for column in used[1:])
        lines.append(f'<tr><th scope="row">{escape(row[0])}</th>{cells}</tr>')
    kind = 'plain wide' if len(used) > 3 else 'plain'
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}"><table class="{kind}">'
            f'<caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>')


def html_files(names: Sequence[str]) -> str:
    """Links to files and folders beside the page."""
    return ', '.join(f'<a href="{escape(quote(name))}">{escape(name)}</a>' for name in names)
