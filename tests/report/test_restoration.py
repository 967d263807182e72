"""What the report of restoring says: lengths before and after, and their meaning."""

import cv2
import numpy as np
import pytest
from skimage import data

from glowdeblur_plugin.report.restoration import (COLUMNS, added_grain, as_csv, as_table, blur_length, failure_row,
                                                  measure_change, restoration_row, restoration_strip, with_earlier)

LENGTH = 17


@pytest.fixture(scope='module')
def sharp() -> np.ndarray:
    return data.astronaut()


@pytest.fixture(scope='module')
def blurry(sharp: np.ndarray) -> np.ndarray:
    """Straight horizontal blur of 17 pixels."""
    return cv2.blur(sharp, (LENGTH, 1))


def test_a_shortened_blur_is_told_with_both_lengths(sharp: np.ndarray, blurry: np.ndarray) -> None:
    change = measure_change(blurry, sharp)
    assert change.before == pytest.approx(LENGTH, rel=0.25) and change.after < LENGTH / 4
    assert change.verdict == f'blur shortened from {change.before:.1f} to {change.after:.1f} px'
    assert change.psnr == pytest.approx(cv2.PSNR(blurry, sharp), abs=1e-3)


def test_texture_over_a_blur_does_not_pass_for_sharpness(blurry: np.ndarray) -> None:
    """The finest detail of another photograph, of which the estimate at the scale of pixels sees little but this detail."""
    other = data.grass().astype(np.float32)
    grained = np.clip(blurry + (other - cv2.GaussianBlur(other, (0, 0), 1))[..., None], 0, 255).astype(np.uint8)
    assert blur_length(grained) < LENGTH / 4
    change = measure_change(blurry, grained)
    assert change.textured and change.after is None
    assert change.verdict == (f'fine texture was added, which hides how much of the blur, {change.before:.1f} px before, is '
                              'left: look at the result')


def test_grain_is_measured_in_levels_where_the_input_is_flat(sharp: np.ndarray) -> None:
    soft = cv2.GaussianBlur(sharp, (0, 0), 5)
    noise = np.random.default_rng(0).normal(0, 1, sharp.shape[:2])
    fine = noise - cv2.GaussianBlur(noise, (0, 0), 1.5)
    grained = np.clip(np.round(soft + 5 / fine.std() * fine[..., None]), 0, 255).astype(np.uint8)
    assert added_grain(soft, grained) == pytest.approx(5, rel=0.1)
    assert added_grain(soft, soft) == 0 and added_grain(grained, soft) == 0
    assert added_grain(np.zeros_like(soft), grained) == 0


def test_no_effect_is_explained(sharp: np.ndarray, blurry: np.ndarray) -> None:
    assert measure_change(sharp, sharp).verdict.startswith('most of it is already sharp')
    assert measure_change(blurry, blurry).verdict.startswith('it hardly changed: this network does not know this kind of blur')
    tinted = np.clip(blurry.astype(int) + 6, 0, 255).astype(np.uint8)
    assert measure_change(blurry, tinted).verdict.startswith('changed, but the blur stays (from ')
    assert measure_change(sharp, blurry).verdict.startswith('the blur seems to have grown from ')
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
    assert line[:header.index('after') + 5].split() == ['c.png', f'{change.before:.2f}', f'{change.after:.2f}']


def test_strips_stay_small(sharp: np.ndarray) -> None:
    large = cv2.resize(sharp, (2000, 1000))
    strip = restoration_strip(large, large)
    assert strip.shape[1] <= 1610 and strip.shape[0] < 450
    assert restoration_strip(sharp, sharp).shape[1] == 2 * sharp.shape[1] + 4
