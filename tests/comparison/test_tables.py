"""Tables in all formats hold the same numbers, marks and notes, whatever the names are."""

import csv
import io
import re
from pathlib import Path

import pytest
from compared_folder import HASH, LABELS

from glowdeblur_plugin.comparison import latex, tables
from glowdeblur_plugin.comparison.summary import Summary
from glowdeblur_plugin.comparison.table_parts import number, overview_metrics

SPECIAL = r'\{}$&#%_^~<>|"`[]* a--b ---c'


@pytest.fixture(scope='module')
def summary(compared: Path) -> Summary:
    return Summary.read(compared / 'summary.json')


def markdown_rows(text: str) -> list[list[str]]:
    """Cells of the lines of a Markdown table, split where a | is no part of a name."""
    return [re.split(r' (?<!\\)\| ', line[2:-2]) for line in text.splitlines() if line.startswith('| ')]


def latex_rows(text: str) -> list[list[str]]:
    """Cells of the rows of a tabular, the heads included."""
    return [re.split(r'(?<!\\)&', line.strip().removesuffix(r'\\')) for line in text.splitlines()
            if line.startswith('    ') and line.endswith(r'\\')]


def test_markdown_marks_notes_and_names(summary):
    text = tables.as_markdown(summary, 'large')
    head, _, *rows = markdown_rows(text)
    assert head == ['Method', 'PSNR ↑', 'PSNR<br>published', r'SSIM (ssim-2d) ↑', r'SSIM (ssim-3d) ↑', 'LPIPS ↓']
    assert rows[0] == ['Blurry', '25.12', '–', '0.700', '0.800', r'– \[1\]']
    assert rows[1] == [r'Half &lt;i&gt; &amp; "\|\\', r'<u>26.12</u> \[2\]', '–', '0.710', '0.810', r'– \[1\]']
    assert rows[2] == [r'Most\_of-it 90 %', '**27.12**', r'33.69 \[3\]', '0.720', '0.820', r'– \[1\]']
    assert rows[3][1] == '28.12 ± 0.04' and len(rows) == 5
    assert '1 of 3 failed and are not in the mean; a &lt;b&gt;&amp;"c" 100%#1: no alignment found' in text
    assert r'- \[1\] weights are missing: put alex.pth into \~/models\_dir' in text
    assert r'- \[3\] Published: Someone et al. 2022, table 6' in text
    assert text.startswith(r'Large\_set: 3 pictures, protocol rgb-u8, no border left out.') and '3 noise seeds' in text


def test_the_whole_document_says_where_numbers_come_from(compared, summary):
    text = (compared / 'summary.md').read_text(encoding='utf-8')
    assert text == tables.as_markdown(summary) and '9.8.7, git abc1234' in text and HASH[:12] in text
    assert '- Made-up numbers &amp; &lt;notes&gt;' in text and '% Made-up numbers & <notes>' in tables.as_latex(summary)
    assert text.index('## PSNR') < text.index(r'## Large\_set') < text.index('## Many')


def test_overviews_are_of_metrics_that_sets_share(summary):
    assert overview_metrics(summary) == ['psnr']
    head, _, blurry, *_ = markdown_rows(tables.as_markdown(summary))
    assert head == ['Method', r'Large\_set ↑<br>rgb-u8', 'Many ↑<br>realblur-aligned, border 4']
    assert blurry == ['Blurry', '25.12', '20.00']


def test_ties_are_not_marked(summary):
    assert not any('**' in cell or '<u>' in cell for row in markdown_rows(tables.as_markdown(summary, 'many')) for cell in row)


def test_latex_is_balanced_and_rows_are_whole(compared, summary):
    text = (compared / 'summary.tex').read_text(encoding='utf-8')
    assert text == tables.as_latex(summary)
    body = '\n'.join(line for line in text.splitlines() if not line.startswith('%'))
    depth = 0
    for mark in re.findall(r'\\.|[{}]', body):
        depth += {'{': 1, '}': -1}.get(mark, 0)
        assert depth >= 0
    assert depth == 0
    assert re.findall(r'\\begin\{(.+?)\}', body) == ['table', 'tabular'] * 3
    assert re.findall(r'\\end\{(.+?)\}', body) == ['tabular', 'table'] * 3
    for one in body.split(r'\end{table}')[:-1]:
        columns = len(re.search(r'\\begin\{tabular\}\{(.+?)\}', one).group(1))
        rows = latex_rows(one)
        assert {len(row) for row in rows} == {columns} and len(rows) >= len(LABELS) + 1
    assert '%' not in re.sub(r'\\%', '', body)


def test_latex_marks_and_notes(summary):
    rows = [[cell.strip() for cell in row] for row in latex_rows(tables.as_latex(summary, 'large'))]
    assert rows[0][:3] == ['Method', r'PSNR $\uparrow$', 'PSNR'] and rows[1][2] == r'\footnotesize published'
    assert rows[3][:2] == [r"Half \textless{}i\textgreater{} \& ''\textbar{}\textbackslash{}",
                           r'\underline{26.12}\textsuperscript{[2]}']
    assert rows[4][:3] == [r'Most\_of-it 90 \%', r'\textbf{27.12}', r'33.69\textsuperscript{[3]}']
    assert rows[5][1] == r'28.12 $\pm$ 0.04'


def test_latex_shows_every_letter_as_it_is():
    text = latex.escaped(SPECIAL)
    shown = {r'\textbackslash{}': '\\', r'\textasciicircum{}': '^', r'\textasciitilde{}': '~', r'\textless{}': '<',
             r'\textgreater{}': '>', r'\textbar{}': '|', r'\textasciigrave{}': '`', '{[}': '[', '{]}': ']', '{*}': '*',
             "''": '"', '-{}': '-'}
    pattern = '|'.join(map(re.escape, shown)) + r'|\\([{}$&#%_])'
    assert re.sub(pattern, lambda found: found.group(1) or shown[found.group()], text) == SPECIAL
    assert '--' not in text and not re.search(r'(?<!\\)[$&#%_^~<>|"`]', text)


def test_csv_holds_all_numbers_unrounded_with_their_origin(compared, summary):
    rows = list(csv.DictReader((compared / 'summary.csv').open(encoding='utf-8', newline='')))
    assert len(rows) == len(summary.cells)
    for row, cell in zip(rows, summary.cells):
        assert (row['set'], row['method'], row['metric']) == (cell.set, cell.method, cell.metric)
        for key in ('mean', 'spread', 'low', 'high', 'published'):
            value = getattr(cell, key)
            assert row[key] == '' if value is None else float(row[key]) == value
        assert row['protocol'] == summary.sets[cell.set].protocol and row['device'] == 'CPU' and row['code_version'] == '9.8.7'
        assert row['weights_sha256'] == (HASH if cell.method == 'most_of-it' else '')
    alone = list(csv.DictReader(io.StringIO(tables.as_csv(summary, 'many'))))
    assert alone == [row for row in rows if row['set'] == 'many']
    assert [row['failed'] for row in rows if (row['method'], row['metric']) == ('half', 'psnr')] == ['1', '0']


@pytest.mark.parametrize(('value', 'text'), [(12.345, '12.35'), (-0.001, '-0.00'), (float('inf'), '∞'), (7, '7.00')])
def test_numbers(value, text):
    assert number(value, 2) == text
