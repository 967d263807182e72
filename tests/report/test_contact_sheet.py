"""The contact sheet and its command."""

import cv2
import numpy as np
import pytest
from skimage import data

from glowdeblur_plugin.cli import main
from glowdeblur_plugin.data.simulate.domains import DOMAINS
from glowdeblur_plugin.report.contact_sheet import contact_sheet, texture

SIDE = 64
PANELS = 8


def panels(sheet: np.ndarray, row: int) -> list[np.ndarray]:
    """The crops of a row, without the bars of their labels."""
    top = row * (SIDE + 22 + 4) + 22
    return [sheet[top:top + SIDE, index * (SIDE + 4):index * (SIDE + 4) + SIDE] for index in range(PANELS)]


@pytest.fixture(scope='module')
def picture() -> np.ndarray:
    return data.astronaut()


def test_a_row_goes_from_sharp_to_blurred_and_ends_with_real_blur():
    """On a texture that is the same everywhere, so that crops differ by their blur alone."""
    cells = np.random.default_rng(0).integers(0, 2, (80, 80, 1), dtype=np.uint8) * 200 + 20
    texture = cells.repeat(5, axis=0).repeat(5, axis=1).repeat(3, axis=2)
    real = np.full((100, 100, 3), (200, 30, 30), np.uint8)
    sheet = contact_sheet([texture], ['gsblur', 'bsd'], [real], seed=1, side=SIDE)
    assert sheet.shape == (3 * (SIDE + 22) + 2 * 4, PANELS * (SIDE + 4) - 4, 3)
    contrasts = [crop.std() for index, crop in enumerate(panels(sheet, 0)) if index not in (3, 7)]
    assert contrasts[0] > contrasts[1] > max(contrasts[2:]) and contrasts[0] > 1.5 * max(contrasts[2:])
    for row, drawn in ((0, 3), (0, 7), (1, 3), (1, 7)):  # dimmed, and drawn on in red
        crop = panels(sheet, row)[drawn].astype(int)
        assert (crop[..., 0] - crop[..., 1] > 60).mean() > 0.005 and (crop[..., 1] > 225).mean() < 0.01
    assert all((crop == (200, 30, 30)).all() for crop in panels(sheet, 2))


def test_texture_in_mid_tones_goes_before_black_and_white():
    """A plain sky has none; a black and white edge has a far larger variance than a texture of the same size."""
    rng = np.random.default_rng(0)
    fine = np.repeat(rng.integers(110, 150, (SIDE, SIDE, 1), dtype=np.uint8), 3, axis=2)
    edge = np.zeros((SIDE, SIDE, 3), np.uint8)
    edge[:, SIDE // 2:] = 255
    white = np.maximum(fine, 230)
    assert texture(fine) > 10 * max(texture(edge), texture(white)) and edge.var() > 10 * fine.var()


def test_crops_are_taken_where_texture_is():
    """Left half plain white beside black, right half a mid-tone texture; variance would choose the edge."""
    rng = np.random.default_rng(0)
    real = np.full((SIDE + 8, 6 * SIDE, 3), 255, np.uint8)
    real[:, SIDE:2 * SIDE] = 0
    real[:, 3 * SIDE:] = rng.integers(100, 160, (SIDE + 8, 3 * SIDE, 1), dtype=np.uint8)
    sheet = contact_sheet([data.astronaut()], ['gsblur'], [real], side=SIDE)
    for crop in panels(sheet, 1):
        assert ((crop >= 100) & (crop < 160)).mean() > 0.8


def test_the_seed_decides_the_sheet(picture):
    first, again, other = (contact_sheet([picture], ['bsd'], seed=seed, side=SIDE) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.1


def test_the_command_writes_the_sheet_of_all_domains(picture, tmp_path, capsys):
    (tmp_path / 'sharp').mkdir()
    cv2.imwrite(str(tmp_path / 'sharp' / 'a.png'), picture[..., ::-1])
    out = tmp_path / 'sheets' / 'sheet.png'
    assert main(['simulate', str(tmp_path / 'sharp'), '--out', str(out), '--seed', '3']) == 0
    assert capsys.readouterr().out.strip() == str(out)
    expected = contact_sheet([picture], list(DOMAINS), seed=3)
    np.testing.assert_array_equal(cv2.imread(str(out))[..., ::-1], expected)
    assert [file.name for file in out.parent.iterdir()] == ['sheet.png']


@pytest.mark.parametrize('arguments, message', [
    (['nowhere', '--out', 's.png'], 'sharp: nowhere does not exist'),
    (['.', '--out', 's.png'], 'sharp: .: holds no picture'),
    (['a.png', '--out', 's.jpg'], '--out: s.jpg must end in .png'),
    (['a.png', '--out', 's.png', '--domain', 'gopr'], "--domain: 'gopr' is not one of all, pretraining"),
    (['.', '--out', 's.png', '--seed', '-1'], '--seed: -1 is out of range, must be at least 0'),
    (['small', '--out', 's.png'], 'none of the 1 pictures is at least'),
])
def test_bad_input_is_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if arguments[0] == 'small':
        (tmp_path / 'small').mkdir()
        cv2.imwrite(str(tmp_path / 'small' / 'a.png'), np.zeros((40, 40, 3), np.uint8))
    assert main(['simulate', *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) <= 2
