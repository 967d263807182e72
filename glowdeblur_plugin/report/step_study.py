"""Figures against the number of sampling steps: a CSV file, a table for the terminal and a chart.

Rows are mappings: `way` (solver and start, or a picture that takes no steps), `steps` (None for those) and figures by name.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from glowdeblur_plugin.report import charts

FIGURES = {
    'psnr': ('PSNR in dB, higher is nearer', '.2f'),
    'ssim': ('SSIM, higher is nearer', '.4f'),
    'niqe': ('NIQE, lower is more natural', '.2f'),
    'gradient': ('gradient relative to the sharp', '.3f')
}
PANEL, MARGIN, LEGEND = (420, 250), 70, 30
LABEL_SCALE, GAP = 0.4, 4
Row = Mapping[str, Any]


def as_csv(rows: Sequence[Row]) -> str:
    """All rows with a header; what a row does not have is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ['way', 'steps', *FIGURES], lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_table(rows: Sequence[Row]) -> str:
    """The rows in columns."""
    width = max(len(row['way']) for row in rows)
    lines = [' '.join([f'{"way":{width}}', 'steps', *(f'{name:>8}' for name in FIGURES)])]
    for row in rows:
        cells = [f'{row[name]:>8{digits}}' if name in row else ' ' * 8 for name, (_, digits) in FIGURES.items()]
        lines.append(' '.join([f'{row["way"]:{width}}', f'{row["steps"] or "":>5}', *cells]).rstrip())
    return '\n'.join(lines)


def steps_chart(rows: Sequence[Row]) -> np.ndarray:
    """A panel for each figure that there is: a line for each solver and start over the numbers of steps, which stand at equal
    distances, and a level for each picture that takes none. uint8 RGB (H, W, 3)."""
    present = [name for name in FIGURES if any(name in row and row['steps'] for row in rows)]
    ways = list(dict.fromkeys(row['way'] for row in rows if row['steps']))
    width, height = PANEL[0] + 2 * MARGIN, PANEL[1] + 2 * MARGIN
    canvas = charts.blank(2 * width, -(-len(present) // 2) * height + LEGEND)
    for place, name in enumerate(present):
        box = (place % 2 * width + MARGIN, place // 2 * height + MARGIN, *PANEL)
        _panel(canvas, box, rows, name, ways)
    for place, way in enumerate(ways):
        x = MARGIN + place * (2 * width - 2 * MARGIN) // max(len(ways), 1)
        cv2.line(canvas, (x, canvas.shape[0] - 20), (x + 20, canvas.shape[0] - 20), _colour(place), 2, cv2.LINE_AA)
        charts.write(canvas, way, x + 26, canvas.shape[0] - 15)
    return canvas


def _panel(canvas: np.ndarray, box: charts.Box, rows: Sequence[Row], name: str, ways: Sequence[str]) -> None:
    left, top, width, height = box
    rows = [row for row in rows if name in row]
    counts = sorted({row['steps'] for row in rows if row['steps']})
    low, high = min(row[name] for row in rows), max(row[name] for row in rows)
    spread = max(high - low, 1e-6)

    def x(count: int) -> int:
        return left + round((counts.index(count) + 0.5) / len(counts) * width)

    def y(value: float) -> int:
        return top + height - round((0.05 + 0.9 * (value - low) / spread) * height)

    cv2.rectangle(canvas, (left, top), (left + width, top + height), charts.PALE, 1)
    charts.write(canvas, FIGURES[name][0], left, top - 12)
    for count in counts:
        charts.write(canvas, str(count), x(count), top + height + charts.LINE, 'middle')
    charts.write(canvas, 'steps', left + width / 2, top + height + 2 * charts.LINE, 'middle')
    for value in (low, high):
        charts.write(canvas, f'{value:{FIGURES[name][1]}}', left - 6, y(value) + 5, 'right')
    taken: list[charts.Box] = []
    for level, label in sorted((y(row[name]), row['way']) for row in rows if not row['steps']):
        cv2.line(canvas, (left, level), (left + width, level), charts.GREY, 1)
        place = _free_place(label, level, box, taken)
        charts.write(canvas, label, place[0], place[1] + place[3], colour=charts.GREY, scale=LABEL_SCALE)
        taken.append(place)
    for place, way in enumerate(ways):
        points = [(x(row['steps']), y(row[name])) for row in rows if row['way'] == way]
        cv2.polylines(canvas, [np.array(points, np.int32)], False, _colour(place), 2, cv2.LINE_AA)
        for point in points:
            cv2.circle(canvas, point, 4, _colour(place), -1, cv2.LINE_AA)


def _free_place(label: str, level: int, box: charts.Box, taken: Sequence[charts.Box]) -> charts.Box:
    """Where a label goes that stands over or under its level inside `box`: as far to the right as others leave room."""
    size = charts.text_size(label, LABEL_SCALE)
    for x in range(box[0] + box[2] - 6 - size[0], box[0], -GAP):
        for y in (level - 4 - size[1], level + 5):
            place = (x, y, *size)
            inside = box[1] < y and y + size[1] < box[1] + box[3]
            if inside and not any(_meet(place, other) for other in taken):
                return place
    return box[0], level + 5, *size


def _meet(one: charts.Box, other: charts.Box) -> bool:
    return all(one[axis] < other[axis] + other[axis + 2] + GAP and other[axis] < one[axis] + one[axis + 2] + GAP
               for axis in (0, 1))


def _colour(place: int) -> charts.Colour:
    return charts.COLOURS[place % len(charts.COLOURS)]
