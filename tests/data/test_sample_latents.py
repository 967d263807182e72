"""Latents beside fixed crops: read as they were written, and refused wherever the sharp picture is not the one they were made of."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from glowdeblur_plugin.data.bpp_mixture_dataset import BPPMixtureDataset
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.data.sample_latents import pictures_digest
from glowdeblur_plugin.data.side_data import LatentSource, encode_latent
from glowdeblur_plugin.data.verify import verify_set
from glowdeblur_plugin.errors import UserError

SIDE, CHANNELS = 32, 5
PLAIN = {'gt_size': SIDE, 'use_hflip': False, 'use_rot': False}


def _latents() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {key: rng.standard_normal((CHANNELS, 2, 3)) for key in 'abc'}


def _pack_pictures(folder: Path, seed: int = 0, side: int = SIDE) -> None:
    rng = np.random.default_rng(seed)
    for name in ('lq', 'gt'):
        with LmdbWriter(folder / f'train_{name}.lmdb', 'test') as writer:
            for key in 'abc':
                writer.put(key, rng.integers(0, 256, (side, SIDE, 3), dtype=np.uint8))


def _pack_latents(folder: Path, keys: str = 'abc', **details: Any) -> None:
    digest = pictures_digest(LmdbSource(folder / 'train_gt.lmdb'))
    with LmdbWriter(folder / 'train_latent.lmdb', 'test', encoding='latent',
                    details={'channels': CHANNELS, 'pictures': digest, **details}) as writer:
        for key in keys:
            writer.put_encoded(key, encode_latent(_latents()[key]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Packed pictures a, b and c of both sides, and latents of another shape than theirs."""
    _pack_pictures(tmp_path)
    _pack_latents(tmp_path)
    return tmp_path


def _section(folder: Path, **changes: Any) -> dict[str, Any]:
    return {'name': 'pairs', 'type': 'PairedLMDBDataset', 'phase': 'train', **PLAIN,
            **{f'dataroot_{kind}': str(folder / f'train_{kind}.lmdb') for kind in ('lq', 'gt', 'latent')}, **changes}


def test_samples_hold_the_latents_of_their_pictures(folder: Path) -> None:
    dataset, source = PairedLMDBDataset(_section(folder)), LmdbSource(folder / 'train_gt.lmdb')
    for draw in range(6):
        sample, key = dataset[draw], 'abc'[draw % 3]
        assert torch.equal(sample['latent'], torch.from_numpy(_latents()[key].astype(np.float16).astype(np.float32)))
        assert sample['latent_known'] is True
        assert np.array_equal((sample['gt'].permute(1, 2, 0) * 255).round().byte().numpy(), source.read(key))
    assert verify_set(folder / 'train_latent.lmdb') == []
    assert f'a.latent (2,3,{CHANNELS}) 1' in (folder / 'train_latent.lmdb' / 'meta_info.txt').read_text()


def test_parts_without_latents_have_blank_ones(folder: Path) -> None:
    own = {'type': 'PairedLMDBDataset', 'weight': 1, **{f'dataroot_{side}': str(folder / f'train_{side}.lmdb')
                                                        for side in ('lq', 'gt')}}
    parts = {'with': {**own, 'dataroot_latent': str(folder / 'train_latent.lmdb')}, 'without': own}
    mixture = {'name': 'both', 'phase': 'train', **PLAIN, 'parts': parts}
    batch = next(iter(DataLoader(BPPMixtureDataset(mixture), batch_size=12)))
    known = [name == 'with' for name in batch['domain']]
    assert batch['latent_known'].tolist() == known == [bool(latent.any()) for latent in batch['latent']]
    assert 0 < sum(known) < 12
    with pytest.raises(UserError, match='parts:with:dataroot_latent: .* set use_rot: false'):
        BPPMixtureDataset({**mixture, 'use_rot': True})


@pytest.mark.parametrize('changes, message', [
    ({'use_hflip': True}, 'a latent is that of the picture as it is; set use_hflip: false'),
    ({'use_rot': True}, 'a latent is that of the picture as it is; set use_rot: false'),
    ({'phase': 'val'}, 'only training uses latents of sharp pictures'),
    ({'gt_size': 16}, 'a is 32x32, so its crops of gt_size 16 differ from draw to draw; pack the set with --crop 16'),
])
def test_options_under_which_the_sharp_crop_changes(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f':dataroot_latent: .*{message}'):
        PairedLMDBDataset(_section(folder, **changes))


def test_other_pictures_are_noticed(folder: Path) -> None:
    _pack_pictures(folder, seed=1)
    with pytest.raises(UserError, match='dataroot_latent: .*train_latent.lmdb was made from other pictures than .*train_gt.lmdb'):
        PairedLMDBDataset(_section(folder))


def test_oblong_pictures_are_no_crops(folder: Path) -> None:
    _pack_pictures(folder, side=SIDE + 8)
    with pytest.raises(UserError, match='dataroot_latent: .*a is 32x40, so its crops of gt_size 32 differ'):
        PairedLMDBDataset(_section(folder))


def test_sets_that_cannot_be_used(folder: Path, pair_folders: Path) -> None:
    for keys, details, message in (('ab', {}, 'lacks 1 of 3 pictures .* such as c'),
                                   ('abc', {'channels': 0}, 'its manifest says channels: 0')):
        _pack_latents(folder, keys, **details)
        with pytest.raises(UserError, match=f'^datasets:train:dataroot_latent: .*{message}'):
            PairedLMDBDataset(_section(folder))
    plain = {f'dataroot_{side}': str(pair_folders / side) for side in ('lq', 'gt')}
    with pytest.raises(UserError, match='dataroot_latent: needs dataroot_gt to be a packed set with checksums'):
        PairedLMDBDataset(_section(folder, **plain))
    with pytest.raises(UserError, match='expected a packed set of latent records, found png records'):
        LatentSource(folder / 'train_gt.lmdb')
