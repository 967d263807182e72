"""No scene lies in both halves of a set, whatever packer made it; where scenes are not known, nothing is halved."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from miniature import BUILDERS, pixels
from PIL import Image

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_store import read_manifest
from glowdeblur_plugin.data.packers import photograph_pairs
from glowdeblur_plugin.data.packers.crop import Crop
from glowdeblur_plugin.data.packers.engine import pack_plans
from glowdeblur_plugin.data.packers.folder import pack_folder
from glowdeblur_plugin.data.packers.frames import Averaging, pack_frames
from glowdeblur_plugin.data.packers.plan import BEFORE_LAST_PART
from glowdeblur_plugin.data.packers.public_sets import PUBLIC_SETS
from glowdeblur_plugin.data.packers.settings import PackSettings
from glowdeblur_plugin.data.packers.simulated import Simulation, pack_simulated
from glowdeblur_plugin.data.packers.split_unpaired import scenes_of, split_unpaired
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.errors import UserError

ONE = PackSettings(workers=1)
SHOWN: dict[str, Callable[[Path], str]] = {  # the scene of a blurry file, after its place in the tree
    'gopro': lambda file: file.parts[-3].split('_')[0],
    'hide': lambda file: re.search(r'GOPR\d+', file.name)[0],
    'reds': lambda file: file.parts[-2],
    'realblur': lambda file: file.parts[-3],
    'bsd': lambda file: f'{file.parts[-6]} {file.parts[-4]}',
    'rsblur': lambda file: file.parts[-4],
    'gsblur': lambda file: file.name.split('_')[0],
    'dvd': lambda file: file.parts[-3],
}


@pytest.mark.parametrize('crop', [None, Crop(20, 10)], ids=['whole', 'cut'])
def test_no_scene_is_in_both_halves_of_a_published_set(miniature, tmp_path, crop):
    name, keys = miniature.packer.name, miniature.expected.get('train', {})
    if name not in SHOWN:
        assert name in ('rwbi', 'lsdir')
        pytest.skip('one side alone')
    pack_plans(miniature.packer.plans(miniature.root, ['train']), tmp_path, PackSettings(crop=crop, workers=1))
    shown = {key: SHOWN[name](files['lq']) for key, files in keys.items()}
    for seed in range(3):
        halves = []
        for packed in split_unpaired(tmp_path, tmp_path / f'{seed}', seed=seed):
            halves.append({shown[key if crop is None else key[:-len('_s001')]] for key in LmdbSource(packed.path).sizes})
        assert halves[0] | halves[1] == set(shown.values()) and not halves[0] & halves[1]


def test_every_published_set_with_pairs_states_its_rule():
    assert {name for name, packer in PUBLIC_SETS.items() if packer.scene is None} == {'rwbi'}


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three videos of nine frames; two lie in one folder."""
    picture = Image.fromarray(pixels(BUILDERS['rwbi'](tmp_path / 'other').files[0]))
    for video in ('a/take1_', 'a/take2_', '2b/'):
        for number in range(1, 10):
            file = tmp_path / 'videos' / f'{video}{number:03d}.png'
            file.parent.mkdir(parents=True, exist_ok=True)
            picture.save(file)
    return tmp_path / 'videos'


def test_pairs_of_one_video_stay_together(videos, tmp_path):
    pack_frames(videos, tmp_path / 'out', Averaging(frames=(3,)), settings=ONE)
    for seed in range(3):
        halves = [{key[:7] for key in LmdbSource(packed.path).sizes}
                  for packed in split_unpaired(tmp_path / 'out', tmp_path / f'{seed}', seed=seed)]
        assert halves[0] | halves[1] == {'a_take1', 'a_take2', '2b_002_', '2b_005_', '2b_008_'} and not halves[0] & halves[1]
        assert any({'2b_002_', '2b_005_', '2b_008_'} <= half for half in halves)


def test_blurs_of_one_scene_stay_together(photographs_folder, tmp_path):
    """The scenes are those of the packed set that was blurred."""
    (tmp_path / 'sharp').mkdir()
    for number in range(6):
        shutil.copy(photographs_folder / f'{number}.png', tmp_path / 'sharp' / f'{"abc"[number // 2]}_{number}.png')
    pack_folder(tmp_path / 'sharp', tmp_path, settings=ONE)
    simulation = Simulation(gt=tmp_path / 'train_gt.lmdb', domain='gentle', blurs=2)
    pack_simulated(simulation, tmp_path / 'unknown', workers=1)
    with pytest.raises(UserError, match='val_gt.lmdb: does not say which pictures show one scene.*give --scene'):
        split_unpaired(tmp_path / 'unknown', tmp_path / 'halves', 'val')
    manifest = tmp_path / 'train_gt.lmdb/manifest.json'
    manifest.write_text(manifest.read_text().replace('"side":', '"scene": "^[abc]", "side":'))
    pack_simulated(simulation, tmp_path / 'known', workers=1)
    for seed in range(3):
        halves = [{key[0] for key in LmdbSource(packed.path).sizes}
                  for packed in split_unpaired(tmp_path / 'known', tmp_path / f'{seed}', 'val', seed=seed)]
        assert halves[0] | halves[1] == set('abc') and not halves[0] & halves[1]
    pack_simulated(Simulation(gt=tmp_path / 'known/val_lq.lmdb', domain='gentle'), tmp_path / 'twice', workers=1)
    with pytest.raises(UserError, match='val_gt.lmdb: does not say which pictures show one scene'):
        split_unpaired(tmp_path / 'twice', tmp_path / 'halves', 'val')


@pytest.mark.parametrize(('rule', 'scenes'), [('.+', ['a_1', 'a_1', 'a_2']), (BEFORE_LAST_PART, ['a', 'a', 'a'])])
def test_blurs_of_sub_images_stay_together(rule, scenes):
    assert list(scenes_of(['a_1_s001_0', 'a_1_s002_1', 'a_2_s001_0'], rule, blurs=True).values()) == scenes


def test_pairs_of_the_sample_photographs_know_their_scenes(tmp_path, monkeypatch):
    monkeypatch.setattr(photograph_pairs, 'SPLITS', {'val': photograph_pairs.SPLITS['val']})
    photograph_pairs.pack_photograph_pairs(tmp_path)
    rule = read_manifest(tmp_path / 'pairs_rsblur_val_gt.lmdb').details['scene']
    found = scenes_of(['motorcycle_left_0', 'motorcycle_right_3', 'coins_0', 'coins_1'], rule)
    assert list(found.values()) == ['motorcycle', 'motorcycle', 'coins', 'coins']


@pytest.fixture
def own_pairs(pair_folders: Path) -> Path:
    """A packed set of pictures 'x_1', 'x_2', 'y_1' and sub-images 'z_s001' and 'z_s002' that were cut elsewhere."""
    for side in ('lq', 'gt'):
        for old, names in (('a', ('x_1', 'x_2')), ('b', ('y_1',)), ('c', ('z_s001', 'z_s002'))):
            for name in names:
                shutil.copy(pair_folders / side / f'{old}.png', pair_folders / side / f'{name}.png')
            (pair_folders / side / f'{old}.png').unlink()
    pack_folder(pair_folders / 'gt', pair_folders / 'set', pair_folders / 'lq', settings=ONE)
    return pair_folders / 'set'


def test_your_own_pictures_are_halved_by_the_rule_that_you_give(own_pairs, tmp_path, capsys):
    arguments = ['pack', 'split-unpaired', str(own_pairs), '--out']
    assert cli.main([*arguments, str(tmp_path / 'none')]) == 2
    assert 'train_gt.lmdb: does not say which pictures show one scene' in capsys.readouterr().err
    assert not (tmp_path / 'none').exists()
    for seed in '0123':
        for rule, together in (('.+', [{'x_1'}, {'x_2'}, {'y_1'}, {'z_s001', 'z_s002'}]),
                               ('^[xyz]', [{'x_1', 'x_2'}, {'y_1'}, {'z_s001', 'z_s002'}])):
            out = tmp_path / f'{seed}{len(rule)}'
            assert cli.main([*arguments, str(out), '--scene', rule, '--seed', seed]) == 0
            halves = [set((out / f'train_{half}.txt').read_text().split()) for half in ('sharp', 'blurry')]
            assert all(any(scene <= half for half in halves) for scene in together)
            assert read_manifest(out / 'train_sharp_gt.lmdb').details['scene'] == rule


@pytest.mark.parametrize(('options', 'match'), [
    (['--scene', '('], r"--scene: '\(' is no regular expression"),
    (['--scene', ''], '1 scenes of 5 pictures cannot be halved'),
    (['--scene', '.+(?=_)'], r"--scene: .* finds no scene in the key 'z_s001'"),
    (['--scene', '.+', '--seed', '-1'], '--seed: expected at least 0, found -1'),
    (['--scene', '.+', '--split', '../train'], r"--split: expected letters, .* found '\.\./train'"),
])
def test_rules_and_options_that_cannot_be_used_are_refused(own_pairs, tmp_path, capsys, options, match):
    assert cli.main(['pack', 'split-unpaired', str(own_pairs), '--out', str(tmp_path / 'out'), *options]) == 2
    error = capsys.readouterr().err
    assert re.search(match, error) and error.count('\n') == 1
    assert not (tmp_path / 'out').exists()
