"""Published sets: pairs, splits, counts and pixels after their trees, and what each packer refuses."""

from pathlib import Path

import numpy as np
import pytest
from miniature import BUILDERS, Miniature, pixels

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_store import read_manifest
from glowdeblur_plugin.data.packers.dvd import Dvd
from glowdeblur_plugin.data.packers.engine import pack_plans
from glowdeblur_plugin.data.packers.gsblur import GsBlur
from glowdeblur_plugin.data.packers.realblur import RealBlur
from glowdeblur_plugin.data.packers.settings import PackSettings
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.errors import UserError

ONE = PackSettings(workers=1)


def pack(tree: Miniature, out: Path) -> None:
    pack_plans(tree.packer.plans(tree.root), out, ONE)


def test_pairs_splits_and_pixels_are_those_of_the_tree(miniature, tmp_path):
    pack(miniature, tmp_path / 'out')
    sides = {side for keys in miniature.expected.values() for files in keys.values() for side in files}
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {
        f'{split}_{side}.lmdb' for split in miniature.expected for side in sides}
    for split, keys in miniature.expected.items():
        for side in sides:
            source = LmdbSource(tmp_path / 'out' / f'{split}_{side}.lmdb')
            assert set(source.sizes) == set(keys)
            for key, files in keys.items():
                np.testing.assert_array_equal(source.read(key), pixels(files[side]))
            manifest = read_manifest(source.root)
            assert (manifest.set, manifest.count) == (miniature.packer.name, len(keys))
            assert manifest.details['split'] == split and manifest.details['side'] == side
            assert manifest.details.items() >= miniature.packer.details().items()


def test_published_counts_are_known_and_another_count_is_said(miniature, said, tmp_path):
    assert miniature.packer.counts() == miniature.counts
    pack(miniature, tmp_path / 'out')
    assert set(said) == {
        f'{miniature.packer.name} {split}: {len(miniature.expected[split])} pictures were found, {count} were published'
        for split, count in miniature.counts.items() if count is not None}


def test_a_missing_file_is_named_before_anything_is_written(miniature, tmp_path):
    if miniature.packer.name == 'rwbi':
        pytest.skip('no list says what should be there')
    for file in miniature.files[:2]:
        kept = file.read_bytes()
        file.unlink()
        with pytest.raises(UserError, match=f'{file.name} is missing.*nothing was written'):
            pack(miniature, tmp_path / 'out')
        file.write_bytes(kept)
    assert not (tmp_path / 'out').exists()


def test_a_truncated_file_is_named_and_nothing_is_published(miniature, tmp_path):
    file = miniature.files[-1]
    data = file.read_bytes()
    file.write_bytes(data[:len(data) - 40])
    with pytest.raises(UserError, match=f'1 pictures are damaged: {file}.*nothing of this split was published'):
        pack_plans(miniature.packer.plans(miniature.root, [next(reversed(miniature.expected))]), tmp_path / 'out', ONE)
    assert not [path for path in (tmp_path / 'out').iterdir() if not path.name.startswith('.')]


def test_a_pair_of_unequal_sizes_is_named_before_anything_is_written(miniature, tmp_path):
    keys = next(iter(miniature.expected.values()))
    files = list(next(iter(keys.values())).values())
    if len(files) == 1:
        pytest.skip('no pairs')
    miniature.picture(str(files[1].relative_to(miniature.root)), size=(24, 33))
    expected = f'{files[0]} is 32x24 8-bit RGB, but {files[1]} is 33x24 8-bit RGB.*nothing was written'
    with pytest.raises(UserError, match=expected):
        pack(miniature, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(('name', 'list_name'), [
    ('realblur_j', 'RealBlur_J_test_list.txt'), ('rsblur_real', 'datalist/RSBlur/RSBlur_real_val.txt')])
def test_a_list_with_the_blurry_picture_first_is_refused(tmp_path, name, list_name):
    tree = BUILDERS[name](tmp_path / 'root')
    lines = (tree.root / list_name).read_text().splitlines()
    tree.write(list_name, '\n'.join(' '.join(reversed(line.split())) for line in lines))
    with pytest.raises(UserError, match=f'{Path(list_name).name}: .*names the sharp picture first'):
        tree.packer.plans(tree.root)
    (tree.root / list_name).unlink()
    with pytest.raises(UserError, match=f'the list {Path(list_name).name} is not in'):
        tree.packer.plans(tree.root)


def test_sides_of_realblur_j_and_r_have_no_key_in_common(tmp_path):
    keys = [{entry.key for plan in BUILDERS[name](tmp_path / name).packer.plans(tmp_path / name) for entry in plan.entries}
            for name in ('realblur_j', 'realblur_r')]
    assert not keys[0] & keys[1]


def test_train_clips_of_reds_that_are_validation_clips_are_refused(tmp_path):
    tree = BUILDERS['reds'](tmp_path / 'root')
    tree.picture('train_sharp/240/00000000.png')
    with pytest.raises(UserError, match='train_sharp holds clip 240'):
        tree.packer.plans(tree.root)


def test_the_valid_split_of_bsd_is_packed_when_it_is_named(tmp_path):
    tree = BUILDERS['bsd_one_exposure'](tmp_path / 'root')
    with pytest.raises(UserError, match='bsd valid: no picture'):
        pack_plans(tree.packer.plans(tree.root, ['valid']), tmp_path / 'out', ONE)
    for side in ('Blur', 'Sharp'):
        tree.picture(f'BSD/BSD_2ms16ms/valid/012/{side}/RGB/00000000.png')
    pack_plans(tree.packer.plans(tree.root, ['valid']), tmp_path / 'out', ONE)
    assert list(LmdbSource(tmp_path / 'out/valid_lq.lmdb').sizes) == ['2ms16ms_valid_012_00000000']


def test_test_videos_of_dvd_come_from_a_file(tmp_path):
    tree = BUILDERS['dvd'](tmp_path / 'root')
    tree.write('mine.txt', 'IMG_0001 \n\nIMG_0003')
    plans = {plan.split: plan for plan in Dvd(test_list=tree.root / 'mine.txt').plans(tree.root)}
    assert [entry.key for entry in plans['test'].entries] == ['IMG_0001_00000', 'IMG_0003_00000']
    assert len(plans['train'].entries) == 10
    assert plans['test'].details['test_videos'] == ['IMG_0001', 'IMG_0003']
    tree.write('mine.txt', 'IMG_9999')
    with pytest.raises(UserError, match='lacks the test videos IMG_9999'):
        Dvd(test_list=tree.root / 'mine.txt').plans(tree.root)


def test_folders_of_gsblur_may_have_other_names(tmp_path):
    tree = Miniature(tmp_path, GsBlur(blurry='blur', sharp='clear'), {})
    tree.expect('train', 'x_1', lq='x/blur/1.png', gt='x/clear/1.png')
    pack(tree, tmp_path / 'out')
    np.testing.assert_array_equal(LmdbSource(tmp_path / 'out/train_gt.lmdb').read('x_1'), pixels(tmp_path / 'x/clear/1.png'))
    with pytest.raises(UserError, match="no picture in a folder 'input_noise'"):
        GsBlur().plans(tmp_path)


def test_lsdir_without_its_list_is_what_the_folders_hold(tmp_path):
    tree = BUILDERS['lsdir'](tmp_path / 'root')
    with_list = tree.packer.plans(tree.root, ['train'])
    (tree.root / 'train.json').rename(tmp_path / 'train.json')
    assert tree.packer.plans(tree.root, ['train']) == with_list
    tree.write('train.json', '{"train": 1}')
    with pytest.raises(UserError, match='is not the list of LSDIR'):
        tree.packer.plans(tree.root, ['train'])


@pytest.mark.parametrize(('root', 'splits', 'match'), [
    ('nowhere', None, '--root: .*nowhere is not a folder'),
    ('root', ['val'], "--split: realblur has no split 'val' with these options, it has train, test"),
])
def test_wrong_roots_and_splits_are_refused(tmp_path, root, splits, match):
    BUILDERS['realblur_j'](tmp_path / 'root')
    with pytest.raises(UserError, match=match):
        RealBlur().plans(tmp_path / root, splits)


def test_two_copies_of_a_tree_are_refused(tmp_path):
    for copy in ('a', 'b'):
        tree = BUILDERS['gopro_linear'](tmp_path / copy)
    with pytest.raises(UserError, match="two folders called 'train', .*a/GOPRO_Large/train and .*b/GOPRO_Large/train"):
        tree.packer.plans(tmp_path)


def test_the_command_packs_a_published_set(tmp_path, capsys):
    tree = BUILDERS['gopro_gamma'](tmp_path / 'root')
    arguments = ['pack', 'gopro', '--root', str(tree.root), '--out', str(tmp_path / 'out'), '--blur', 'blur_gamma',
                 '--split', 'test', '--encoding', 'webp', '--workers', '1', '--crop', '16', '--step', '8']
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == ''.join(f'{tmp_path}/out/test_{side}.lmdb: packed\n' for side in ('lq', 'gt'))
    manifest = read_manifest(tmp_path / 'out/test_lq.lmdb')
    assert manifest.encoding == 'webp' and manifest.count == 2 * 2 * 3
    assert manifest.details.items() >= {'blur': 'blur_gamma', 'crop': 16, 'step': 8}.items()
    assert cli.main(arguments) == 0
    assert 'test_gt.lmdb: is packed already' in capsys.readouterr().out
