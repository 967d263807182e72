"""Samples of a mixture: those of its parts, in batches, the same for any number of workers and ranks."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from glowdeblur_plugin.compat.sampler import DrawSampler
from glowdeblur_plugin.data.bpp_mixture_dataset import BPPMixtureDataset
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.side_data import Caption, encode_caption, encode_embedding, encode_motion
from glowdeblur_plugin.errors import UserError

RAMP = [{'at': 0, 'weights': {'real': 0, 'made': 1}}, {'at': 1, 'weights': {'real': 1, 'made': 0}}]


def pairs(folder: Path, *kinds: str, **changes: Any) -> dict[str, Any]:
    side = {f'dataroot_{kind}': str(folder / f'train_{kind}.lmdb') for kind in kinds}
    roots = {f'dataroot_{name}': str(folder / name) for name in ('lq', 'gt')}
    return {'type': 'PairedLMDBDataset', **roots, **side, **changes}


def mixture(parts: dict[str, dict[str, Any]], **changes: Any) -> BPPMixtureDataset:
    return BPPMixtureDataset({'name': 'mix', 'type': 'BPPMixtureDataset', 'phase': 'train', 'gt_size': 16, 'dtype': 'uint8',
                              'parts': parts, **changes})


@pytest.fixture
def parts(photographs: Path, pair_folders: Path) -> dict[str, dict[str, Any]]:
    """Three pairs and nine sharp pictures that are blurred on the fly; without weights."""
    made = {'type': 'SimulatedBlurDataset', 'dataroot_gt': str(photographs / 'train.lmdb'), 'domain': 'gopro'}
    return {'real': pairs(pair_folders), 'made': made}


def weighted(parts: dict[str, dict[str, Any]], **weights: float) -> dict[str, dict[str, Any]]:
    return {name: {**part, 'weight': weights[name]} for name, part in parts.items()}


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    assert first.keys() == second.keys()
    return all(torch.equal(value, second[key]) if isinstance(value, torch.Tensor) else value == second[key]
               for key, value in first.items())


def test_samples_are_those_of_the_parts_under_the_parts_names(parts):
    dataset = mixture(weighted(parts, real=1, made=3))
    assert len(dataset) == 9 + 3
    for place in range(40):
        name, draw = dataset.order.locate(place)
        sample, own = dataset[place], dataset.parts[name][draw]
        assert sample['domain'] == name and all(key == 'domain' or key in sample for key in own)
        assert same({**sample, 'domain': own['domain']}, {**sample, **own})
        assert sample['motion_known'] == (name == 'made') == bool(sample['motion'].any())
    batch = next(iter(DataLoader(dataset, batch_size=12)))
    assert batch['motion'].shape == (12, 3, 16, 16) and batch['motion_known'].dtype == torch.bool
    assert set(batch['domain']) == {'real', 'made'}


def test_pictures_of_a_part_are_visited_evenly(parts):
    dataset = mixture(weighted(parts, real=1, made=1))
    paths = Counter(dataset[place]['gt_path'] for place in range(150))
    for kind in ('lmdb', 'png'):
        counts = [count for path, count in paths.items() if kind in path]
        assert len(counts) in (3, 9) and max(counts) - min(counts) <= 1


def iterations(parts: dict[str, dict[str, Any]], ranks: int, workers: int) -> list[set[bytes]]:
    """Samples of each iteration as bytes: 8 an iteration over all ranks, 4 iterations in each of 2 epochs of 36 samples."""
    found: list[set[bytes]] = [set() for _ in range(8)]
    for rank in range(ranks):
        dataset = mixture(parts, schedule=RAMP, seed=5)
        dataset.set_run(8, 8)
        sampler = DrawSampler(dataset, ranks, rank, 3)
        sampler.keep(4 * 8 // ranks)
        loader = DataLoader(dataset, batch_size=8 // ranks, sampler=sampler, drop_last=True, num_workers=workers)
        for epoch in range(2):
            sampler.set_epoch(epoch)
            for index, batch in enumerate(loader, 4 * epoch):
                found[index] |= {name.encode() + lq.numpy().tobytes() for name, lq in zip(batch['domain'], batch['lq'])}
    return found


@pytest.mark.filterwarnings('ignore:This DataLoader will create')
def test_an_iteration_has_the_same_samples_for_any_number_of_ranks_and_workers(parts):
    alone = iterations(parts, 1, 0)
    assert [len(samples) for samples in alone] == 8 * [8] and len(set.union(*alone)) > 60  # crops may coincide
    real = [sum(sample.startswith(b'real') for sample in samples) for samples in alone]
    assert sum(real[:4]) < sum(real[4:]) and 0 < sum(real) < 64
    for ranks, workers in ((1, 3), (2, 0), (2, 1), (4, 0)):
        assert iterations(parts, ranks, workers) == alone


def test_a_temperature_weighs_by_the_sizes_of_the_sets(parts):
    dataset = mixture({'real': parts['real'], 'made': {**parts['made'], 'cap': 6}}, temperature=2)
    assert dataset.order.shares.at(np.zeros(1)) == pytest.approx(np.array([[1, 2**0.5]]) / (1 + 2**0.5))


def test_the_fingerprint_follows_how_parts_are_weighed(parts):
    later = [RAMP[0], {**RAMP[1], 'at': 0.9}]
    capped = {**parts, 'made': {**parts['made'], 'cap': 6}}
    fixed = weighted(parts, real=1, made=3)
    mixtures = [mixture(fixed), mixture(weighted(parts, real=2, made=3)), mixture(parts, schedule=RAMP),
                mixture(parts, schedule=later), mixture(parts, temperature=1), mixture(parts, temperature=2),
                mixture(capped, temperature=2), mixture(fixed, seed=1)]
    assert len({dataset.fingerprint() for dataset in mixtures}) == len(mixtures)
    assert mixture(parts, schedule=RAMP).fingerprint() == mixtures[2].fingerprint()
    assert [dataset.scheduled for dataset in mixtures] == [False, False, True, True, False, False, False, False]


def pack_side_data(folder: Path) -> None:
    encode = {'motion': encode_motion, 'caption': encode_caption, 'embedding': encode_embedding}
    records = {'motion': np.ones((3, 32, 40)), 'caption': Caption('a street', 'sharp'), 'embedding': np.ones((2, 5))}
    for kind, record in records.items():
        with LmdbWriter(folder / f'train_{kind}.lmdb', 'test', encoding=kind) as writer:
            for key in 'abc':
                writer.put_encoded(key, encode[kind](record))


def test_parts_with_and_without_side_data_make_one_batch(parts, pair_folders):
    pack_side_data(pair_folders)
    told = {name: pairs(pair_folders, name, text_length=4) for name in ('motion', 'caption', 'embedding')}
    dataset = mixture({name: {**part, 'weight': 1} for name, part in {**parts, **told}.items()})
    batch = next(iter(DataLoader(dataset, batch_size=60)))
    assert set(batch['domain']) == {*parts, *told}
    for index, name in enumerate(batch['domain']):
        assert batch['motion_known'][index] == (name in ('made', 'motion')) == bool(batch['motion'][index].any())
        caption = (batch['caption'][index], batch['caption_origin'][index])
        assert caption == (('a street', 'sharp') if name == 'caption' else ('', ''))
        assert batch['text_mask'][index].tolist() == (2 * [name == 'embedding'] + 2 * [False])
        assert batch['text'][index].sum() == (10 if name == 'embedding' else 0)


def test_parts_whose_extras_differ_in_form_are_refused(pair_folders):
    pack_side_data(pair_folders)
    told = {f'with{length}': pairs(pair_folders, 'embedding', text_length=length, weight=1) for length in (4, 6)}
    with pytest.raises(UserError, match=r"parts: 'text' is \(4, 5\) float32 in part with4 and \(6, 5\) float32 in part with6"):
        mixture(told)
