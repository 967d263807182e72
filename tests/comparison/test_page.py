"""The page is one whole HTML file: what it shows, what it carries and what it points at."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from compared_folder import LABELS, MANY, ODD

from glowdeblur_plugin.comparison.page import script_json, write_page
from glowdeblur_plugin.comparison.page_pictures import embed_pictures
from glowdeblur_plugin.comparison.picture_values import read_values
from glowdeblur_plugin.comparison.summary import Summary
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.protocols import PROTOCOLS

VOID = {'meta', 'link', 'img', 'input', 'br'}


class Page(HTMLParser):
    """Elements with their attributes, tables as rows of texts, the texts of styles and scripts; every tag must be closed where
    it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.raw: dict[str, list[str]] = {'style': [], 'script': []}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag in self.raw:
            self.raw[tag].append('')
        elif tag == 'table':
            self.tables.append([])
        elif tag == 'tr':
            self.tables[-1].append([])
        elif tag in ('td', 'th'):
            self.tables[-1][-1].append('')

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] in self.raw:
            self.raw[self._open[-1]][-1] += data
        elif {'td', 'th'} & set(self._open):
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope='module')
def text(compared: Path) -> str:
    return (compared / 'index.html').read_text(encoding='utf-8')


@pytest.fixture(scope='module')
def page(text: str) -> Page:
    return Page(text)


@pytest.fixture(scope='module')
def carried(page: Page) -> dict:
    return json.loads(page.raw['script'][0])


def decoded(carried: dict, place: int) -> np.ndarray:
    uri = carried['uris'][place]
    head, data = uri.split(',')
    assert head == 'data:image/webp;base64'
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)


def test_tables_show_the_summary(page):
    overview, large, many, sets, methods = page.tables
    assert [row[0] for row in large[1:]] == list(LABELS.values()) == [row[0] for row in methods[1:]]
    assert overview[0] == ['Method', 'Large_set ↑rgb-u8', 'Many ↑realblur-aligned, border 4']
    assert large[2][1] == '26.12[2]-1.25 to -0.50' and large[3][1:3] == ['27.12', '33.69[3]'] and large[4][1] == '28.12 ± 0.04'
    assert many[1:] == [[label, f'{20 + index:.2f}'] for index, label in enumerate(LABELS.values())]
    assert '9 pictures, protocol realblur-aligned, 4 pixels of border left out' in sets[2][1]
    assert sets[2][2] == PROTOCOLS['realblur-aligned'].label


def test_marks_are_elements(text):
    assert '<li>Made-up numbers &amp; &lt;notes&gt;</li>' in text
    assert text.count('<strong>27.12</strong>') == 2 and text.count('<u>26.12</u>') == 2
    assert text.count('<strong>') == 2 and text.count('<u>') == 2


def test_links_lead_somewhere(page, compared):
    ids = [attrs['id'] for _, attrs in page.elements if 'id' in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs['href'] for tag, attrs in page.elements if tag == 'a']
    assert len(links) > 10
    for link in links:
        assert link[1:] in ids if link.startswith('#') else (compared / unquote(link)).is_file()


def test_controls_have_names(page, text):
    for tag, attrs in page.elements:
        if tag in ('select', 'input', 'button') and 'aria-label' not in attrs and attrs['id'] != 'swap':
            assert re.search(rf'<label[^>]*>[^/]*<{tag}[^>]* id="{attrs["id"]}"', text), attrs


def test_nothing_comes_from_elsewhere(page, text):
    assert not [attrs for _, attrs in page.elements if 'src' in attrs or any(key.startswith('on') for key in attrs)]
    assert not re.search(r'https?://|//[a-z]|@import|url\(', re.sub('(?s)<script.*?</script>', '', text))
    assert not re.search(r'https?://|import|fetch|XMLHttp|innerHTML', page.raw['script'][1])
    policy, = [attrs['content'] for tag, attrs in page.elements if attrs.get('http-equiv') == 'Content-Security-Policy']
    style, script = page.raw['style'][0], page.raw['script'][1]
    for kind, source in (('style', style), ('script', script)):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and len(page.raw['script']) == 2


def test_names_stay_text(page, carried):
    assert carried['sets']['large']['names'][0] == ODD
    assert not any(tag == 'b' for tag, _ in page.elements)
    risky = {'</script><b>': ['&amp;', '<!--']}
    assert json.loads(script_json(risky)) == risky and not re.search('[<>&]', script_json(risky))


def test_carried_pictures_are_the_pictures(carried, compared):
    """Of the large ones the square is without loss, and the whole nearly so; the small ones are without loss."""
    for name, record in carried['sets'].items():
        for picture, found in record['embedded'].items():
            assert set(found['whole']) | set(found['absent']) == {*LABELS, 'sharp'}
            left, top, side = found['crop']
            for method, place in found['whole'].items():
                original = cv2.imread(str(compared / 'pictures' / name / method / f'{picture}.png'))
                whole = decoded(carried, place)
                assert whole.shape == original.shape == (found['height'], found['width'], 3)
                if name == 'many':
                    np.testing.assert_array_equal(whole, original)
                else:
                    assert cv2.PSNR(whole, original) > 30
                    np.testing.assert_array_equal(decoded(carried, found['detail'][method]),
                                                  original[top:top + side, left:left + side])
    assert carried['sets']['large']['embedded'][ODD]['absent'] == {'half': 'no picture'}


def test_seven_pictures_of_a_set_are_inside(carried, compared):
    values = read_values(compared / 'per_picture.csv')
    gain = {name: values['many', 'most_of-it', 'psnr'][name] - values['many', 'blurry', 'psnr'][name] for name in MANY}
    inside = list(carried['sets']['many']['embedded'])
    assert len(inside) == 7 and inside[:3] == [sorted(MANY, key=lambda name: -gain[name])[index] for index in (0, 8, 4)]
    assert len(carried['sets']['large']['embedded']) == 3


def test_sets_share_the_budget(compared):
    summary, values = Summary.read(compared / 'summary.json'), read_values(compared / 'per_picture.csv')
    whole = embed_pictures(compared, summary, values)
    lengths = [len(uri) for uri in whole.uris]
    sizes = {name: [sum(lengths[place] for part in ('whole', 'detail') for place in found[part].values())
                    for found in pictures.values()] for name, pictures in whole.sets.items()}
    part = embed_pictures(compared, summary, values, budget=int(1.1 * (max(sizes['large']) + max(sizes['many']))))
    assert len(part.sets['large']) == 1 and 1 <= len(part.sets['many']) < 7


def test_pictures_that_sets_share_are_carried_once(compared, tmp_path):
    found = json.loads((compared / 'summary.json').read_text())
    found['sets']['again'] = found['sets']['many']
    (tmp_path / 'summary.json').write_text(json.dumps(found))
    shutil.copytree(compared / 'pictures' / 'many', tmp_path / 'pictures' / 'many')
    (tmp_path / 'pictures' / 'again').symlink_to(tmp_path / 'pictures' / 'many')
    carried = embed_pictures(tmp_path, Summary.read(tmp_path / 'summary.json'), {})
    assert carried.sets['again'] == carried.sets['many'] and len(carried.sets['many']) == 7
    assert len(carried.uris) == 7 * (len(LABELS) + 1)


def test_values_are_carried_in_the_order_of_names(carried, compared):
    values = read_values(compared / 'per_picture.csv')
    many = carried['sets']['many']
    assert many['values']['psnr']['half'] == pytest.approx([values['many', 'half', 'psnr'][name] for name in MANY], abs=1e-4)
    assert carried['sets']['large']['values']['psnr']['half'][0] is None and 'lpips' not in carried['sets']['large']['values']


def test_a_folder_without_a_comparison_is_refused(tmp_path):
    with pytest.raises(UserError, match='summary.json'):
        write_page(tmp_path)
