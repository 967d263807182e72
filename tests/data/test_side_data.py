"""Motion maps, captions and text embeddings under the keys of a packed set, and how samples hand them on."""

from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from glowdeblur_plugin.data.bpp_mixture_dataset import BPPMixtureDataset
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.side_data import (Caption, CaptionSource, EmbeddingSource, MotionSource, decode_caption,
                                              encode_caption, encode_embedding, encode_motion, motion_sibling)
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset
from glowdeblur_plugin.data.verify import verify_set
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError

SIZE = (48, 64)


def smooth_motion() -> np.ndarray:
    """A blur tensor (3, 48, 64) that is linear in x and y, so that means over cells and linear interpolation are exact."""
    y, x = np.mgrid[:SIZE[0], :SIZE[1]].astype(np.float64)
    return np.stack([4 + x / 8, y / 4 - 3, 1 + x / 32 + y / 16])


def pack(root: Path, kind: str, records: dict[str, Any], **details: Any) -> Path:
    encode = {'motion': encode_motion, 'caption': encode_caption, 'embedding': encode_embedding}[kind]
    with LmdbWriter(root, 'test', encoding=kind, details=details) as writer:
        for key, record in records.items():
            writer.put_encoded(key, encode(record))
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Plain folders `lq` and `gt` with pictures a and b, and side data of every kind for them."""
    rng = np.random.default_rng(0)
    for side in ('lq', 'gt'):
        (tmp_path / side).mkdir()
        for key in 'ab':
            cv2.imwrite(str(tmp_path / side / f'{key}.png'), rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
    pack(tmp_path / 'train_motion.lmdb', 'motion', {'a': smooth_motion(), 'b': smooth_motion()[:, ::-1]})
    pack(tmp_path / 'train_caption.lmdb', 'caption', {'a': Caption('Eine Straße bei Nacht', 'sharp'), 'b': Caption('', 'blurry')})
    pack(tmp_path / 'train_embedding.lmdb', 'embedding', {'a': np.ones((3, 5)), 'b': np.full((7, 5), -2.5)})
    return tmp_path


def section(folder: Path, *kinds: str, **changes: Any) -> dict[str, Any]:
    side = {f'dataroot_{kind}': str(folder / f'train_{kind}.lmdb') for kind in kinds}
    return {'name': 'pairs', 'type': 'PairedLMDBDataset', 'phase': 'train', 'dataroot_lq': str(folder / 'lq'),
            'dataroot_gt': str(folder / 'gt'), 'gt_size': 32, **side, **changes}


def test_motion_of_a_window_is_linear_between_the_middles_of_cells(tmp_path):
    motion, cell = smooth_motion(), 8
    cells = motion.reshape(3, SIZE[0] // cell, cell, SIZE[1] // cell, cell).mean(axis=(2, 4))
    source = MotionSource(pack(tmp_path / 'a.lmdb', 'motion', {'a': cells}, cell=cell))
    np.testing.assert_allclose(source.read('a'), cells, rtol=1e-3)
    window = Window(10, 7, 20, 40)
    np.testing.assert_allclose(source.window('a', window), motion[:, 10:30, 7:47], atol=0.02)
    border = source.window('a', Window(0, 0, *SIZE))
    np.testing.assert_allclose(border[:, 0, 0], cells[:, 0, 0], rtol=1e-3)


def test_motion_by_pixel_is_cut(tmp_path):
    motion = smooth_motion()
    source = MotionSource(pack(tmp_path / 'a.lmdb', 'motion', {'a': motion}))
    np.testing.assert_array_equal(source.window('a', Window(5, 6, 7, 8)), motion[:, 5:12, 6:14].astype(np.float16))


def test_captions_and_embeddings_come_back(folder):
    captions = CaptionSource(folder / 'train_caption.lmdb')
    assert captions.read('a') == Caption('Eine Straße bei Nacht', 'sharp') and captions.read('b') == Caption('', 'blurry')
    embeddings = EmbeddingSource(folder / 'train_embedding.lmdb')
    states, mask = embeddings.read('b', 9)
    np.testing.assert_array_equal(states, np.repeat([[-2.5] * 5, [0.0] * 5], [7, 2], axis=0))
    assert mask.tolist() == [True] * 7 + [False] * 2
    states, mask = embeddings.read('b', 4)
    assert states.shape == (4, 5) and mask.all()


def test_samples_hand_on_what_is_known_and_batch(folder):
    dataset = PairedLMDBDataset(section(folder, 'motion', 'caption', 'embedding', text_length=6))
    batch = next(iter(DataLoader(dataset, batch_size=2)))
    assert batch['caption'] == ['Eine Straße bei Nacht', ''] and batch['caption_origin'] == ['sharp', 'blurry']
    assert batch['text'].shape == (2, 6, 5) and batch['text_mask'].sum(dim=1).tolist() == [3, 6]
    assert batch['motion'].shape == (2, 3, 32, 32) and batch['motion_known'].tolist() == [True, True]
    plain = PairedLMDBDataset(section(folder))[0]
    assert set(plain) == {'lq', 'gt', 'domain', 'lq_path', 'gt_path'}


def test_texts_of_sharp_pictures_go_with_their_simulated_blur(folder):
    texts = {f'dataroot_{kind}': str(folder / f'train_{kind}.lmdb') for kind in ('caption', 'embedding')}
    made = {'name': 'blur', 'type': 'SimulatedBlurDataset', 'dataroot_gt': str(folder / 'gt'), 'domain': 'gentle',
            'blur_length': [1, 2], 'text_length': 6, **texts}
    dataset = SimulatedBlurDataset({**made, 'phase': 'train', 'gt_size': 16})
    for draw in range(4):
        sample, key = dataset[draw], 'ab'[draw % 2]
        assert sample['caption_origin'] == {'a': 'sharp', 'b': 'blurry'}[key]
        assert sample['text'].shape == (6, 5) and sample['text_mask'].sum() == {'a': 3, 'b': 6}[key]
    pairs = {key: value for key, value in section(folder).items() if key not in ('phase', 'gt_size', 'name')}
    mixture = BPPMixtureDataset({'phase': 'train', 'gt_size': 16, 'parts': {
        'blur': {**{key: value for key, value in made.items() if key != 'name'}, 'weight': 1}, 'pairs': {**pairs, 'weight': 1}}})
    batch = default_collate([mixture[place] for place in range(8)])
    for domain, caption, mask in zip(batch['domain'], batch['caption_origin'], batch['text_mask']):
        assert (caption == '') == (domain == 'pairs') and mask.any() == (domain == 'blur')
    with pytest.raises(UserError, match='datasets:train:dataroot_caption: .* lacks 1 of 3 pictures of .*, such as c'):
        cv2.imwrite(str(folder / 'gt' / 'c.png'), np.zeros((*SIZE, 3), np.uint8))
        SimulatedBlurDataset({**made, 'phase': 'train', 'gt_size': 16})


def test_crops_and_symmetries_of_motion_follow_the_picture(folder):
    """A picture whose levels are the motion's: under every draw the sample's motion must match its picture."""
    y, x = np.mgrid[:SIZE[0], :SIZE[1]]
    levels = np.stack([x, y, x * 0], axis=2).astype(np.uint8)
    for side in ('lq', 'gt'):
        cv2.imwrite(str(folder / side / 'a.png'), levels[..., ::-1])
    directed = np.stack([x - 20.0, y - 20.0, x * 0])
    pack(folder / 'train_motion.lmdb', 'motion', {'a': directed, 'b': directed})
    dataset = PairedLMDBDataset(section(folder, 'motion', dtype='uint8'))
    seen = set()
    for draw in range(0, 80, 2):
        sample = dataset[draw]
        across, down = sample['gt'][0].double(), sample['gt'][1].double()
        motion = sample['motion'].double()
        transposed = bool(across[1, 0] != across[0, 0])
        forward_x = bool((across[:, -1] > across[:, 0]).all() if not transposed else (across[-1] > across[0]).all())
        forward_y = bool((down[-1] > down[0]).all() if not transposed else (down[:, -1] > down[:, 0]).all())
        seen.add((transposed, forward_x, forward_y))
        sine = -1 if forward_x != forward_y else 1
        torch.testing.assert_close(motion[0], (across - 20) * (-1 if transposed else 1))
        torch.testing.assert_close(motion[1], (down - 20) * sine)
    assert len(seen) == 8


def test_validation_may_go_without_sharp_pictures_and_training_not(folder):
    own = section(folder, phase='val', gt_size=None)
    own.pop('dataroot_gt')
    sample = PairedLMDBDataset(own)[1]
    assert set(sample) == {'lq', 'domain', 'lq_path'} and sample['lq'].shape == (3, *SIZE)
    with pytest.raises(UserError, match="datasets:train: key 'dataroot_gt' is missing"):
        PairedLMDBDataset({**own, 'phase': 'train', 'gt_size': 32})


def test_side_data_must_cover_the_pictures_and_be_of_its_kind(folder):
    pack(folder / 'train_motion.lmdb', 'motion', {'a': smooth_motion()})
    with pytest.raises(UserError, match='dataroot_motion: .*train_motion.lmdb lacks 1 of 2 pictures of .*lq, such as b'):
        PairedLMDBDataset(section(folder, 'motion'))
    wrong = section(folder, dataroot_motion=str(folder / 'train_caption.lmdb'))
    with pytest.raises(UserError, match='dataroot_motion: .*expected a packed set of motion records, found caption records'):
        PairedLMDBDataset(wrong)
    with pytest.raises(UserError, match='dataroot_lq: .*holds caption records, expected pictures'):
        (folder / 'train_caption.lmdb').rename(folder / 'x.lmdb')
        PairedLMDBDataset(section(folder, dataroot_lq=str(folder / 'x.lmdb')))
    with pytest.raises(UserError, match='dataroot_caption: .*nowhere.lmdb: .*found nothing packed'):
        PairedLMDBDataset(section(folder, dataroot_caption=str(folder / 'nowhere.lmdb')))


@pytest.mark.parametrize('kind', ['motion', 'caption', 'embedding'])
def test_a_damaged_record_is_named(folder, kind):
    root = folder / f'train_{kind}.lmdb'
    assert verify_set(root) == []
    with lmdb.open(str(root), map_size=1 << 28, lock=False) as environment, environment.begin(write=True) as transaction:
        transaction.put(b'b', transaction.get(b'b')[:-2])
    problem, = verify_set(root)
    assert f'{root}/b: is damaged' in problem
    read = {'motion': lambda: MotionSource(root).read('b'), 'caption': lambda: CaptionSource(root).read('b'),
            'embedding': lambda: EmbeddingSource(root).read('b', 7)}[kind]
    with pytest.raises(UserError, match=f'train_{kind}.lmdb/b: the record is damaged'):
        read()


def test_the_motion_set_beside_a_packed_set_is_found(folder):
    assert motion_sibling(folder / 'train_lq.lmdb') == folder / 'train_motion.lmdb'
    assert motion_sibling(folder / 'train_gt.lmdb') == folder / 'train_motion.lmdb'
    assert motion_sibling(folder / 'val_lq.lmdb') is None and motion_sibling(folder / 'train.lmdb') is None


@pytest.mark.parametrize(('shape', 'cell', 'fits'), [
    ((48, 64), 1, True), ((6, 8), 8, True), ((7, 10), 7, True), ((6, 9), 7, False), ((8, 6), 8, False), ((48, 63), 1, False),
])
def test_a_motion_map_must_have_the_grid_of_its_picture(folder, shape, cell, fits):
    pack(folder / 'train_motion.lmdb', 'motion', {'a': np.ones((3, *shape)), 'b': np.ones((3, *shape))}, cell=cell)
    if fits:
        assert PairedLMDBDataset(section(folder, 'motion'))[0]['motion'].shape == (3, 32, 32)
    else:
        with pytest.raises(UserError, match=f'dataroot_motion: .*train_motion.lmdb/a: has {shape[1]}x{shape[0]} cells, but a '
                                            f'picture of 64x48 has .* cells of {cell} pixels'):
            PairedLMDBDataset(section(folder, 'motion'))


@pytest.mark.parametrize('cell', [0, -8, 2.5, '8'])
def test_a_cell_that_is_no_number_of_pixels_is_refused(folder, cell):
    pack(folder / 'train_motion.lmdb', 'motion', {'a': smooth_motion()}, cell=cell)
    with pytest.raises(UserError, match='train_motion.lmdb: its manifest says cell: .*, expected a whole number'):
        MotionSource(folder / 'train_motion.lmdb')


@pytest.mark.parametrize('record', [
    b'["text", "sharp"]', b'{"text": "abc", "origin": "above"}', b'{"text": "abcd", "origin": "sharp"}',
    b'{"text": 3, "origin": "sharp"}', b'\xff',
])
def test_a_record_that_is_no_such_caption_is_refused(record):
    with pytest.raises(UserError, match='set/a: the record is damaged') as caught:
        decode_caption(record, 3, 'set/a')
    assert '\n' not in str(caught.value)
