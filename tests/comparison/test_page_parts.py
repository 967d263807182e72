"""What the page shows first: values, the order of pictures and the square that is magnified."""

import numpy as np
import pytest
from compared_folder import write_png
from skimage import data

from glowdeblur_plugin.comparison.crops import crop_side, telling_crop
from glowdeblur_plugin.comparison.page_pictures import read_pictures
from glowdeblur_plugin.comparison.picture_values import first_shown, gains, read_values, spread_over
from glowdeblur_plugin.comparison.summary import MetricRecord, Summary
from glowdeblur_plugin.errors import UserError


def test_values_are_means_over_seeds(compared):
    values = read_values(compared / 'per_picture.csv')
    assert set(values['large', 'half', 'psnr']) == {'cat', 'cup'}
    by_seed = [float(line.split(',')[5]) for line in (compared / 'per_picture.csv').read_text().splitlines()
               if line.startswith('many,drawn') and ',p#4%,' in line]
    assert len(by_seed) == 3 and values['many', 'drawn', 'psnr']['p#4%'] == pytest.approx(by_seed[1])


def test_values_that_are_not_finite_are_left_out(tmp_path):
    path = tmp_path / 'per_picture.csv'
    path.write_text('set,method,seed,picture,metric,value,failure\ns,m,,a,psnr,inf,\ns,m,,b,psnr,3,\ns,m,,c,psnr,,failed\n')
    assert read_values(path) == {('s', 'm', 'psnr'): {'b': 3.0}}


@pytest.mark.parametrize(('text', 'message'), [('set,method,picture,metric\n', 'column value is missing'),
                                               ('set,method,picture,metric,value\ns,m,a,psnr,many\n', 'cannot be read')])
def test_bad_values_are_refused(tmp_path, text, message):
    (tmp_path / 'per_picture.csv').write_text(text)
    with pytest.raises(UserError, match=message):
        read_values(tmp_path / 'per_picture.csv')


@pytest.mark.parametrize(('better', 'sign'), [('higher', 1), ('lower', -1)])
def test_gains_are_positive_for_better(better, sign):
    found = gains({'a': 3.0, 'b': 1.0, 'c': 9.0}, {'a': 1.0, 'b': 2.0}, MetricRecord('M', better, 2))
    assert found == {'a': 2.0 * sign, 'b': -1.0 * sign}


def test_the_best_method_and_the_input_are_shown_first(compared):
    summary = Summary.read(compared / 'summary.json')
    assert first_shown(summary, read_values(compared / 'per_picture.csv'), 'many') == ('psnr', 'most_of-it', 'blurry')
    assert first_shown(summary, {}, 'many') is None


def test_first_pictures_are_spread_over_the_gains():
    names = [f'n{index}' for index in range(10)]
    order = spread_over(names, {name: float(index) for index, name in enumerate(names[:9])})
    assert order[:5] == ['n8', 'n0', 'n4', 'n6', 'n2']
    assert sorted(order) == names and order[-1] == 'n9'
    assert spread_over(names, {}) == names and spread_over(['a'], {'a': 1.0}) == ['a']


def test_the_square_is_where_pictures_differ_most():
    """Against every place on the grid, and at the far edge, which the grid does not reach by itself."""
    rng = np.random.default_rng(0)
    one = np.ascontiguousarray(data.coffee()[:101, :134])
    other = np.clip(one + rng.normal(0, 6, one.shape) * (np.arange(134) > 60)[:, None], 0, 255).astype(np.uint8)
    top, left = telling_crop([one, other], 32)
    light = np.stack([picture.astype(np.float64) @ (0.299, 0.587, 0.114) for picture in (one, other)]).var(axis=0)
    best = max(light[y:y + 32, x:x + 32].mean() for y in (*range(0, 69, 4), 69) for x in (*range(0, 102, 4), 102))
    assert light[top:top + 32, left:left + 32].mean() == pytest.approx(best, rel=0.02)
    other = one.copy()
    other[95:, 128:] ^= 64
    assert telling_crop([one, other], 32) == (69, 102)


@pytest.mark.parametrize(('size', 'side'), [((720, 1280), 144), ((40, 48), 32), ((20, 500), 20), ((4000, 3000), 160)])
def test_the_square_fits(size, side):
    assert crop_side(*size) == side


def test_pictures_that_do_not_fit_say_why(tmp_path):
    for method, width in (('blurry', 30), ('strange', 20), ('sharp', 30)):
        write_png(tmp_path / method / 'a.png', np.full((8, width, 3), 9.0))
    found, absent = read_pictures(tmp_path, 'a', ['blurry', 'strange', 'gone', 'sharp'])
    assert list(found) == ['blurry', 'sharp'] and absent == {'strange': '20x8 pixels instead of 30x8', 'gone': 'no picture'}
    (tmp_path / 'sharp' / 'a.png').write_text('no picture at all')
    with pytest.raises(UserError, match='a.png: not a picture'):
        read_pictures(tmp_path, 'a', ['blurry', 'sharp'])
