"""Tables as LaTeX with the rules of booktabs."""

import re
from collections.abc import Sequence

from glowdeblur_plugin.comparison.table_parts import NOTHING, Column, Entry, Row, Table

ARROWS = {'higher': r' $\uparrow$', 'lower': r' $\downarrow$', None: ''}
SPECIAL = {'\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '$': r'\$', '&': r'\&', '#': r'\#', '%': r'\%', '_': r'\_',
           '^': r'\textasciicircum{}', '~': r'\textasciitilde{}', '<': r'\textless{}', '>': r'\textgreater{}',
           '|': r'\textbar{}', '"': r"''", '`': r'\textasciigrave{}', '[': '{[}', ']': '{]}', '*': '{*}',
           '±': r'$\pm$', '–': r'\textendash{}', '∞': r'$\infty$', '\n': ' ', '\r': ' ', '\t': ' '}
ESCAPED = str.maketrans(SPECIAL)


def latex_document(tables: Sequence[Table], origins: Sequence[str]) -> str:
    """All tables, ready for \\input; where the numbers come from stands in comments above them."""
    comments = ['\\usepackage{booktabs} is needed in the preamble.', *origins]
    lines = ['% ' + ' '.join(line.split()) for line in comments]
    return '\n'.join(lines) + '\n\n' + '\n'.join(latex_table(table) for table in tables)


def latex_table(table: Table) -> str:
    """One floating table with caption, label and foot notes."""
    heads = ['Method', *(_head(column) for column in table.columns)]
    lines = [r'\begin{table}[t]', r'  \centering', f'  \\caption{{{escaped(table.words)}}}',
             f'  \\label{{{_label(table.key)}}}', f'  \\begin{{tabular}}{{l{"r" * len(table.columns)}}}', r'    \toprule',
             f'    {" & ".join(heads)} \\\\']
    below = [f'\\footnotesize {escaped(column.below)}' if column.below else '' for column in table.columns]
    if any(below):
        lines.append(f'    {" & ".join(["", *below])} \\\\')
    lines.append(r'    \midrule')
    for before, row in zip([None, *table.rows], table.rows):
        if before is not None and before.reference != row.reference:
            lines.append(r'    \midrule')
        lines.append(f'    {_row(row)} \\\\')
    lines += [r'    \bottomrule', r'  \end{tabular}']
    if table.notes:
        notes = (f'{_mark(index)} {escaped(note.rstrip("."))}.' for index, note in enumerate(table.notes, start=1))
        lines += [r'  \par\smallskip', f'  \\parbox{{\\linewidth}}{{\\footnotesize {" ".join(notes)}}}']
    return '\n'.join([*lines, r'\end{table}', ''])


def escaped(text: str) -> str:
    """`text` that LaTeX shows as it is."""
    return re.sub('-(?=-)', '-{}', text.translate(ESCAPED))


def _label(key: str) -> str:
    return 'tab:' + re.sub('[^A-Za-z0-9_-]', lambda found: f'{ord(found.group()):x}', key)


def _head(column: Column) -> str:
    return escaped(column.label) + ARROWS[column.better]


def _row(row: Row) -> str:
    return ' & '.join([escaped(row.label), *(_entry(entry) for entry in row.entries)])


def _entry(entry: Entry) -> str:
    text = escaped(entry.text) if entry.text == NOTHING else _number(entry.text)
    text = {'best': f'\\textbf{{{text}}}', 'second': f'\\underline{{{text}}}', None: text}[entry.rank]
    spread = f' $\\pm$ {_number(entry.spread)}' if entry.spread else ''
    return text + spread + ''.join(_mark(note) for note in entry.notes)


def _mark(note: int) -> str:
    return f'\\textsuperscript{{[{note}]}}'


def _number(text: str) -> str:
    return escaped(text).replace('-', '$-$')
