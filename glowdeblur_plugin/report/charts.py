"""Small charts drawn with OpenCV on a white uint8 RGB canvas (H, W, 3); boxes are (left, top, width, height) in pixels."""

from collections.abc import Sequence

import cv2
import numpy as np

Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]

INK, GREY, PALE = (30, 30, 30), (120, 120, 120), (225, 225, 225)
# Told apart by colour-blind readers, the set of Okabe and Ito (2008) without its yellow.
COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (0, 0, 0))
FONT = cv2.FONT_HERSHEY_SIMPLEX
TEXT_SCALE = 0.45
LINE = 18
DASH = 10


def blank(width: int, height: int) -> np.ndarray:
    """A white canvas."""
    return np.full((height, width, 3), 255, np.uint8)


def text_size(text: str, scale: float = TEXT_SCALE) -> tuple[int, int]:
    """Width and height of a text in pixels."""
    return cv2.getTextSize(text, FONT, scale, 1)[0]


def write(canvas: np.ndarray, text: str, x: float, y: float, anchor: str = 'left', colour: Colour = INK,
          scale: float = TEXT_SCALE) -> None:
    """Write with the base line at y and the text's `left`, `middle` or `right` at x."""
    shift = {'left': 0, 'middle': 0.5, 'right': 1}[anchor] * text_size(text, scale)[0]
    cv2.putText(canvas, text, (round(x - shift), round(y)), FONT, scale, colour, 1, cv2.LINE_AA)


def shortened(text: str, width: int, scale: float = TEXT_SCALE) -> str:
    """The text, or its start and end about '..', so that it is at most `width` pixels wide."""
    kept = len(text)
    short = text
    while kept and text_size(short, scale)[0] > width:
        kept -= 1
        short = f'{text[:kept - kept * 2 // 3]}..{text[len(text) - kept * 2 // 3:]}'
    return short


def paragraph(canvas: np.ndarray, text: str, x: float, y: float, width: int, colour: Colour = INK) -> None:
    """Write words in lines of at most `width` pixels, the first with its base line at y."""
    line = ''
    for word in text.split(' '):
        longer = f'{line} {word}'.strip()
        if line and text_size(longer)[0] > width:
            write(canvas, line, x, y, colour=colour)
            line, y = word, y + LINE
        else:
            line = longer
    write(canvas, line, x, y, colour=colour)


def histogram(canvas: np.ndarray, box: Box, shares: np.ndarray, colour: Colour, ticks: Sequence[tuple[float, str]],
              title: str, outline: np.ndarray | None = None) -> None:
    """Bars of `shares` (B,) under a title, with `ticks` (position from 0 to 1, label) below; `outline` (B,) is drawn as a dark
    line of steps. The axis ends at the highest of both, which stands in the title's line."""
    left, top, width, height = box
    write(canvas, title, left, top - 8)
    shown = [shares] if outline is None else [shares, outline]
    highest = max(float(np.max(shown)), 1e-9)
    write(canvas, f'highest {highest:.1%}', left + width, top - 8, 'right', GREY)
    edges = left + np.round(np.arange(len(shares) + 1) * width / len(shares)).astype(int)
    tops = [np.round(top + height * (1 - entry / highest)).astype(int) for entry in shown]
    cv2.rectangle(canvas, (left, top), (left + width, top + height), PALE, 1)
    for start, end, level in zip(edges[:-1], edges[1:], tops[0]):
        cv2.rectangle(canvas, (int(start) + 1, int(level)), (int(end) - 1, top + height), colour, -1)
    if outline is not None:
        steps = np.stack([np.repeat(edges, 2)[1:-1], np.repeat(tops[1], 2)], axis=1)
        cv2.polylines(canvas, [steps.astype(np.int32)], False, INK, 1, cv2.LINE_AA)
    cv2.line(canvas, (left, top + height), (left + width, top + height), INK, 1)
    for position, label in ticks:
        x = left + round(position * width)
        cv2.line(canvas, (x, top + height), (x, top + height + 4), INK, 1)
        write(canvas, label, x, top + height + LINE, 'middle')


def rose(canvas: np.ndarray, box: Box, shares: np.ndarray, colour: Colour, title: str) -> None:
    """Directions as they lie in the picture: a wedge to both sides for each of `shares` (B,) over 180 degrees, y downwards, its
    area in proportion to the share; the ring is where all would be alike."""
    left, top, width, height = box
    write(canvas, title, left, top - 8)
    middle, radius = (left + width // 2, top + height // 2), min(width, height) // 2 - 2
    reach = radius * np.sqrt(shares / shares.max())
    step = 180 / len(shares)
    for index, length in enumerate(reach):
        for turn in (0, 180):
            start = index * step - step / 2 + turn
            cv2.ellipse(canvas, middle, (round(length), round(length)), 0, start, start + step, colour, -1, cv2.LINE_AA)
    alike = round(radius * float(np.sqrt(1 / len(shares) / shares.max())))
    cv2.circle(canvas, middle, alike, GREY, 1, cv2.LINE_AA)
    cv2.circle(canvas, middle, radius, PALE, 1, cv2.LINE_AA)


def share_bar(canvas: np.ndarray, box: Box, parts: Sequence[tuple[str, float, Colour]], title: str) -> None:
    """One bar cut into `parts` (label, share, colour), with a legend in the lines below."""
    left, top, width, height = box
    write(canvas, title, left, top - 8)
    start = 0.0
    for index, (label, share, colour) in enumerate(parts):
        ends = [left + round(width * point) for point in (start, min(start + share, 1))]
        if ends[1] > ends[0]:
            cv2.rectangle(canvas, (ends[0], top), (ends[1], top + height), colour, -1)
        start += share
        line = top + height + LINE * (index + 1) + 2
        cv2.rectangle(canvas, (left, line - 10), (left + 10, line), colour, -1)
        write(canvas, f'{label} {share:.0%}', left + 16, line)
    cv2.rectangle(canvas, (left, top), (left + width, top + height), INK, 1)


def scatter(canvas: np.ndarray, box: Box, points: Sequence[tuple[float, float, str]], axes: tuple[str, str],
            line: tuple[float, str] | None = None, filled: bool = True) -> None:
    """Labelled dots (x, y, label), `filled` or open, with both axes from 0, their names in `axes`; labels are moved about until
    they overlap nothing. `line` is an x with a label, drawn broken from top to bottom."""
    left, top, width, height = box
    limits = [nice_limit(max(max(point[axis] for point in points), 1e-6) * 1.1) for axis in (0, 1)]
    if line is not None:
        limits[0] = max(limits[0], nice_limit(line[0] * 1.1))
    cv2.rectangle(canvas, (left, top), (left + width, top + height), PALE, 1)
    for fraction in np.linspace(0, 1, divisions(limits[0]) + 1):
        x = left + round(fraction * width)
        cv2.line(canvas, (x, top), (x, top + height), PALE, 1)
        write(canvas, f'{fraction * limits[0]:.3g}', x, top + height + LINE, 'middle')
    for fraction in np.linspace(0, 1, divisions(limits[1]) + 1):
        y = top + height - round(fraction * height)
        cv2.line(canvas, (left, y), (left + width, y), PALE, 1)
        write(canvas, f'{fraction * limits[1]:.3g}', left - 8, y + 5, 'right')
    write(canvas, axes[0], left + width / 2, top + height + 2 * LINE + 6, 'middle')
    write(canvas, axes[1], left - 40, top - 12)
    places = [(left + round(x / limits[0] * width), top + height - round(y / limits[1] * height)) for x, y, _ in points]
    taken: list[Box] = [(x - 7, y - 7, 14, 14) for x, y in places]
    if line is not None:
        x = left + round(line[0] / limits[0] * width)
        for y in range(top, top + height - DASH // 2, DASH):
            cv2.line(canvas, (x, y), (x, y + DASH // 2), INK, 1)
        anchor = 'left' if x + 6 + text_size(line[1])[0] < left + width else 'right'
        write(canvas, line[1], x + (6 if anchor == 'left' else -6), top + LINE, anchor)
        taken += [(x - 2, top, 4, height),
                  (x + 6 - (0 if anchor == 'left' else 12 + text_size(line[1])[0]), top, text_size(line[1])[0], LINE + 4)]
    for index, ((x, y), (_, _, label)) in enumerate(zip(places, points)):
        colour = COLOURS[index % len(COLOURS)]
        label_box = free_place((x, y), text_size(label), taken, box)
        taken.append(label_box)
        end = (label_box[0] - 2 if label_box[0] > x else label_box[0] + label_box[2] + 2, label_box[1] + label_box[3] // 2)
        if abs(end[0] - x) > 14 or abs(end[1] - y) > 14:
            cv2.line(canvas, (x, y), end, GREY, 1, cv2.LINE_AA)
        cv2.circle(canvas, (x, y), 6, colour, -1, cv2.LINE_AA)
        if not filled:
            cv2.circle(canvas, (x, y), 4, (255, 255, 255), -1, cv2.LINE_AA)
        write(canvas, label, label_box[0], label_box[1] + label_box[3])


def nice_limit(value: float) -> float:
    """The least of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten that is at least `value`."""
    power = 10.0 ** np.floor(np.log10(value))
    return next(float(step * power) for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def divisions(limit: float) -> int:
    """Into how many parts an axis up to `limit`, one of `nice_limit`, is divided: parts of 1, 2 or 5 times a power of ten where
    that can be."""
    first = round(limit / 10.0 ** np.floor(np.log10(limit) + 1e-9), 1)
    return {1.5: 3, 2: 4, 3: 6, 4: 4, 6: 6, 8: 4}.get(first, 5)


def free_place(point: tuple[int, int], size: tuple[int, int], taken: Sequence[Box], inside: Box) -> Box:
    """Where a text of `size` lies beside `point` without touching the boxes in `taken`, within `inside`: the nearest of places
    to its right and left at heights further and further away; beside the point where none is free."""
    (x, y), (width, height) = point, size
    beside = [(x + 12, y - height // 2, width, height), (x - 12 - width, y - height // 2, width, height)]
    for steps in range(40):
        for sign in (-1, 1):
            for left, top, _, _ in beside:
                place = (left, top + sign * steps * 6, width, height)
                if _within(place, inside) and not any(_touch(place, other) for other in taken):
                    return place
    return beside[0]


def _within(box: Box, outer: Box) -> bool:
    return (box[0] >= outer[0] and box[1] >= outer[1] and box[0] + box[2] <= outer[0] + outer[2]
            and box[1] + box[3] <= outer[1] + outer[3])


def _touch(one: Box, other: Box, gap: int = 3) -> bool:
    return (one[0] < other[0] + other[2] + gap and other[0] < one[0] + one[2] + gap
            and one[1] < other[1] + other[3] + gap and other[1] < one[1] + one[3] + gap)
