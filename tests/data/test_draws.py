"""Samples depend on (seed, draw) alone, and every draw is another sample."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from glowdeblur_plugin.data.bpp_mixture_dataset import BPPMixtureDataset
from glowdeblur_plugin.data.packers.folder import pack_folder
from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset

FAR = 123_456_789_012


def simulated(photographs, **changes: Any) -> SimulatedBlurDataset:
    section = {'name': 'sim', 'type': 'SimulatedBlurDataset', 'phase': 'train', 'dataroot_gt': str(photographs / 'train.lmdb'),
               'domain': 'pretraining', 'gt_size': 32, 'seed': 7}
    return SimulatedBlurDataset({**section, **changes})


def paired(pair_folders, **changes: Any) -> PairedLMDBDataset:
    section = {'name': 'pairs', 'type': 'PairedLMDBDataset', 'phase': 'train', 'dataroot_lq': str(pair_folders / 'lq'),
               'dataroot_gt': str(pair_folders / 'gt'), 'gt_size': 16, 'dtype': 'uint8'}
    return PairedLMDBDataset({**section, **changes})


def mixture(photographs, pair_folders, **changes: Any) -> BPPMixtureDataset:
    parts = {
        'real': {'weight': 1, 'type': 'PairedLMDBDataset', 'dataroot_lq': str(pair_folders / 'lq'),
                 'dataroot_gt': str(pair_folders / 'gt')},
        'made': {'weight': 3, 'type': 'SimulatedBlurDataset', 'dataroot_gt': str(photographs / 'train.lmdb'), 'domain': 'gopro'},
    }
    section = {'name': 'mix', 'type': 'BPPMixtureDataset', 'phase': 'train', 'gt_size': 16, 'parts': parts}
    return BPPMixtureDataset({**section, **changes})


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    assert first.keys() == second.keys()
    return all(torch.equal(first[key], second[key]) if isinstance(first[key], torch.Tensor) else first[key] == second[key]
               for key in first)


def test_a_hundred_draws_of_a_picture_are_a_hundred_crops_and_blurs(photographs):
    """Draws as `dataset_enlarge_ratio: 100` hands them out: v in 0..100 x length - 1, of which 100 name the same picture."""
    dataset = simulated(photographs, use_hflip=False, use_rot=False)
    samples = [dataset[index * len(dataset) + 4] for index in range(100)]
    assert len({sample['gt_path'] for sample in samples}) == 1
    for key in ('lq', 'gt', 'motion'):
        assert len({sample[key].numpy().tobytes() for sample in samples}) == 100, key


def test_an_epoch_of_draws_visits_every_picture(photographs):
    dataset = simulated(photographs)
    assert len({dataset[FAR + index]['gt_path'] for index in range(len(dataset))}) == len(dataset) == 9


@pytest.mark.parametrize('kind', ['simulated', 'paired', 'mixture'])
def test_samples_are_bit_equal_for_any_number_of_workers(kind, photographs, pair_folders):
    make = {'simulated': lambda **changes: simulated(photographs, **changes),
            'paired': lambda **changes: paired(pair_folders, **changes),
            'mixture': lambda **changes: mixture(photographs, pair_folders, **changes)}[kind]
    far = 10**6 if kind == 'mixture' else FAR
    draws = [*range(8), *range(far, far + 8)]
    alone = [make()[draw] for draw in draws]
    loader = DataLoader(make(), batch_size=None, sampler=draws, num_workers=2)
    assert all(same(first, second) for first, second in zip(alone, loader, strict=True))
    assert not any(same(first, make(seed=8)[draw]) for first, draw in zip(alone, draws))


def test_simulated_sample_has_the_promised_form(photographs):
    sample = simulated(photographs)[3]
    for key in ('lq', 'gt'):
        assert sample[key].shape == (3, 32, 32) and sample[key].dtype == torch.float32
        assert 0 <= sample[key].min() and sample[key].max() <= 1
    assert sample['motion'].shape == (3, 32, 32) and sample['motion'].dtype == torch.float32
    assert sample['motion_known'] is True and sample['domain'] == 'pretraining'
    levels = simulated(photographs, dtype='uint8')[3]
    assert levels['lq'].dtype == torch.uint8
    torch.testing.assert_close(levels['lq'].float() / 255, sample['lq'])


def test_validation_gives_whole_pictures_with_fixed_blur(photographs):
    settings = {'phase': 'val', 'gt_size': None, 'dataroot_gt': str(photographs / 'val.lmdb'), 'blur_length': [5, 9],
                'noise': [0, 1], 'kinds': {'linear': 1}}
    first, second = simulated(photographs, **settings), simulated(photographs, **settings)
    edge = first.edge
    assert first[0]['lq'].shape == (3, 300 - 2 * edge, 451 - 2 * edge)
    assert first[1]['lq'].shape == (3, 400 - 2 * edge, 600 - 2 * edge)
    for index in range(2):
        assert same(first[index], second[index])
        length = np.hypot(*first[index]['motion'][:2].numpy()) + first[index]['motion'][2].numpy()
        assert 5 <= length.min() and length.max() <= 9.001
    assert not torch.equal(first[0]['motion'][:, 0, 0], first[1]['motion'][:, 0, 0])


def test_validation_may_blur_each_picture_several_times(photographs):
    settings = {'phase': 'val', 'dataroot_gt': str(photographs / 'val.lmdb'), 'kinds': {'linear': 1}}
    dataset = simulated(photographs, draws_per_picture=3, **settings)
    samples = [dataset[index] for index in range(len(dataset))]
    assert len(samples) == 6 == len({sample['lq_path'] for sample in samples})
    assert len({sample['motion'].numpy().tobytes() for sample in samples}) == 6
    assert torch.equal(samples[0]['gt'], samples[2]['gt']) and not torch.equal(samples[0]['lq'], samples[2]['lq'])


def test_magnified_and_recoloured_crops_hold_only_content_of_the_picture(photographs):
    """A picture of one colour stays one colour, whatever the magnification, and is recoloured alike on both sides."""
    plain = photographs.parent / 'plain'
    plain.mkdir(exist_ok=True)
    cv2.imwrite(str(plain / 'a.png'), np.full((128, 144, 3), (40, 80, 120), np.uint8))
    settings = {'dataroot_gt': str(plain), 'domain': 'gsblur', 'blur_length': [1, 12], 'noise': [0, 0]}  # a domain without JPEG
    dataset = simulated(photographs, zoom=[0.6, 2], change_colours=True, dtype='uint8', **settings)
    colours = set()
    for draw in range(30):
        sample = dataset[draw]
        colour = sample['gt'][:, :1, :1]
        assert sample['gt'].shape == (3, 32, 32) and torch.equal(sample['gt'], colour.expand(3, 32, 32))
        assert torch.equal(sample['lq'], sample['gt'])
        colours.add(tuple(colour.flatten().tolist()))
    assert len(colours) == 30 and any(red < blue for red, _, blue in colours)


def test_pairs_are_cut_and_flipped_alike_and_all_eight_ways(pair_folders):
    dataset = paired(pair_folders)
    for draw in range(20):
        sample = dataset[draw]
        assert torch.equal(sample['lq'], sample['gt'] // 2)
    whole = paired(pair_folders, phase='val')[0]
    assert whole['gt'].shape == (3, 32, 40) and torch.equal(whole['lq'], whole['gt'] // 2)
    square = paired(pair_folders, gt_size=32)
    plain = paired(pair_folders, gt_size=32, use_hflip=False, use_rot=False)
    # A crop of 32 fits into 40x32 at nine places, each of which can be turned eight ways.
    assert len({plain[3 * draw]['gt'].numpy().tobytes() for draw in range(200)}) == 9
    assert len({square[3 * draw]['gt'].numpy().tobytes() for draw in range(800)}) == 9 * 8


def test_packed_pairs_equal_folders(pair_folders):
    lq, gt = (side.path for side in pack_folder(pair_folders / 'gt', pair_folders / 'packed', pair_folders / 'lq'))
    packed = paired(pair_folders, dataroot_lq=str(lq), dataroot_gt=str(gt))
    for draw in range(6):
        assert torch.equal(packed[draw]['gt'], paired(pair_folders)[draw]['gt'])
    assert packed.fingerprint() == paired(pair_folders).fingerprint()


def test_the_fingerprint_follows_what_changes_samples_and_not_where_the_set_lies(photographs, pair_folders, tmp_path):
    base = simulated(photographs).fingerprint()
    assert base == simulated(photographs, made_by='somehow').fingerprint()
    moved = tmp_path / 'moved.lmdb'
    moved.symlink_to(photographs / 'train.lmdb')
    assert base == simulated(photographs, dataroot_gt=str(moved)).fingerprint()
    for change in ({'gt_size': 48}, {'domain': 'gopro'}, {'noise': [0, 1]}, {'dataroot_gt': str(photographs / 'val.lmdb')}):
        assert base != simulated(photographs, **change).fingerprint()
