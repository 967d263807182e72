"""Odd folders, links, names and options: one line that says what is wrong."""

import os
import shutil
from pathlib import Path

import pytest
from miniature import BUILDERS, Miniature, content

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.packers.engine import pack_plans
from glowdeblur_plugin.data.packers.folder import pack_folder
from glowdeblur_plugin.data.packers.frames import Averaging, pack_frames
from glowdeblur_plugin.data.packers.gopro import GoPro
from glowdeblur_plugin.data.packers.gsblur import GsBlur
from glowdeblur_plugin.data.packers.settings import PackSettings
from glowdeblur_plugin.data.packers.simulated import Simulation, pack_simulated
from glowdeblur_plugin.data.packers.trees import find_folder, picture_files
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.errors import UserError

ONE = PackSettings(workers=1)
EMPTY = 'an argument that should be a file or folder is empty'
NO_UTF8 = os.fsdecode(b'caf\xe9')


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The line that the command says, perhaps after its progress."""
    assert cli.main(['pack', *map(str, arguments)]) == 2
    *progress, error = capsys.readouterr().err.splitlines()
    assert error.startswith('glowdeblur: ') and all(': checked ' in line for line in progress)
    return error


@pytest.fixture
def tree(tmp_path: Path) -> Miniature:
    return BUILDERS['gopro_linear'](tmp_path / 'root')


@pytest.mark.parametrize(('arguments', 'message'), [
    (['gopro', '--root', '', '--out', 'out'], EMPTY),
    (['gopro', '--root', 'root', '--out', ''], EMPTY),
    (['dvd', '--root', 'root', '--out', 'out', '--test-list', ''], EMPTY),
    (['folder', '--gt', '', '--out', 'out'], EMPTY),
    (['folder', '--lq', '', '--out', 'out'], EMPTY),
    (['frames', '--root', '', '--out', 'out'], EMPTY),
    (['merge', ''], EMPTY),
    (['split-unpaired', '', '--out', 'out'], EMPTY),
    (['photographs', '--out', ''], EMPTY),
    (['gopro', '--root', 'root', '--out', 'out.lmdb'], '--out: out.lmdb has the name of a packed set'),
    (['simulated', '--gt', 'root', '--domain', 'gopro', '--out', 'out.lmdb/'], '--out: out.lmdb has the name of a packed set'),
    (['gopro', '--root', 'root', '--out', 'file'], '--out: file is a file; give a folder'),
    (['gopro', '--root', 'file', '--out', 'out'], '--root: file is not a folder'),
    (['rwbi', '--root', 'file', '--out', 'out'], '--root: file is not a folder'),
    (['frames', '--root', 'file', '--out', 'out'], '--root: file is a file; give a folder'),
    (['folder', '--gt', 'file', '--out', 'out'], '--gt: file is a file; give a folder'),
    (['simulated', '--gt', 'file', '--domain', 'gopro', '--out', 'out'], '--gt: file is a file; give a folder'),
    (['gsblur', '--root', 'root', '--out', 'out', '--blurry', 'x', '--sharp', 'x'], "found 'x' for both"),
    (['merge', 'file'], 'file: holds no <split>_<side>.shard-i-of-n.lmdb'),
    *[([*arguments, '--out', 'out', '--split', split], f'--split: expected letters, digits, \'_\' and \'-\', such as train, '
       f'found {split!r}') for split in ('', 'a b', '../x', 'a.b', 'ü') for arguments in (
           ['folder', '--gt', 'root'], ['frames', '--root', 'root/GOPRO_Large/train/GOPR0372_07_00/sharp', '--frames', '3'],
           ['simulated', '--gt', 'root', '--domain', 'gopro'], ['split-unpaired', 'root'])],
])
def test_paths_and_splits_of_another_kind_are_refused(tree, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').touch()
    tree.picture('GOPRO_Large/train/GOPR0372_07_00/sharp/000049.png')
    assert message in refused(capsys, *arguments)
    assert {path.name for path in tmp_path.iterdir()} == {'root', 'file'}


def test_a_split_that_is_named_twice_is_packed_once(tree, tmp_path):
    packed = pack_plans(tree.packer.plans(tree.root, ['test', 'train', 'test']), tmp_path / 'out', ONE)
    assert [one.path.name for one in packed] == ['test_lq.lmdb', 'test_gt.lmdb', 'train_lq.lmdb', 'train_gt.lmdb']


def far_below(folder: Path) -> None:
    """Make folders whose path is longer than the system takes: even root cannot list the last ones by it."""
    place = os.open(folder, os.O_RDONLY)
    for _ in range(os.pathconf(folder, 'PC_PATH_MAX') // 200 + 1):
        os.mkdir('d' * 200, dir_fd=place)
        below = os.open('d' * 200, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)


def test_a_sub_folder_that_cannot_be_listed_is_named(pair_folders):
    far_below(pair_folders / 'gt')
    with pytest.raises(UserError, match='--gt: .*/dddd.*: cannot be read \\(File name too long\\)'):
        pack_folder(pair_folders / 'gt', pair_folders / 'out', settings=ONE)
    with pytest.raises(UserError, match='--gt: .*/dddd.*: cannot be read'):
        pack_simulated(Simulation(gt=pair_folders / 'gt', domain='gentle'), pair_folders / 'out', workers=1)


@pytest.mark.skipif(os.geteuid() == 0, reason='root reads every folder')
def test_a_folder_without_permission_is_named(tree):
    closed = tree.root / 'closed'
    closed.mkdir(0)
    try:
        for look in (lambda: GoPro().plans(tree.root), lambda: picture_files(tree.root, '--root')):
            with pytest.raises(UserError, match='--root: .*closed: cannot be read \\(Permission denied\\)'):
                look()
    finally:
        closed.chmod(0o700)


def test_a_link_to_itself_is_named_where_folders_are_searched(tree):
    os.symlink('turning', tree.root / 'turning')
    with pytest.raises(UserError, match='--root: .*turning: cannot be read \\(Too many levels of symbolic links\\)'):
        find_folder(tree.root, 'train', 'GOPR*/sharp')


@pytest.mark.parametrize(('links', 'named'), [
    ({'x/back': '..'}, 'x/back'),
    ({'x/here': '.'}, 'x/here'),
    ({'x/to_y': '../y', 'y/to_x': '../x'}, 'x/to_y/to_x'),
    ({'x/out': '../..'}, 'x/out/gt'),
])
def test_links_that_lead_back_are_named(pair_folders, links, named):
    gt = pair_folders / 'gt'
    for folder in ('x', 'y'):
        (gt / folder).mkdir()
    for link, target in links.items():
        os.symlink(target, gt / link)
    with pytest.raises(UserError, match=f'--gt: {gt}/{named}: links back to {pair_folders}.*; take the link away'):
        pack_folder(gt, pair_folders / 'out', settings=ONE)


def test_names_that_are_no_utf8_get_clean_keys_in_your_own_sets(pair_folders, photographs_folder):
    for side in ('lq', 'gt'):
        (pair_folders / side / 'a.png').rename(pair_folders / side / f'{NO_UTF8}.png')
    packed = pack_folder(pair_folders / 'gt', pair_folders / 'out', pair_folders / 'lq', settings=ONE)
    assert list(LmdbSource(packed[0].path).sizes) == ['b', 'c', 'caf_']
    assert not any(one.now for one in pack_folder(pair_folders / 'gt', pair_folders / 'out', pair_folders / 'lq', settings=ONE))
    sharp = pair_folders / NO_UTF8
    sharp.mkdir()
    shutil.copy(photographs_folder / '0.png', sharp / f'{NO_UTF8}.png')
    packed = pack_simulated(Simulation(gt=sharp, domain='gentle'), pair_folders / 'out', workers=1)
    assert list(LmdbSource(packed[0].path).sizes) == ['caf__0']


def test_names_that_are_no_utf8_are_refused_where_the_key_is_the_name(tree, tmp_path, capsys):
    sequence = tree.root / 'GOPRO_Large/train/GOPR0372_07_00'
    for side in ('blur', 'sharp'):
        (sequence / side / '000047.png').rename(sequence / side / f'{NO_UTF8}.png')
    error = refused(capsys, 'gopro', '--root', tree.root, '--out', tmp_path / 'out', '--workers', '1')
    assert "blur/caf\\udce9.png gives the key 'GOPR0372_07_00_caf\\udce9', keys are 1 to 200 letters" in error
    assert not (tmp_path / 'out').exists()


def test_a_folder_with_a_name_that_is_no_utf8_packs_like_any_other(tree, tmp_path):
    pack_plans(tree.packer.plans(tree.root), tmp_path / 'out', ONE)
    tree.root.rename(tmp_path / NO_UTF8)
    pack_plans(tree.packer.plans(tmp_path / NO_UTF8), tmp_path / 'again', ONE)
    for path in (tmp_path / 'out').iterdir():
        assert content(path) == content(tmp_path / 'again' / path.name)


def test_frames_and_rendered_pictures_are_searched_alike(tmp_path):
    (tmp_path / 'input_noise').mkdir()
    os.symlink('..', tmp_path / 'input_noise/back')
    for look in (lambda: pack_frames(tmp_path, tmp_path, Averaging(), settings=ONE), lambda: GsBlur().plans(tmp_path)):
        with pytest.raises(UserError, match='--root: .*input_noise/back: links back to'):
            look()


def test_a_name_in_both_test_folders_of_hide_is_refused(tmp_path):
    tree = BUILDERS['hide'](tmp_path / 'root')
    tree.picture('HIDE_dataset/HIDE_dataset/test/test-long-shot/3fromGOPR0003.MP4.png')
    with pytest.raises(UserError, match="test-close-ups/3from.* and .*test-long-shot/3from.* would both get the key"):
        pack_plans(tree.packer.plans(tree.root, ['test']), tmp_path / 'out', ONE)
