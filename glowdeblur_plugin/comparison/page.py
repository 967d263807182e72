"""The page of a comparison: one HTML file that needs neither network nor other files."""

import base64
import hashlib
import json
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from glowdeblur_plugin.comparison.page_parts import html_files, html_origin, html_table
from glowdeblur_plugin.comparison.page_pictures import SHARP, Carried, embed_pictures, shown_methods
from glowdeblur_plugin.comparison.picture_values import Values, first_shown, read_values
from glowdeblur_plugin.comparison.summary import COMPETITORS, Summary
from glowdeblur_plugin.comparison.table_parts import Table, overview_metrics, overview_table, set_table
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import printable
from glowdeblur_plugin.files import write_atomically

FILES = ('summary.md', 'summary.tex', 'summary.csv', 'summary.json', 'per_picture.csv')
FINER = 2
ASSETS = Path(__file__).with_name('page_files')


def write_page(folder: Path, progress: Progress = silent) -> Path:
    """Write `index.html` beside `summary.json`, `per_picture.csv` and `pictures/` of a comparison; returns its path.

    It stays below about 30 MB: of each set up to seven pictures are inside, the others are opened from `pictures/`.

    Raises:
        UserError: one of them is missing or cannot be read, or the page cannot be written.
    """
    summary, values = Summary.read(folder / 'summary.json'), read_values(folder / 'per_picture.csv')
    carried = embed_pictures(folder, summary, values, progress)
    style, script = asset('page.css'), joined_script()
    files = [name for name in FILES if (folder / name).is_file()]
    overviews = [overview_table(summary, metric) for metric in overview_metrics(summary)]
    sets = [set_table(summary, name) for name in summary.sets]
    page = Template(asset('page.html')).substitute(
        title=escape(summary.name), lead=escape(lead(summary)), style=style, script=script, style_hash=source_hash(style),
        script_hash=source_hash(script), legend=legend_part([*overviews, *sets], summary.notes),
        overview=overview_part(overviews), tables=set_parts(sets, len(overviews)), origin=html_origin(summary),
        files=html_files(files), data=script_json(page_data(folder, summary, values, carried)))
    path = folder / 'index.html'
    write_atomically(path, printable(page))
    return path


def asset(name: str) -> str:
    """The text of a file of the page."""
    return (ASSETS / name).read_text(encoding='utf-8')


def joined_script() -> str:
    """The script of the page: its files in the order of their names, inside one function."""
    files = sorted(path.name for path in ASSETS.glob('*.js'))
    return "'use strict';\n(() => {\n" + '\n'.join(map(asset, files)) + '})();\n'


def source_hash(text: str) -> str:
    """What a content security policy calls a style or script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def lead(summary: Summary) -> str:
    """One line below the title."""
    methods = sum(record.kind in COMPETITORS for record in summary.methods.values())
    counts = ((methods, 'method'), (len(summary.sets), 'set'))
    parts = [f'{count} {noun}{"s" * (count != 1)}' for count, noun in counts]
    return ' · '.join([*parts, summary.created.replace('T', ' ')[:16]])


def legend_part(tables: list[Table], notes: list[str]) -> str:
    """What the marks of all tables mean, and what a reader must know beside them."""
    marks = ' '.join(dict.fromkeys(line for table in tables for line in table.legend))
    lines = ''.join(f'<li>{escape(note)}</li>' for note in notes)
    return f'<p class="legend">{escape(marks)}</p>' + (f'<ul class="legend">{lines}</ul>' if lines else '')


def overview_part(tables: list[Table]) -> str:
    """The overviews of all metrics, of which the script shows one at a time; empty where no metric is in two sets."""
    if not tables:
        return ''
    options = ''.join(f'<option value="{index}">{escape(table.title)}</option>' for index, table in enumerate(tables))
    choice = f'<label class="choice">Metric <select id="overview">{options}</select></label>'
    return ('<section id="over-sets"><div class="heading"><h3>All sets</h3>' + choice + '</div>'
            + ''.join(html_table(table, index) for index, table in enumerate(tables)) + '</section>')


def set_parts(tables: list[Table], start: int) -> str:
    """A section for each set."""
    return ''.join(f'<section><h3>{escape(table.title)}</h3>{html_table(table, index)}</section>'
                   for index, table in enumerate(tables, start=start))


def page_data(folder: Path, summary: Summary, values: Values, carried: Carried) -> dict[str, Any]:
    """What the script shows: labels, values of single pictures in the order of `names`, and pictures."""
    methods = {name: {'label': record.label, 'kind': record.kind} for name, record in summary.methods.items()}
    methods = {'blurry': {'label': 'Blurry', 'kind': 'blurry'}, **methods, SHARP: {'label': 'Sharp', 'kind': SHARP}}
    metrics = {name: {'label': record.label, 'better': record.better, 'digits': record.digits}
               for name, record in summary.metrics.items()}
    sets = {}
    for name, record in summary.sets.items():
        table = {metric: {method: [_rounded(pictures.get(picture), summary.metrics[metric].digits) for picture in record.names]
                          for method in summary.methods if (pictures := values.get((name, method, metric)))}
                 for metric in record.metrics}
        sets[name] = {'label': record.label, 'names': record.names, 'first': first_shown(summary, values, name),
                      'values': {metric: by_method for metric, by_method in table.items() if by_method},
                      'shown': shown_methods(folder, summary, name), 'embedded': carried.sets[name]}
    return {'methods': methods, 'metrics': metrics, 'sets': sets, 'uris': list(carried.uris)}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits + FINER)


def script_json(data: dict[str, Any]) -> str:
    """JSON that may stand inside a script element: no character that HTML reads."""
    text = json.dumps(data, allow_nan=False, separators=(',', ':'))
    return text.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')
