"""What the report of restoring says: lengths before and after, and their meaning."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from skimage import data

from glowdeblur_plugin.report.restoration import (COLUMNS, as_csv, as_table, blur_length, failure_row, measure_change,
                                                  restoration_row, restoration_strip, with_earlier)

LENGTH = 17


@pytest.fixture(scope='module')
def sharp() -> np.ndarray:
    return data.astronaut()


@pytest.fixture(scope='module')
def blurry(sharp: np.ndarray) -> np.ndarray:
    """Straight horizontal blur of 17 pixels."""
    return cv2.blur(sharp, (LENGTH, 1))


def test_a_removed_blur_is_told(sharp: np.ndarray, blurry: np.ndarray) -> None:
    change = measure_change(blurry, sharp)
    assert change.before == pytest.approx(LENGTH, rel=0.25) and change.after < LENGTH / 4
    assert LENGTH / 2 < change.removed < 1.5 * LENGTH
    assert change.verdict == f'deblurred: about {min(change.removed, change.before):.0f} of {change.before:.0f} px'
    assert change.psnr == pytest.approx(cv2.PSNR(blurry, sharp), abs=1e-3)


def unsharp_mask(picture: np.ndarray) -> np.ndarray:
    levels = picture.astype(np.float32)
    return levels + 1.5 * (levels - cv2.GaussianBlur(levels, (0, 0), 2))


def other_texture(picture: np.ndarray) -> np.ndarray:
    other = data.grass().astype(np.float32)
    return picture + (other - cv2.GaussianBlur(other, (0, 0), 1))[..., None]


@pytest.mark.parametrize('sharpen', [unsharp_mask, other_texture])
def test_sharpening_does_not_pass_for_deblurring(sharp: np.ndarray, blurry: np.ndarray,
                                                      sharpen: Callable[[np.ndarray], np.ndarray]) -> None:
    for picture, told in ((blurry, 'little of the blur ('), (cv2.blur(sharp, (9, 1)), 'blur of ')):
        sharpened = np.clip(np.round(sharpen(picture)), 0, 255).astype(np.uint8)
        change = measure_change(picture, sharpened)
        assert change.verdict.startswith(told) and change.removed < 5
        length = blur_length(sharpened)
        assert change.after == (None if length < change.before - 1 else length)


def test_no_effect_is_explained(sharp: np.ndarray, blurry: np.ndarray) -> None:
    assert measure_change(sharp, sharp).verdict.startswith('most of it looks sharp already')
    same = measure_change(blurry, blurry)
    assert same.verdict.startswith('it hardly changed: this network may not know') and same.after == same.before
    tinted = np.clip(blurry.astype(int) + 6, 0, 255).astype(np.uint8)
    assert measure_change(blurry, tinted).verdict.startswith('little of the blur (')
    flat = np.full((64, 64, 3), 90, np.uint8)
    assert measure_change(flat, flat).verdict == 'too little texture to tell, and it hardly changed'
    assert measure_change(sharp[:20], blurry[:20]).verdict == 'too little texture to tell'


def test_rows_of_an_earlier_run_stay_unless_restored_again(tmp_path, sharp: np.ndarray, blurry: np.ndarray) -> None:
    report, change = tmp_path / 'report.csv', measure_change(blurry, sharp)
    report.write_text(as_csv([failure_row('a, b.png', 'cut'), failure_row('c.png', 'cut, too')]))
    new = [restoration_row('c.png', change, 1.5)]
    rows = with_earlier(new, report)
    assert [(row['picture'], row['verdict']) for row in rows] == [('a, b.png', 'failed: cut'), ('c.png', change.verdict)]
    assert with_earlier(new, tmp_path / 'none.csv') == new
    header, line = as_table(new).splitlines()
    assert as_csv(new).splitlines()[0] == ','.join(COLUMNS)
    assert line.index(change.verdict) == header.index('what it means')
    assert line[:header.index('removed') + 7].split() == ['c.png', f'{change.before:.2f}', f'{change.after:.2f}',
                                                            f'{change.removed:.2f}']


def test_strips_stay_small(sharp: np.ndarray) -> None:
    large = cv2.resize(sharp, (2000, 1000))
    strip = restoration_strip(large, large)
    assert strip.shape[1] <= 1610 and strip.shape[0] < 450
    assert restoration_strip(sharp, sharp).shape[1] == 2 * sharp.shape[1] + 4
