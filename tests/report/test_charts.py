"""Charts show their numbers, and labels keep apart."""

import itertools

import numpy as np
import pytest

from glowdeblur_plugin.report import charts
from glowdeblur_plugin.report.audit_pictures import MAGNITUDE_TICKS, ORIENTATION_TICKS, from_falling
from glowdeblur_plugin.report.blur_patterns import blur_patterns

RED = (200, 0, 0)


def is_red(canvas: np.ndarray) -> np.ndarray:
    return (canvas == RED).all(axis=2)


def test_bars_are_as_high_as_their_shares():
    canvas = charts.blank(240, 160)
    charts.histogram(canvas, (20, 30, 200, 100), np.array([0.1, 0.2, 0.4, 0.3]), RED, [(0, '0'), (1, '1')], 'title')
    heights = is_red(canvas)[:, [45, 95, 145, 195]].sum(axis=0)
    np.testing.assert_allclose(heights, [25, 50, 100, 75], atol=2)


def test_the_outline_shares_the_axis_of_the_bars():
    canvas = charts.blank(240, 160)
    charts.histogram(canvas, (20, 30, 200, 100), np.array([0.2, 0.2]), RED, [], '', outline=np.array([0.1, 0.4]))
    assert np.flatnonzero(is_red(canvas)[:, 70])[0] == pytest.approx(80, abs=1)
    assert (canvas[30, 130:210].max(axis=1) < 120).all() and (canvas[105, 30:110].max(axis=1) < 120).all()


@pytest.mark.parametrize(('degrees', 'inside'), [(0, (90, 50)), (90, (50, 90)), (45, (80, 80)), (135, (20, 80))])
def test_the_rose_points_where_the_blur_lies_in_the_picture(degrees, inside):
    """x to the right, y downwards: 45 degrees fall to the right; the wedge reaches to both sides."""
    canvas, shares = charts.blank(100, 100), np.zeros(36)
    shares[degrees // 5] = 1
    charts.rose(canvas, (0, 0, 100, 100), shares, RED, '')
    red, (x, y) = is_red(canvas), inside
    assert red[y - 1:y + 2, x - 1:x + 2].any() and red[99 - y:102 - y, 99 - x:102 - x].any()
    assert not red[x - 1:x + 2, 98 - y:101 - y].any()


def test_parts_of_the_bar_are_as_long_as_their_shares():
    canvas = charts.blank(240, 120)
    charts.share_bar(canvas, (20, 30, 200, 20), [('a', 0.25, RED), ('b', 0.75, (0, 0, 200))], 'title')
    assert is_red(canvas)[40].sum() == pytest.approx(50, abs=2)


def test_labels_of_crowded_dots_do_not_overlap():
    rng = np.random.default_rng(0)
    box, taken = (80, 100, 800, 400), []
    points = [tuple(int(value) for value in point) for point in rng.normal((400, 300), 20, (14, 2))]
    for index, point in enumerate(points):
        taken.append(charts.free_place(point, charts.text_size(f'set number {index}'), taken, box))
    for one, other in itertools.combinations(taken, 2):
        apart = (one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]
                 or one[1] + one[3] <= other[1] or other[1] + other[3] <= one[1])
        assert apart
    for left, top, width, height in taken:
        assert left >= 80 and top >= 100 and left + width <= 880 and top + height <= 500


def test_dots_lie_at_their_values():
    canvas = charts.blank(400, 300)
    charts.scatter(canvas, (60, 40, 300, 200), [(0.5, 4, ''), (1.0, 8, '')], ('x', 'y'))
    for colour, (x, y) in zip(charts.COLOURS, ((0.5, 4), (1.0, 8))):
        rows, columns = np.nonzero((canvas == colour).all(axis=2))
        expected = 60 + x / 1.5 * 300, 240 - y / 10 * 200
        assert (columns.mean(), rows.mean()) == pytest.approx(expected, abs=1.5)


def test_the_line_stands_at_its_value_and_widens_the_axis():
    canvas = charts.blank(400, 300)
    charts.scatter(canvas, (60, 40, 300, 200), [(0.5, 4, '')], ('x', 'y'), line=(1.8, 'floor'))
    dark = (canvas[40:240] < 60).all(axis=2).mean(axis=0)
    assert np.argmax(dark) == pytest.approx(60 + 1.8 / 2 * 300, abs=1) and 0.4 < dark.max() < 0.8
    rows, columns = np.nonzero((canvas == charts.COLOURS[0]).all(axis=2))
    assert columns.mean() == pytest.approx(60 + 0.5 / 2 * 300, abs=1.5)


@pytest.mark.parametrize('filled', [True, False])
def test_open_dots_are_white_inside(filled):
    canvas = charts.blank(400, 300)
    charts.scatter(canvas, (60, 40, 300, 200), [(0.5, 4, '')], ('x', 'y'), filled=filled)
    rows, columns = np.nonzero((canvas == charts.COLOURS[0]).all(axis=2))
    inside = canvas[round(rows.mean()), round(columns.mean())]
    np.testing.assert_array_equal(inside, charts.COLOURS[0] if filled else (255, 255, 255))


@pytest.mark.parametrize('degrees', [0, 45, 90])
def test_a_peak_of_one_direction_is_one_bar_above_its_tick(degrees):
    """0 and 90 degrees, the most frequent ones, lie within the axis."""
    canvas, shares = charts.blank(400, 160), np.zeros(36)
    shares[degrees // 5] = 1
    tick, = [place for place, label in ORIENTATION_TICKS if label.split()[0] == str(degrees)]
    charts.histogram(canvas, (20, 30, 360, 100), from_falling(shares), RED, [], '')
    columns = np.flatnonzero(is_red(canvas)[80])
    assert columns.max() - columns.min() < 10 and columns.mean() == pytest.approx(20 + 360 * tick, abs=1.5)


def test_lengths_lie_at_their_ticks():
    """The last tick is the middle of the bin of all that is longer."""
    places = {label: place for place, label in MAGNITUDE_TICKS}
    for length in (0, 8, 40):
        first = np.flatnonzero(blur_patterns([np.array([[length + 0.1, 0, 0]])]).magnitude)[0]
        assert places[str(length)] == pytest.approx(first / 24)
    assert blur_patterns([np.array([[46.1, 0, 0]])]).magnitude[int(places['46+'] * 24)] == 1


@pytest.mark.parametrize(('value', 'limit'), [(0.97, 1), (1, 1), (1.01, 1.5), (0.11, 0.15), (83, 100), (0.0031, 0.004)])
def test_axes_end_at_round_numbers(value, limit):
    assert charts.nice_limit(value) == pytest.approx(limit)


@pytest.mark.parametrize(('limit', 'step'), [(1, 0.2), (0.6, 0.1), (80, 20), (0.0015, 0.0005), (30, 5), (1000, 200)])
def test_axes_are_divided_at_round_numbers(limit, step):
    assert limit / charts.divisions(limit) == pytest.approx(step)


def test_long_labels_keep_both_ends():
    text = charts.shortened('gopro:datasets/very/long/path/to/realblur_j/test_lq', 150)
    assert text.startswith('gopro') and text.endswith('test_lq') and charts.text_size(text)[0] <= 150
    assert charts.shortened('short', 150) == 'short'


def test_paragraphs_stay_within_their_width():
    canvas = charts.blank(400, 200)
    charts.paragraph(canvas, 'words that are far too many for one line of this width, and go on', 20, 40, 150)
    rows, columns = np.nonzero((canvas < 150).all(axis=2))
    assert columns.min() >= 20 and columns.max() <= 171 and np.ptp(rows) > 2 * charts.LINE
