"""What a user can give wrong: one line that names the option or the file, what was found and what would be right."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from glowdeblur_plugin.data.bpp_mixture_dataset import BPPMixtureDataset
from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset
from glowdeblur_plugin.errors import UserError


def refused(action, *parts: str) -> None:
    with pytest.raises(UserError) as caught:
        action()
    message = str(caught.value)
    assert '\n' not in message
    for part in parts:
        assert part in message, message


def simulated(photographs: Path, **changes: Any) -> dict[str, Any]:
    section = {'name': 's', 'type': 'SimulatedBlurDataset', 'phase': 'train', 'dataroot_gt': str(photographs / 'train.lmdb'),
               'domain': 'gopro', 'gt_size': 32}
    section.update(changes)
    return {key: value for key, value in section.items() if value != 'absent'}


def paired(folders: Path, **changes: Any) -> dict[str, Any]:
    return {'name': 'p', 'type': 'PairedLMDBDataset', 'phase': 'train', 'dataroot_lq': str(folders / 'lq'),
            'dataroot_gt': str(folders / 'gt'), 'gt_size': 16, **changes}


@pytest.mark.parametrize(('change', 'parts'), [
    ({'gtsize': 5}, ("datasets:train: unknown key 'gtsize'", "'gt_size'")),
    ({'gt_size': 'large'}, ('datasets:train:gt_size', "'large'")),
    ({'gt_size': 'absent'}, ("key 'gt_size' is missing",)),
    ({'gt_size': 8}, ('gt_size', 'at least 16')),
    ({'domain': 'gopr'}, ('datasets:train:domain', 'pretraining, gopro')),
    ({'domain': 'absent'}, ("key 'domain' is missing",)),
    ({'blur_length': [9, 5]}, ('blur_length: [9.0, 5.0]', '[smallest, largest]')),
    ({'blur_length': [5]}, ('blur_length', '2 entries')),
    ({'noise': [-1, 5]}, ('noise', 'at least 0')),
    ({'kinds': {'shaek': 1}}, ("kinds: unknown key 'shaek'", "'shake'")),
    ({'kinds': {'shake': 0}}, ('kinds', 'all weights are 0')),
    ({'dtype': 'float16'}, ('dtype', 'float32, uint8')),
    ({'gt_size': 400}, ('coins is too small', 'found 384x303', 'needed 486x486')),
])
def test_simulated_section(photographs, change, parts):
    refused(lambda: SimulatedBlurDataset(simulated(photographs, **change)), *parts)


def test_missing_path_quotes_the_command_that_makes_it(tmp_path):
    section = simulated(tmp_path, made_by='glowdeblur pack photographs --out here')
    refused(lambda: SimulatedBlurDataset(section), 'datasets:train:dataroot_gt', 'train.lmdb does not exist',
            'it is made by: glowdeblur pack photographs --out here')


def test_an_empty_path_is_not_the_current_folder(pair_folders, monkeypatch):
    monkeypatch.chdir(pair_folders / 'gt')
    refused(lambda: PairedLMDBDataset(paired(pair_folders, dataroot_gt='')), 'datasets:train:dataroot_gt: the path is empty',
            'give a packed set (.lmdb) or a folder of pictures')
    refused(lambda: PairedLMDBDataset(paired(pair_folders, dataroot_motion='')),
            'datasets:train:dataroot_motion: the path is empty')


def test_names_that_are_no_utf8_are_read_and_printed_with_escapes(pair_folders):
    for side in ('lq', 'gt'):
        os.rename(pair_folders / side / 'c.png', os.fsencode(pair_folders / side) + b'/caf\xe9.png')
    dataset = PairedLMDBDataset(paired(pair_folders))
    assert len(dataset.fingerprint()) == 12
    path = dataset[2]['lq_path']
    assert path.encode('utf-8') and path.endswith('/lq/caf\\udce9.png')
    os.truncate(os.fsencode(pair_folders / 'gt') + b'/caf\xe9.png', 200)
    refused(lambda: PairedLMDBDataset(paired(pair_folders))[2], 'gt/caf\\udce9.png: cannot be decoded')
    os.unlink(os.fsencode(pair_folders / 'lq') + b'/caf\xe9.png')
    refused(lambda: PairedLMDBDataset(paired(pair_folders)), 'only on the sharp side: caf\\udce9')


def test_a_file_or_an_empty_folder_is_no_set(tmp_path):
    (tmp_path / 'train.lmdb').write_text('')
    refused(lambda: SimulatedBlurDataset(simulated(tmp_path)), 'train.lmdb is not a folder')
    (tmp_path / 'empty').mkdir()
    refused(lambda: SimulatedBlurDataset(simulated(tmp_path, dataroot_gt=str(tmp_path / 'empty'))), 'empty: holds no picture')
    (tmp_path / 'bare.lmdb').mkdir()
    refused(lambda: SimulatedBlurDataset(simulated(tmp_path, dataroot_gt=str(tmp_path / 'bare.lmdb'))), 'meta_info.txt: missing')


def test_validation_pictures_need_their_margin_too(pair_folders):
    section = simulated(pair_folders, phase='val', gt_size='absent', dataroot_gt=str(pair_folders / 'gt'), blur_length=[5, 20])
    refused(lambda: SimulatedBlurDataset(section), 'datasets:val', 'a.png is too small: found 40x32', 'needed 70x70')


def test_pairs_must_agree_in_names(pair_folders):
    (pair_folders / 'lq' / 'b.png').unlink()
    refused(lambda: PairedLMDBDataset(paired(pair_folders)), 'datasets:train', '1 pictures are only on the sharp side: b')


def test_pairs_must_agree_in_sizes(pair_folders):
    cv2.imwrite(str(pair_folders / 'lq' / 'b.png'), np.zeros((32, 30, 3), np.uint8))
    refused(lambda: PairedLMDBDataset(paired(pair_folders)), 'lq/b.png is 30x32', 'gt/b.png is 40x32')


def test_crops_must_fit_into_the_smallest_pair(pair_folders):
    refused(lambda: PairedLMDBDataset(paired(pair_folders, gt_size=64)), 'lq/a.png is too small: found 40x32, needed 64x64')


def test_names_that_differ_in_their_suffix_alone_are_refused(pair_folders):
    cv2.imwrite(str(pair_folders / 'lq' / 'b.jpg'), np.zeros((32, 40, 3), np.uint8))
    refused(lambda: PairedLMDBDataset(paired(pair_folders)), 'b.jpg and b.png have the same name')


def test_a_damaged_picture_is_named_when_it_is_read(pair_folders):
    file = pair_folders / 'gt' / 'b.png'
    file.write_bytes(file.read_bytes()[:600])
    dataset = PairedLMDBDataset(paired(pair_folders))
    dataset[0]
    refused(lambda: dataset[1], 'gt/b.png: cannot be decoded')
    file.unlink()
    refused(lambda: dataset[1], 'gt/b.png: cannot be read')


def mixture(parts: Any, **changes: Any) -> dict[str, Any]:
    return {'name': 'm', 'type': 'BPPMixtureDataset', 'phase': 'train', 'gt_size': 16, 'parts': parts, **changes}


@pytest.mark.parametrize(('changes', 'parts'), [
    ({'wieght': 2}, ("datasets:train:parts:real: unknown key 'wieght'",)),
    ({'weight': 'much'}, ('datasets:train:parts:real:weight', "'much'")),
    ({'type': ['PairedLMDBDataset']}, ('datasets:train:parts:real:type', "['PairedLMDBDataset']")),
    ({'weight': -1}, ('datasets:train:parts:real:weight', 'from 0 to 1000000')),
    ({'weight': 0}, ('datasets:train:parts', 'weight above 0')),
    ({'type': 'PairedImageDataset'}, ('datasets:train:parts:real:type', 'PairedLMDBDataset, SimulatedBlurDataset')),
    ({'gt_size': 32}, ("datasets:train:parts:real: key 'gt_size' holds for all parts",)),
    ({'dataroot_lq': 'nowhere'}, ('datasets:train:parts:real:dataroot_lq: nowhere does not exist',)),
])
def test_mixture_section(pair_folders, changes, parts):
    part = {'weight': 1, 'type': 'PairedLMDBDataset', 'dataroot_lq': str(pair_folders / 'lq'),
            'dataroot_gt': str(pair_folders / 'gt')}
    refused(lambda: BPPMixtureDataset(mixture({'real': {**part, **changes}})), *parts)


POINT = {'at': 0, 'weights': {'real': 1, 'made': 1}}


@pytest.mark.parametrize(('real', 'made', 'changes', 'parts'), [
    ({'weight': 1}, {}, {}, ("datasets:train:parts:made: key 'weight' is missing",)),
    ({'weight': float('inf')}, {'weight': 1}, {}, ('datasets:train:parts:real:weight', 'expected a number, found inf')),
    ({'cap': 5, 'weight': 1}, {'weight': 1}, {}, ("parts:real: key 'cap'", 'set datasets:train:temperature')),
    ({'cap': 5}, {}, {'schedule': [POINT]}, ("parts:real: key 'cap'",)),
    ({'cap': 0}, {}, {'temperature': 2}, ('parts:real:cap: 0 is out of range', 'at least 1')),
    ({'cap': 1.5}, {}, {'temperature': 2}, ('parts:real:cap', 'a whole number')),
    ({}, {'weight': 1}, {'temperature': 2}, ("parts:made: key 'weight' does not go with datasets:train:temperature",)),
    ({}, {'weight': 1}, {'schedule': [POINT]}, ("parts:made: key 'weight' does not go with datasets:train:schedule",)),
    ({}, {}, {'temperature': 2, 'schedule': [POINT]}, ('datasets:train: temperature and schedule',)),
    ({}, {}, {'temperature': 0.5}, ('datasets:train:temperature', 'at least 1')),
    ({}, {}, {'schedule': []}, ('datasets:train:schedule: needs at least one point',)),
    ({}, {}, {'schedule': POINT}, ('datasets:train:schedule: expected a list',)),
    ({}, {}, {'schedule': [{'at': 0}]}, ("schedule[0]: key 'weights' is missing",)),
    ({}, {}, {'schedule': [{**POINT, 'at': 5000}]}, ('schedule[0]:at: 5000 is out of range', 'from 0 to 1')),
    ({}, {}, {'schedule': [{'at': 0, 'weights': {'reel': 1, 'made': 1}}]}, ("unknown key 'reel'", "did you mean 'real'")),
    ({}, {}, {'schedule': [{'at': 0, 'weights': {'real': 1}}]}, ("schedule[0]:weights: part 'made' is missing",)),
    ({}, {}, {'schedule': [{'at': 0, 'weights': {'real': 0, 'made': 0}}]}, ('schedule[0]:weights', 'above 0')),
    ({}, {}, {'schedule': [{'at': 0, 'weights': {'real': -1, 'made': 1}}]}, ('schedule[0]:weights:real', '-1')),
    ({}, {}, {'schedule': [POINT, POINT]}, ('schedule[1]:at: 0 does not come after 0',)),
    ({}, {}, {'schedule': [{**POINT, 'at': 0.5}, {**POINT, 'at': 0.2}]}, ('schedule[1]:at: 0.2 does not come after 0.5',)),
])
def test_weighing_of_a_mixture(real, made, changes, parts):
    sections = {'real': paired(Path('nowhere')), 'made': paired(Path('nowhere'))}
    for name, own in (('real', real), ('made', made)):
        sections[name] = {key: value for key, value in sections[name].items() if key not in ('name', 'phase', 'gt_size')} | own
    refused(lambda: BPPMixtureDataset.read_options(mixture(sections, **changes), 'datasets:train'), *parts)


def test_mixture_needs_parts_and_is_for_training():
    refused(lambda: BPPMixtureDataset(mixture({})), 'datasets:train:parts', 'at least one part')
    refused(lambda: BPPMixtureDataset(mixture({}, phase='val')), 'datasets:val', 'for training')
    refused(lambda: BPPMixtureDataset(mixture({'real': 5})), 'datasets:train:parts:real')
