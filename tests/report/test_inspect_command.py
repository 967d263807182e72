"""`glowdeblur inspect` from the command line."""

import json
import re
from pathlib import Path

import cv2
import pytest

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_store import environment
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter


@pytest.fixture
def packed(blurred, tmp_path) -> Path:
    """A folder with test_lq.lmdb and test_gt.lmdb of five pictures."""
    samples = blurred('linear', 8, 8, 24)[:5]
    for side in ('lq', 'gt'):
        with LmdbWriter(tmp_path / f'test_{side}.lmdb', 'test') as writer:
            for index, sample in enumerate(samples):
                writer.put(f'picture_{index}', getattr(sample, side))
    return tmp_path


def test_the_audit_writes_numbers_and_pictures(packed, sharp_folder, tmp_path, capsys):
    out, lq = tmp_path / 'out', packed / 'test_lq.lmdb'
    sets = [str(lq), f'gopro:{sharp_folder}']
    reference = f'{packed}/../{packed.name}/test_lq.lmdb'
    assert cli.main(['inspect', *sets, '--reference', reference, '--pictures', '4', '--out', str(out)]) == 0
    printed = capsys.readouterr()
    assert 'measured 4 of 4' in printed.err
    table = printed.out.splitlines()
    assert table[1].split()[1:3] == ['4', 'pairs'] and table[2].split()[1:3] == ['4', 'true']
    assert table[3].startswith('kinds of blur: estimated from blurry and sharp')
    assert any('the estimator against the true motion' in line for line in table[4:])
    names = {file.name for file in out.iterdir()}
    label = f'{tmp_path.name}/test_lq'
    assert names == {'inspect.json', 'comparison.png', 'realism_and_coverage.png', f'{label.replace("/", "_")}.png',
                     f'gopro_{sharp_folder.parent.name}_photos.png'}
    found = json.loads((out / 'inspect.json').read_text())
    assert found['sets'][label]['pictures'] == 4 and len(found['sets']) == 2
    assert found['sets'][label]['realism_distance'] == found['reference']['distance_of_its_halves']
    for name in names - {'inspect.json'}:
        picture = cv2.imread(str(out / name))
        assert picture.shape[1] >= 1000 and (picture < 100).any()


def test_without_a_reference_there_is_no_realism(packed, tmp_path, capsys):
    assert cli.main(['inspect', str(packed / 'test_gt.lmdb'), '--out', str(tmp_path / 'out')]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith('-')
    assert not (tmp_path / 'out' / 'realism_and_coverage.png').exists()


def test_sets_of_one_name_are_told_apart(blurred, tmp_path, capsys):
    for folder in ('x', 'y'):
        (tmp_path / folder / 'same' / 'blur').mkdir(parents=True)
        cv2.imwrite(str(tmp_path / folder / 'same/blur/0.png'), blurred('linear', 8, 8, 24)[0].lq)
    paths = [str(tmp_path / folder / 'same' / 'blur') for folder in ('x', 'y')]
    assert cli.main(['inspect', *paths, '--out', str(tmp_path / 'out')]) == 0
    assert list(json.loads((tmp_path / 'out' / 'inspect.json').read_text())['sets']) == paths
    assert len(list((tmp_path / 'out').iterdir())) == 4


def test_verify_names_a_damaged_record_and_ends_with_1(packed, capsys):
    paths = [str(packed / f'test_{side}.lmdb') for side in ('lq', 'gt')]
    assert cli.main(['inspect', '--verify', *paths]) == 0
    assert capsys.readouterr().out.splitlines() == [f'{path}: whole' for path in paths]
    damage(packed / 'test_gt.lmdb', 'picture_3')
    assert cli.main(['inspect', '--verify', *paths]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == f'{paths[0]}: whole'
    assert [line for line in printed.out.splitlines() if 'test_gt' in line][0].startswith(f'{paths[1]}/picture_3')
    assert 'verified 5 of 5' in printed.err and not Path('inspect').exists()


def damage(root: Path, key: str) -> None:
    """Change a byte in the middle of a record."""
    with environment(root).begin() as transaction:
        record = bytes(transaction.get(key.encode()))
    data = bytearray((root / 'data.mdb').read_bytes())
    place = data.find(record[:64])
    data[place + len(record) // 2] ^= 255
    (root / 'data.mdb').write_bytes(data)


@pytest.mark.parametrize(('arguments', 'parts'), [
    (['missing'], 'missing does not exist'),
    (['gopr:{sharp}'], "did you mean 'gopro'"),
    (['{sharp}', '--pictures', '3'], 'has 2 pictures, but 3 were asked for'),
    (['gopro:{sharp}', '--reference', '{sharp}'], '--reference: .* has 2 usable pictures'),
    (['{sharp}', '--reference', 'missing'], '--reference: missing does not exist'),
    (['{sharp}', '--reference', ''], '--reference: the path is empty'),
    (['{sharp}', '--reference', 'gopro:'], '--reference: gopro: names no sharp pictures'),
    (['{sharp}', '--reference', 'gopr:{sharp}'], "--reference: .*did you mean 'gopro'"),
    (['gopro:{sharp}', '--reference', '{sharp}', '--pictures', '4'], '--reference: .* has 2 pictures, but 4 were asked for'),
    ([''], 'SET: the path is empty'),
    (['gopro:'], 'SET: gopro: names no sharp pictures'),
    (['{sharp}', 'bsd:{sharp}', '{sharp}/../photos'], 'SET: .*/../photos is the same as .*photos; give each set once'),
    (['x', '--pictures', '0'], "--pictures: '0' is no whole number of at least 1"),
    (['x', '--workers', '0'], "--workers: '0' is no whole number of at least 1"),
    (['--verify', '{sharp}'], '--verify: .* is no packed set'),
])
def test_bad_input_is_one_line(arguments, parts, sharp_folder, tmp_path, capsys):
    words = [word.format(sharp=sharp_folder) for word in arguments]
    assert cli.main(['inspect', *words, '--out', str(tmp_path / 'out')]) == 2
    lines = capsys.readouterr().err.replace('\r', '\n').splitlines()
    errors = [line for line in lines if line.startswith('glowdeblur: ')]
    assert len(errors) == 1 and lines[-1] == errors[0] and re.search(parts, errors[0])
    assert not (tmp_path / 'out').exists()


def test_a_folder_that_cannot_be_written_to_is_named_before_work_begins(packed, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    for out in (tmp_path / 'file', tmp_path / 'file' / 'inside'):
        assert cli.main(['inspect', str(packed / 'test_lq.lmdb'), '--out', str(out)]) == 2
        assert capsys.readouterr().err == f'glowdeblur: --out: {tmp_path / "file"} is a file; give a folder\n'


def test_the_table_is_printed_before_a_write_fails(packed, tmp_path, capsys):
    (tmp_path / 'out' / 'inspect.json').mkdir(parents=True)
    assert cli.main(['inspect', str(packed / 'test_lq.lmdb'), '--out', str(tmp_path / 'out')]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1].split()[1:3] == ['5', 'pairs']
    assert 'inspect.json: cannot be written' in printed.err.splitlines()[-1]


@pytest.mark.parametrize('role', ['SET', '--reference'])
def test_a_picture_that_cannot_be_read_ends_the_audit_by_name(role, blurred, sharp_folder, tmp_path, capsys):
    for index, sample in enumerate(blurred('linear', 8, 8, 24)[:5]):
        cv2.imwrite(str(tmp_path / f'{index}.png'), sample.lq)
    whole = (tmp_path / '2.png').read_bytes()
    (tmp_path / '2.png').write_bytes(whole[:len(whole) // 2])
    arguments = [str(tmp_path)] if role == 'SET' else [f'gopro:{sharp_folder}', '--reference', str(tmp_path)]
    assert cli.main(['inspect', *arguments, '--out', str(tmp_path / 'out')]) == 2
    line = capsys.readouterr().err.replace('\r', '\n').splitlines()[-1]
    assert line.startswith(f'glowdeblur: {role}: ') and '2.png' in line
    assert not (tmp_path / 'out').exists()
