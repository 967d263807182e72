"""A comparison of methods whose figures are known in closed form."""

import csv
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_methods import HEIGHT, WIDTH, Brightener, cell, psnr, run, toy_set, write_pictures

from glowdeblur_plugin.comparison import runner
from glowdeblur_plugin.comparison.methods import picture_seed
from glowdeblur_plugin.comparison.picture_files import read_picture
from glowdeblur_plugin.comparison.summary import Cell, MethodRecord, Summary, rank_cells
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics import alignment, catalogue, weights
from glowdeblur_plugin.report.bootstrap import paired_interval


@pytest.fixture(autouse=True)
def count() -> None:
    Brightener.restored, Brightener.stop_after = 0, float('inf')


def folders(tmp_path: Path, pictures: int, **offsets: Any) -> dict[str, dict[str, str]]:
    """A section of `methods`: a results folder for each function from picture to offset."""
    for name, offset in offsets.items():
        write_pictures(tmp_path / name / 'toy', pictures, offset)
    return {name: {'results': str(tmp_path / name / '{set}')} for name in offsets}


def network(tmp_path: Path, text: str, **keys: Any) -> dict[str, Any]:
    (tmp_path / 'net.pth').write_text(text)
    return {'weights': str(tmp_path / 'net.pth'), **keys}


def test_figures_marks_and_files(tmp_path: Path) -> None:
    methods = folders(tmp_path, 8, near=lambda _: 2, far=lambda index: 4 + index % 2)
    summary = run(tmp_path, sets={'toy': toy_set(tmp_path, 8)}, methods=methods,
                  published={'near': {'toy': {'psnr': 30.0}}, 'other': {'toy': {'psnr': {'value': 31.0, 'source': 'a paper'}}}},
                  published_source='the web')
    near, far, blurry, other = (cell(summary, name) for name in ('near', 'far', 'blurry', 'other'))
    assert near.mean == pytest.approx(psnr(2), abs=1e-9) and blurry.mean == pytest.approx(psnr(10), abs=1e-9)
    assert far.mean == pytest.approx((psnr(4) + psnr(5)) / 2, abs=1e-9)
    assert (near.rank, far.rank, blurry.rank) == ('best', 'second', None)
    assert near.low is None and psnr(5) - psnr(2) <= far.low < psnr(4.5) - psnr(2) < far.high <= psnr(4) - psnr(2)
    assert [blurry.low, blurry.high] == pytest.approx([psnr(10) - psnr(2)] * 2)
    assert (near.published, near.published_source) == (30.0, 'the web')
    assert (other.mean, other.published, other.published_source) == (None, 31.0, 'a paper')
    assert summary.methods['other'].kind == 'published' and near.spread is None and near.count == 8
    assert Summary.read(tmp_path / 'out' / 'summary.json') == summary
    rows = list(csv.DictReader((tmp_path / 'out' / 'per_picture.csv').read_text().splitlines()))
    assert len(rows) == 24 and {row['seed'] for row in rows} == {''}
    assert [float(row['value']) for row in rows if row['method'] == 'far'] == pytest.approx([psnr(4), psnr(5)] * 4)
    for method in ('blurry', 'sharp', 'near', 'far'):
        assert len(list((tmp_path / 'out' / 'pictures' / 'toy' / method).glob('*.png'))) == 8


def test_no_mark_inside_the_interval_nor_below_six_pictures(tmp_path: Path) -> None:
    """The differences of a tie change their sign; five pictures are too few even for a clear one."""
    tied = folders(tmp_path, 8, even=lambda _: 4, mixed=lambda index: 3 if index % 2 else 5, far=lambda _: 9)
    summary = run(tmp_path / 'tie', sets={'toy': toy_set(tmp_path, 8)}, methods=tied)
    assert {entry.rank for entry in summary.cells} == {None}
    best, other = sorted((cell(summary, 'even'), cell(summary, 'mixed')), key=lambda entry: -entry.mean)
    assert other.low < 0 < other.high and best.low is None and cell(summary, 'far').high < 0
    few = run(tmp_path / 'few', sets={'toy': toy_set(tmp_path, 8, first=5)}, methods={'even': tied['even'], 'far': tied['far']})
    assert {(entry.rank, entry.low) for entry in few.cells} == {(None, None)} and few.sets['toy'].label == 'toy (first 5)'


def test_lower_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    """The order of the rows says nothing: NIQE falls towards natural pictures."""
    cells = [Cell('s', 'a', 'niqe', mean=5.0), Cell('s', 'b', 'niqe', mean=3.0)]
    methods = {name: MethodRecord(name, 'network') for name in 'ab'}
    values = {'a': {str(index): [5.0] for index in range(6)}, 'b': {str(index): [3.0] for index in range(6)}}
    assert rank_cells(cells, methods, values, 'lower') == 6
    assert [entry.rank for entry in cells] == ['second', 'best'] and (cells[0].low, cells[0].high) == (2.0, 2.0)


def test_blurs_of_one_scene_count_as_one() -> None:
    """Twelve pictures of two scenes have no interval; of six, one as wide as that of the scenes' means."""
    methods = {name: MethodRecord(name, 'network') for name in 'ab'}
    gains = np.repeat([0.1, 0.9, 0.3, 0.5, 0.2, 0.4], 2)
    values = {'a': {f'{index:02}': [gain] for index, gain in enumerate(gains)}, 'b': {f'{index:02}': [0.0] for index in range(12)}}
    found = {}
    for count in (2, 6):
        cells = [Cell('s', name, 'psnr', mean=0.0) for name in 'ab']
        rank_cells(cells, methods, values, 'higher', {f'{index:02}': str(index * count // 12) for index in range(12)})
        found[count] = cells[1].low, cells[1].high, cells[0].rank
    assert found[2] == (None, None, None) and found[6][2] == 'best'
    assert found[6][:2] == pytest.approx(paired_interval(-gains[::2]), abs=1e-12)


def test_equal_pictures_are_best(tmp_path: Path) -> None:
    """Their infinite PSNR survives the JSON file, which other readers understand."""
    methods = folders(tmp_path, 6, equal=lambda _: 0, near=lambda _: 1)
    toy = toy_set(tmp_path, 6)
    summary = run(tmp_path, sets={'toy': toy}, methods=methods)
    assert cell(summary, 'equal').mean == float('inf') and cell(summary, 'equal').rank == 'best'
    text = (tmp_path / 'out' / 'summary.json').read_text()
    assert json.loads(text, parse_constant=pytest.fail) and Summary.read(tmp_path / 'out' / 'summary.json') == summary
    write_pictures(tmp_path / 'lq', 6, lambda _: 1)
    sampled = run(tmp_path, sets={'toy': toy}, methods={'net': network(tmp_path, '0 sampler')}, codec=False)
    assert (cell(sampled, 'net').mean, cell(sampled, 'net').spread) == (float('inf'), None)


def test_every_picture_that_fails_is_named_and_counted(tmp_path: Path) -> None:
    """Each is left out of the intervals of all methods, but only out of its own method's mean."""
    import cv2
    methods = folders(tmp_path, 10, near=lambda index: 2 if index else 40, far=lambda _: 5)
    near = tmp_path / 'near' / 'toy'
    (near / '1.png').unlink()
    (near / '2.png').rename(near / 'two.png')
    cv2.imwrite(str(near / '3.png'), np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    (near / '4.png').write_text('no picture')
    data = toy_set(tmp_path, 10)
    (tmp_path / 'far' / 'toy' / '0.png').unlink()
    summary = run(tmp_path, sets={'toy': data}, methods=methods)
    found, other = cell(summary, 'near'), cell(summary, 'far')
    reasons = {entry['picture']: entry['why'] for entry in found.failed}
    assert list(reasons) == ['1', '2', '3', '4'] and found.count == 6
    assert reasons['1'] == f'{near}: no picture 1 there'
    assert f'{near}/3.png: is {WIDTH + 1}x{HEIGHT}, expected {WIDTH}x{HEIGHT}' in reasons['3']
    assert f'{near}/4.png: not a picture that can be read (found 10 bytes)' in reasons['4']
    assert found.mean == pytest.approx((psnr(40) + 5 * psnr(2)) / 6) and other.count == 9
    assert (found.rank, other.rank) == (None, None)
    assert summary.notes == [f'{near}: 1 files have no picture of toy of their name: two',
                             'toy, psnr: 5 of 10 pictures failed for one of the methods and are left out of all intervals '
                             'and marks']
    rows = csv.DictReader((tmp_path / 'out' / 'per_picture.csv').read_text().splitlines())
    assert {row['picture']: row['failure'] for row in rows if row['method'] == 'near' and not row['value']} == reasons


def test_a_folder_of_other_pictures_is_refused(tmp_path: Path) -> None:
    methods = folders(tmp_path, 3, near=lambda _: 2)
    for path in (tmp_path / 'near' / 'toy').iterdir():
        path.rename(path.with_stem(f'{path.stem}_restored'))
    sets = {'toy': toy_set(tmp_path, 3), 'other': toy_set(tmp_path / 'other', 3)}
    with pytest.raises(UserError, match=r'methods:near:results: .* none of the pictures of the set: expected names such as '
                                        r'0\.png, found 0_restored, 1_restored'):
        run(tmp_path, sets=sets, methods=methods)
    methods['near']['suffix'] = '_restored'
    summary = run(tmp_path, sets=sets, methods=methods)
    assert cell(summary, 'near').mean == pytest.approx(psnr(2))
    assert cell(summary, 'near', name='other').why.endswith('near/other is no folder')


def test_results_as_jpeg_are_told_and_two_files_of_one_picture_refused(tmp_path: Path) -> None:
    import cv2
    methods = folders(tmp_path, 2, near=lambda _: 2)
    folder = tmp_path / 'near' / 'toy'
    cv2.imwrite(str(folder / '1.jpg'), cv2.imread(str(folder / '1.png')))
    with pytest.raises(UserError, match=f'^methods:near:results: {folder}/1.jpg and {folder}/1.png come to the same name'):
        run(tmp_path, sets={'toy': toy_set(tmp_path, 2)}, methods=methods)
    (folder / '1.png').unlink()
    summary = run(tmp_path, sets={'toy': toy_set(tmp_path, 2)}, methods=methods)
    assert summary.notes == [f'{folder}: 1 of the pictures are JPEG, whose losses count against the method']


def test_seeds(tmp_path: Path) -> None:
    """A sampler is off by one level or by two, as the seed says that each picture gets from the seed of the run; its codec has
    a row."""
    sets, seeds = {'toy': toy_set(tmp_path, 7)}, [0, 1, 2, 3]
    summary = run(tmp_path, sets=sets, methods={'net': network(tmp_path, '10 sampler')}, seeds=seeds)
    means = [statistics.fmean(psnr(picture_seed(seed, str(index)) % 2 + 1) for index in range(7)) for seed in seeds]
    assert cell(summary, 'net').mean == pytest.approx(statistics.fmean(means), abs=1e-4)
    assert cell(summary, 'net').spread == pytest.approx(statistics.stdev(means), abs=1e-4) and len(set(means)) > 1
    assert summary.methods['net'].seeds == seeds and summary.methods['blurry'].seeds == []
    assert cell(summary, 'codec').mean == pytest.approx(psnr(3), abs=1e-4) and cell(summary, 'codec').rank is None
    assert list(summary.methods) == ['blurry', 'net', 'codec'] and Brightener.restored == 28
    with pytest.raises(UserError, match=r'seeds: \[0, 1\], but net samples: .* at least 3 seeds'):
        run(tmp_path, sets=sets, methods={'net': network(tmp_path, '10 sampler')}, seeds=[0, 1])
    blind = {key: value for key, value in sets['toy'].items() if key != 'dataroot_gt'}
    both = run(tmp_path, sets={**sets, 'blind': {**blind, 'metrics': ['reblur']}}, seeds=seeds,
               methods={'net': network(tmp_path, '10 sampler')})
    assert {entry.set for entry in both.cells if entry.method == 'codec'} == {'toy'}
    once = run(tmp_path, sets=sets, methods={'net': network(tmp_path, '8 regression')}, seeds=[], codec=False)
    assert cell(once, 'net').mean == pytest.approx(psnr(2), abs=1e-4) and list(once.methods) == ['blurry', 'net']


def test_kept_pictures_are_those_of_the_first_seed(tmp_path: Path) -> None:
    """Also when another seed comes first for a while: what is measured later on the pictures belongs to its seed."""
    data, methods = toy_set(tmp_path, 7), {'net': network(tmp_path, '10 sampler')}
    for seeds in ([0, 1, 2], [5, 1, 2], [0, 1, 2]):
        run(tmp_path, sets={'toy': data}, methods=methods, seeds=seeds, codec=False)
    cut = {'toy': {**data, 'crop_border': 2}}
    resumed = run(tmp_path, sets=cut, methods=methods, codec=False)
    assert resumed.cells == run(tmp_path / 'fresh', sets=cut, methods=methods, codec=False).cells


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    sets = {'toy': toy_set(tmp_path, 5), 'more': toy_set(tmp_path / 'more', 4)}
    methods = {'net': network(tmp_path, '8 regression')}
    Brightener.stop_after = 7
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, sets=sets, methods=methods)
    Brightener.stop_after = 9
    summary = run(tmp_path, sets=sets, methods=methods)
    assert Brightener.restored == 9 and cell(summary, 'net', name='more').count == 4
    assert run(tmp_path, sets=sets, methods=methods).cells == summary.cells
    (tmp_path / 'out' / 'parts' / 'net__more__once.json').unlink()
    Brightener.stop_after = 13
    assert run(tmp_path, sets=sets, methods=methods).cells == summary.cells and Brightener.restored == 13
    shutil.rmtree(tmp_path / 'out' / 'pictures' / 'toy')
    Brightener.stop_after = 18
    assert run(tmp_path, sets=sets, methods=methods).cells == summary.cells and Brightener.restored == 18
    assert {path.parent.name for path in (tmp_path / 'out' / 'pictures' / 'toy').rglob('4.png')} == {'blurry', 'sharp', 'net'}


def test_what_differs_runs_again_and_nothing_else(tmp_path: Path) -> None:
    """Another metric is measured on the pictures that were kept; other weights or settings need all pictures again, and so
    do other pictures of the same names and sizes."""
    data = toy_set(tmp_path, 6)

    def restored_by(methods: dict[str, Any], **keys: Any) -> tuple[int, float]:
        before = Brightener.restored
        found = cell(run(tmp_path, sets={'toy': {**data, **keys}}, methods=methods), 'net').mean
        return Brightener.restored - before, pytest.approx(found, abs=1e-4)

    methods = {'net': network(tmp_path, '8 regression')}
    assert restored_by(methods, first=4) == (4, psnr(2))
    assert restored_by(methods) == (2, psnr(2))
    assert restored_by(methods, metrics=['psnr', 'ssim-2d']) == (0, psnr(2))
    assert restored_by(methods, metrics=['psnr']) == (0, psnr(2))
    kept = json.loads((tmp_path / 'out' / 'parts' / 'net__toy__once.json').read_text())
    assert all(set(entry['values']) == {'psnr', 'ssim-2d'} for entry in kept['pictures'].values())
    assert restored_by(methods, crop_border=2) == (0, psnr(2))
    assert restored_by(methods, protocol='rgb-float') == (6, psnr(2))
    assert restored_by({'net': network(tmp_path, '7 regression')}) == (6, psnr(3))
    assert restored_by({'net': network(tmp_path, '7 regression', steps=5)}) == (6, psnr(3))
    assert restored_by({'net': network(tmp_path, '7 regression', steps=5)}) == (0, psnr(3))
    write_pictures(tmp_path / 'lq', 6, lambda _: 12)
    assert restored_by({'net': network(tmp_path, '7 regression', steps=5)}) == (6, psnr(5))


def test_numbers_are_of_the_commits_that_they_were_made_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, methods, made_with = toy_set(tmp_path, 3), {'net': network(tmp_path, '8 regression')}, []
    for commit, first in (('one', 2), ('two-dirty', 3), ('three', 3)):
        monkeypatch.setattr(runner, '_commit', lambda commit=commit: commit)
        made_with.append(run(tmp_path, sets={'toy': {**data, 'first': first}}, methods=methods).git)
    assert made_with == ['one', 'one, two-dirty', 'one, two-dirty']


def test_a_network_that_gives_no_numbers_fails(tmp_path: Path) -> None:
    """No black picture is kept, which other metrics would be measured on later."""
    for metrics in (['psnr'], ['psnr', 'ssim-2d']):
        summary = run(tmp_path, sets={'toy': toy_set(tmp_path, 1, metrics=metrics)},
                      methods={'net': network(tmp_path, 'nan regression')})
        assert {cell(summary, 'net', metric).failed[0]['why'] for metric in metrics} == {'the restored picture holds values '
                                                                                       'that are not numbers'}


def test_values_between_levels_count_where_the_protocol_does_not_round(tmp_path: Path) -> None:
    data, methods = toy_set(tmp_path, 3), {'net': network(tmp_path, '7.7 regression')}
    sets = {'exact': {**data, 'protocol': 'rgb-float'}, 'rounded': data}
    summary = run(tmp_path, sets=sets, methods=methods)
    assert cell(summary, 'net', name='exact').mean == pytest.approx(psnr(2.3), abs=1e-4)
    assert cell(summary, 'net', name='rounded').mean == pytest.approx(psnr(2), abs=1e-4)


def test_files_of_16_bit_keep_their_levels(tmp_path: Path) -> None:
    """Half a level of 8 bit more is nothing after rounding or one level, but half of one where all levels count."""
    import cv2
    for folder, more in (('gt', 0), ('lq', 100), ('half/toy', 100)):
        (tmp_path / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / folder / '0.png'), np.full((HEIGHT, WIDTH, 3), 257 * 100 + more, np.uint16))
    roots = {f'dataroot_{side}': str(tmp_path / side) for side in ('lq', 'gt')}
    section = {'type': 'PairedLMDBDataset', **roots, 'metrics': ['psnr']}
    sets = {'toy': {**section, 'protocol': 'rgb-u16'}, 'rounded': {'same_as': 'toy', 'metrics': ['psnr']}}
    summary = run(tmp_path, sets=sets, methods={'half': {'results': str(tmp_path / 'half' / '{set}')}})
    for row in ('blurry', 'half'):
        assert cell(summary, row).mean == pytest.approx(20 * np.log10(65535 / 100), abs=1e-4)
        assert cell(summary, row, name='rounded').mean == float('inf')


def test_sets_of_the_same_pictures_are_restored_once(tmp_path: Path) -> None:
    """What is asked later of one of them is measured on the pictures of the other."""
    sets = {'toy': toy_set(tmp_path, 4), 'luma': {'same_as': 'toy', 'protocol': 'y', 'metrics': ['psnr']}}
    methods = {**folders(tmp_path, 4, near=lambda _: 2), 'net': network(tmp_path, '10 sampler')}
    summary = run(tmp_path, sets=sets, methods=methods)
    assert Brightener.restored == 12 and cell(summary, 'near').mean == pytest.approx(psnr(2))
    assert cell(summary, 'near', name='luma').mean == pytest.approx(psnr(2 * (235 - 16) / 255))
    gain = cell(summary, 'net', name='luma').mean - cell(summary, 'net').mean
    assert gain == pytest.approx(psnr(219 / 255) - psnr(1), abs=1e-4)
    run(tmp_path, sets={**sets, 'cut': {**sets['luma'], 'crop_border': 2}}, methods={'net': network(tmp_path, '10 sampler')})
    assert Brightener.restored == 20
    with pytest.raises(UserError, match='sets:luma:same_as: the pictures are those of toy; remove first'):
        run(tmp_path, sets={**sets, 'luma': {**sets['luma'], 'first': 2}}, methods=methods)
    with pytest.raises(UserError, match="sets:luma:same_as: 'tow' is not a set with pictures of its own here; there are: toy"):
        run(tmp_path, sets={**sets, 'luma': {**sets['luma'], 'same_as': 'tow'}}, methods=methods)


def test_a_metric_that_cannot_run_says_why(tmp_path: Path) -> None:
    summary = run(tmp_path, sets={'toy': toy_set(tmp_path, 3, metrics=['fid', 'psnr'])},
                  methods=folders(tmp_path, 3, near=lambda _: 2))
    assert cell(summary, 'near').mean == pytest.approx(psnr(2))
    assert cell(summary, 'near', 'fid').mean is None and cell(summary, 'near', 'fid').why.startswith('fid: ')


def test_pictures_are_aligned_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once for both metrics, and each value stays with its picture."""
    import cv2
    from skimage import data
    photograph, aligned = data.astronaut()[..., ::-1], []
    for index in range(6):
        sharp = photograph[40 * index:40 * index + 48, 100:164]
        for folder, deviation in (('gt', 0), ('lq', 1.5), ('near/toy', 0.5 + index / 10)):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            blurred = cv2.GaussianBlur(sharp, (0, 0), deviation) if deviation else sharp
            cv2.imwrite(str(tmp_path / folder / f'{index}.png'), blurred)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 3)
    monkeypatch.setattr(alignment, 'align', lambda *pair, align=alignment.align: aligned.append(pair) or align(*pair))
    section = {'type': 'PairedLMDBDataset', **{f'dataroot_{side}': str(tmp_path / side) for side in ('lq', 'gt')}}
    run(tmp_path, sets={'toy': {**section, 'protocol': 'realblur-aligned', 'metrics': ['psnr', 'ssim-2d']}},
        methods={'near': {'results': str(tmp_path / 'near' / '{set}')}})
    assert len(aligned) == 12
    for row in csv.DictReader((tmp_path / 'out' / 'per_picture.csv').read_text().splitlines()):
        folders = ('near/toy' if row['method'] == 'near' else 'lq', 'gt')
        pair = [read_picture(tmp_path / folder / f'{row["picture"]}.png') for folder in folders]
        expected = catalogue.open_metric(row['metric'], 'realblur-aligned')(*pair)
        assert float(row['value']) == pytest.approx(expected, abs=1e-9)


def test_a_value_for_a_whole_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is of the files of the first seed, without those that failed, which are named."""
    import cv2

    def brightest(restored: list[Path], sharp: list[Path]) -> float:
        return max(int(cv2.imread(str(one)).astype(int).max() - cv2.imread(str(other)).max())
                   for one, other in zip(restored, sharp, strict=True))

    monkeypatch.delitem(weights.IQA_FILES, 'fid')
    monkeypatch.setitem(catalogue.MAKERS, 'fid', lambda name, protocol, device: brightest)
    methods = {**folders(tmp_path, 7, near=lambda _: 2), 'net': network(tmp_path, '2 sampler')}
    (tmp_path / 'near' / 'toy' / '3.png').unlink()
    summary = run(tmp_path, sets={'toy': toy_set(tmp_path, 7, metrics=['fid'])}, methods=methods)
    near, sampled = cell(summary, 'near', 'fid'), cell(summary, 'net', 'fid')
    assert (near.mean, near.count, [entry['picture'] for entry in near.failed], near.rank) == (2, 6, ['3'], None)
    assert sampled.mean == 8 - min(picture_seed(0, str(index)) % 2 + 1 for index in range(7)) and sampled.spread is None
    assert 'toy, fid: of the first noise seed alone where a method samples' in summary.notes


@pytest.mark.parametrize('changes, message', [
    ({'sets': {'toy': {'metrics': ['psnr'], 'type': 'PairedLMDBDataset', 'dataroot_lq': 'nowhere', 'made_by': 'a spell'}}},
     'sets:toy:dataroot_lq: nowhere does not exist; it is made by: a spell'),
    ({'methods': {'net': {'weights': 'no.pth', 'made_by': 'training'}}},
     "methods:net:weights: 'no.pth' does not exist; it is made by: training"),
    ({'methods': {'net': {'weights': 'no.pth', 'tlk': True}}}, "methods:net: unknown key 'tlk'; did you mean 'tlc'?"),
    ({'methods': {'net': {'weights': 'no.pth', 'results': 'x'}}}, 'methods:net: give either weights'),
    ({'methods': {'net': {'weights': 'no.pth', 'solver': 'eular'}}}, "methods:net:solver: 'eular' is not one of euler, dpm"),
    ({'methods': {'codec': {'results': 'x'}}}, "methods:codec: 'codec' is the name of a row that is added"),
    ({'methods': {'a/b': {'results': 'x'}}}, "methods: 'a/b' names files"),
    ({'methods': {'..': {'results': 'x'}}}, "methods: '..' names files"),
    ({'methods': {'near': None}}, 'methods: there is none'),
    ({'device': 'gpu'}, "device: 'gpu' cannot be used here"),
    ({'metrics': ['reblur'], 'metric_settings': {'reblur': {'motion': 'a'}}}, 'metric_settings:reblur:motion: is no setting'),
    ({'seeds': [1, 1, 2]}, r'seeds: \[1, 1, 2\] has one twice'),
    ({'published': {'near': {'toy': {'psnr': 3.0}}}}, 'published:near:toy:psnr: has no source'),
    ({'published': {'near': {'tow': {'psnr': 3.0}}}}, "published:near: unknown key 'tow'; did you mean 'toy'?"),
    ({'metrics': ['pnsr']}, "sets:toy:metrics: unknown key 'pnsr'; did you mean 'psnr'?"),
    ({'metrics': ['ssim']}, 'write ssim-2d .* or ssim-3d'),
    ({'metrics': ['lpips'], 'protocol': 'realblur-aligned'}, 'sets:toy:metrics: lpips does not exist under the protocol'),
    ({'dataroot_gt': None}, 'sets:toy:metrics: psnr compares with sharp pictures, and the set has none'),
    ({'protocoll': 'y'}, "sets:toy: unknown key 'protocoll'"),
])
def test_bad_options_are_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    of_set = {key: changes[key] for key in ('metrics', 'protocol', 'protocoll', 'dataroot_gt') if key in changes}
    options = {'sets': {'toy': toy_set(tmp_path, 1, **of_set)}, 'methods': folders(tmp_path, 1, near=lambda _: 2)}
    with pytest.raises(UserError, match=message) as error:
        run(tmp_path, **{**options, **{key: value for key, value in changes.items() if key not in of_set}})
    assert '\n' not in str(error.value) and not (tmp_path / 'out').exists()


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    data = toy_set(tmp_path, 1)
    for side in ('lq', 'gt'):
        (tmp_path / side / '0.png').unlink()
    with pytest.raises(UserError, match='sets:toy:dataroot_lq: .*lq: holds no picture'):
        run(tmp_path, sets={'toy': data}, methods=folders(tmp_path, 1, near=lambda _: 2))
