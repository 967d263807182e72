"""The matrix of a study as a picture."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from glowdeblur_plugin.report import charts
from glowdeblur_plugin.study.analysis import Cell

WIDTH, HEIGHT, HEAD, FOOT, MARGIN = 118, 46, 64, 58, 14
SMALL = 0.4
GAIN, LOSS = np.array(charts.COLOURS[2], np.float64), np.array(charts.COLOURS[1], np.float64)
DEEPEST = 0.75
LEGEND = ('PSNR gain over the blurry picture in dB; in brackets the gap to the network trained on this domain alone. '
          'Framed: trained on.')


def heat_map(rows: Sequence[str], sets: Sequence[str], cells: Mapping[tuple[str, str], Cell], title: str) -> np.ndarray:
    """A field for each row and test set: its gain over the blurry pictures as colour and number, the gap to the domain's own
    network below it; what a row is trained on has a frame. uint8 RGB (H, W, 3)."""
    label = max(charts.text_size(row)[0] for row in rows) + 2 * MARGIN
    canvas = charts.blank(max(label + WIDTH * len(sets) + MARGIN, charts.text_size(title)[0] + 2 * MARGIN),
                          HEAD + HEIGHT * len(rows) + FOOT)
    deepest = max(abs(cell.gain) for cell in cells.values()) or 1.0
    charts.write(canvas, title, MARGIN, 22)
    for column, name in enumerate(sets):
        charts.write(canvas, charts.shortened(name, WIDTH - 6), label + WIDTH * (column + 0.5), HEAD - 10, 'middle')
    frames = []
    for place, row in enumerate(rows):
        top = HEAD + HEIGHT * place
        charts.write(canvas, row, label - MARGIN, top + HEIGHT / 2 + 5, 'right')
        for column, name in enumerate(sets):
            cell, left = cells[row, name], label + WIDTH * column
            corners = (left, top), (left + WIDTH - 2, top + HEIGHT - 2)
            cv2.rectangle(canvas, *corners, _colour(cell.gain / deepest), -1)
            line = top + (20 if cell.gap is not None else HEIGHT / 2 + 5)
            charts.write(canvas, f'{cell.gain:+z.2f}', left + WIDTH / 2, line, 'middle')
            if cell.gap is not None:
                charts.write(canvas, f'({cell.gap:+z.2f})', left + WIDTH / 2, top + 37, 'middle', scale=SMALL)
            if cell.trained:
                frames.append(corners)
    for corners in frames:
        cv2.rectangle(canvas, *corners, charts.INK, 2)
    charts.paragraph(canvas, LEGEND, MARGIN, canvas.shape[0] - FOOT + 22, canvas.shape[1] - 2 * MARGIN, charts.GREY)
    return canvas


def _colour(depth: float) -> charts.Colour:
    """White at 0, towards green for gains up to 1 and towards orange for losses down to -1."""
    share = DEEPEST * min(abs(depth), 1.0)
    red, green, blue = (255 * (1 - share) + (GAIN if depth > 0 else LOSS) * share).round().astype(int).tolist()
    return red, green, blue
