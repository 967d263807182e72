"""The page in a real headless Chromium: what a reader does with mouse and keyboard has its effect, and nothing is fetched."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from browser import Browser
from compared_folder import LABELS, MANY, ODD

from glowdeblur_plugin.comparison.picture_values import read_values

DRIVER = shutil.which('chromedriver')
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
pytestmark = pytest.mark.skipif(DRIVER is None or not any(map(shutil.which, BROWSERS)),
                                reason='needs Chromium and chromedriver (Debian: chromium, chromium-driver)')
RIGHT = '\ue014'
SHOWN = 'return document.querySelectorAll("#strip canvas, #strip .missing").length == 6'
GAINS = 'return [...document.querySelectorAll("#gains button")].map(b => [b.dataset.picture, b.lastChild.textContent])'
CLIP = 'return getComputedStyle(document.getElementById("right-picture")).clipPath'
SOURCE = 'return document.getElementById(arguments[0] + "-picture").src'
SQUARE = '''
    const canvas = document.querySelector(`#strip button[data-method="${arguments[0]}"] canvas`);
    const seen = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return [seen.width, seen.height, [...seen.data]];'''
PLACE = 'const style = document.getElementById("crop").style; return [style.top, style.left]'
CHOOSE = '''
    const select = document.getElementById(arguments[0]);
    select.value = arguments[1];
    select.dispatchEvent(new Event("change", {bubbles: true}));'''
BOX = '''
    const box = document.querySelector(arguments[0]).getBoundingClientRect();
    return [box.left, box.top, box.width, box.height];'''


@pytest.fixture(scope='module')
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    window = Browser(DRIVER, tmp_path_factory.mktemp('profile'))
    yield window
    window.close()


@pytest.fixture
def browser(window: Browser, compared: Path) -> Iterator[Browser]:
    """The page, just opened; no test may leave an error or ask for more than the page and pictures beside it."""
    window.view(1280, 1600)
    window.open(compared / 'index.html')
    window.wait(SHOWN)
    assert window.requested() == [(compared / 'index.html').as_uri()]
    window.run('document.getElementById("pictures").scrollIntoView()')
    yield window
    assert window.messages() == []
    assert all(address.startswith((compared / 'pictures').as_uri()) for address in window.requested())


def settled(browser: Browser, picture: str) -> None:
    browser.wait('return document.getElementById("said").textContent.startsWith(arguments[0] + ",")', picture)


def square(browser: Browser, method: str) -> np.ndarray:
    """What the canvas of a method shows, RGB."""
    width, height, levels = browser.run(SQUARE, method)
    return np.array(levels, np.uint8).reshape(height, width, 4)[..., :3]


def original(compared: Path, name: str, method: str, picture: str) -> np.ndarray:
    return cv2.imread(str(compared / 'pictures' / name / method / f'{picture}.png'))[..., ::-1]


def test_the_divider_moves_by_key_and_by_mouse(browser):
    assert browser.run(CLIP) == 'inset(0px 0px 0px 50%)'
    browser.press('#divider', RIGHT * 4)
    assert browser.run(CLIP) == 'inset(0px 0px 0px 52%)'
    left, top, width, height = browser.run(BOX, '#frame')
    browser.drag((left + 0.52 * width, top + 0.9 * height), (left + 0.2 * width, top + 0.9 * height))
    edge = float(browser.run(CLIP).rstrip(')%').split()[-1])
    assert edge == pytest.approx(20, abs=1)


def test_pictures_and_methods_switch(browser, compared):
    assert browser.run('return document.getElementById("left-picture").alt').endswith(', Blurry, left of the divider')
    browser.run(CHOOSE, 'picture', 'cat')
    settled(browser, 'cat')
    before = browser.run(SOURCE, 'left'), browser.run(SOURCE, 'right')
    browser.run(CHOOSE, 'right', 'codec')
    after = browser.run(SOURCE, 'left'), browser.run(SOURCE, 'right')
    assert before[0] == after[0] and before[1] != after[1]
    browser.click('#strip button[data-method="half"]')
    assert browser.run('return document.getElementById("right").value') == 'half'
    browser.click('#swap')
    assert browser.run(SOURCE, 'right') == before[0]
    browser.run(CHOOSE, 'picture', ODD)
    settled(browser, ODD)
    assert browser.run(SOURCE, 'right').startswith('data:image/webp') and browser.run(SOURCE, 'right') != before[0]
    assert browser.run('return document.querySelector("#strip .missing").textContent') == 'no picture'
    assert browser.run('return document.getElementById("left-picture").hasAttribute("src")') is False


def test_gains_sort_and_lead_to_pictures(browser, compared):
    values = read_values(compared / 'per_picture.csv')
    browser.run(CHOOSE, 'set', 'many')
    for method, reference in (('most_of-it', 'blurry'), ('half', 'codec')):
        browser.run(CHOOSE, 'method', method)
        browser.run(CHOOSE, 'reference', reference)
        gain = {name: values['many', method, 'psnr'][name] - values['many', reference, 'psnr'][name] for name in MANY}
        for order, names in (('gain', sorted(MANY, key=lambda name: -gain[name])),
                             ('loss', sorted(MANY, key=lambda name: gain[name])), ('name', MANY)):
            browser.run(CHOOSE, 'order', order)
            rows = browser.run(GAINS)
            assert [name for name, _ in rows] == names
            found = [float(text.replace('−', '-')) for _, text in rows]
            assert found == pytest.approx([gain[name] for name in names], abs=0.006)
    assert browser.run('return document.getElementById("gains-said").textContent').startswith('Better on 0 of 9 pictures')
    browser.click('#gains button[data-picture="p#2%"]')
    settled(browser, 'p#2%')
    assert browser.run('return document.querySelector("#gains [aria-current=true]").dataset.picture') == 'p#2%'
    browser.click('#next')
    settled(browser, 'p#3%')


def test_a_picture_that_is_not_inside_comes_from_beside_the_page(browser, compared):
    """And one that comes late does not replace what was asked for after it."""
    browser.run(CHOOSE, 'set', 'many')
    outside = browser.wait('const b = document.querySelector("#gains .outside"); return b && b.dataset.picture')
    browser.click(f'#gains button[data-picture="{outside}"]')
    settled(browser, outside)
    address = (compared / 'pictures' / 'many' / 'blurry').as_uri() + '/' + quote(f'{outside}.png')
    assert browser.run(SOURCE, 'left') == address
    assert browser.run('return document.getElementById("left-picture").naturalWidth') == 48
    assert len(browser.requested()) == len(LABELS) + 1
    slow, fast = browser.run('return ["#gains .outside:not([aria-current=true])", '
                             '"#gains button:not(.outside)"].map(rows => document.querySelector(rows).dataset.picture)')
    browser.run(f'{CHOOSE} select.value = arguments[2]; select.dispatchEvent(new Event("change"))', 'picture', slow, fast)
    browser.run('return new Promise(done => setTimeout(done, 150))')
    assert browser.run('return document.getElementById("said").textContent').startswith(f'{fast},')


def test_the_page_fits_a_telephone(browser):
    for width in (360, 1200):
        browser.view(width, 800)
        assert browser.run('return [innerWidth, document.documentElement.scrollWidth <= innerWidth]') == [width, True]
        assert browser.run(BOX, '#frame')[2] > 0.6 * min(width, 860)


def test_the_square_is_the_same_part_of_every_picture(browser, compared):
    """Where it lies first it shows the pixels of the file; moved by key and by click, what lies there."""
    browser.run(CHOOSE, 'picture', 'cat')
    settled(browser, 'cat')
    left, top, side = browser.run('const all = JSON.parse(document.getElementById("data").textContent);'
                                  'return all.sets.large.embedded.cat.crop')
    for method in ('blurry', 'half', 'sharp'):
        np.testing.assert_array_equal(square(browser, method),
                                      original(compared, 'large', method, 'cat')[top:top + side, left:left + side])
    browser.run('document.getElementById("errors").click()')
    one, other = (original(compared, 'large', method, 'cat')[top:top + side, left:left + side].astype(int)
                  for method in ('half', 'sharp'))
    np.testing.assert_array_equal(square(browser, 'half'), np.minimum(4 * np.abs(one - other), 255))
    browser.run('document.getElementById("errors").click()')
    browser.press('#crop', RIGHT)
    moved = left + round(side / 8)
    np.testing.assert_array_equal(square(browser, 'half')[:, :side - 6],
                                  original(compared, 'large', 'half', 'cat')[top:top + side, moved:moved + side - 6])
    x, y, width, height = browser.run(BOX, '#frame')
    across = 0.8 if moved + side / 2 < 144 else 0.2
    point = x + across * width, y + 0.4 * height
    browser.drag(point, point)
    row, column = (round(float(place.rstrip('%')) * length / 100) for place, length in zip(browser.run(PLACE), (240, 288)))
    assert (row, column) == pytest.approx((0.4 * 240 - side / 2, across * 288 - side / 2), abs=1.5)
    expected = original(compared, 'large', 'sharp', 'cat')[row:row + side, column:column + side]
    assert cv2.PSNR(square(browser, 'sharp'), np.ascontiguousarray(expected)) > 30
    browser.run(CHOOSE, 'side', str(side // 2))
    assert square(browser, 'sharp').shape == (side // 2, side // 2, 3)


def test_intervals_are_shown_on_demand(browser):
    assert browser.run('return getComputedStyle(document.querySelector(".interval")).display') == 'none'
    browser.run('document.getElementById("intervals").click()')
    assert browser.run('return getComputedStyle(document.querySelector(".interval")).display') == 'block'
    assert browser.run('return [...document.querySelectorAll("figure.table")].map(table => table.hidden)') == [False] * 3
