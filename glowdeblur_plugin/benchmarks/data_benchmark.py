"""Loaders of random crops against BasicSR's on the same pairs, and the blur simulator.

Each loader has two workers and batches of 16 pairs of 256x256 crops with flips and rotations; a round measures one after the
other for some seconds each, and a ratio is taken within its round. The clock stops when a float32 batch in [0, 1] is in the main
process: BasicSR's dataset gives that itself, ours sends 8-bit batches that become float there, as in our models.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from basicsr.data.paired_image_dataset import PairedImageDataset
from torch.utils.data import DataLoader, Dataset, Sampler

from glowdeblur_plugin.benchmarks.figures import Figure, figure, say
from glowdeblur_plugin.benchmarks.simulate_benchmark import measure_simulator, measure_twin
from glowdeblur_plugin.compat.allocator import keep_memory
from glowdeblur_plugin.data.dataset_base import to_unit_range
from glowdeblur_plugin.data.lmdb_store import DATA_FILE, close_environment
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.crop import Crop, crop_keys
from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.photographs import training_photographs, validation_photographs
from glowdeblur_plugin.data.picture_source import check_pairs, open_source
from glowdeblur_plugin.errors import UserError

SIZE = (720, 1280)
SUB_IMAGES = Crop(512, 256)
CROP, BATCH, WORKERS = 256, 16, 2
MADE_PAIRS = 40
BATCHES_BEFORE = 2 * 2 * WORKERS
OURS = ('zstd', 'webp', 'raw')
Pair = tuple[np.ndarray, np.ndarray]


def run(lq: Path | None, gt: Path | None, rounds: int, seconds: float) -> dict[str, Figure]:
    """Measure everything; progress goes to stderr.

    Args:
        lq, gt: folders of 1280x720 pairs; without them pairs are made from the sample photographs.
        rounds: at least 5 for figures worth quoting.
        seconds: of each measurement in a round.

    Raises:
        UserError: one folder without the other, no pairs, or pictures of another size.
    """
    keep_memory()
    pairs = made_pairs() if lq is None and gt is None else read_pairs(lq, gt)
    with tempfile.TemporaryDirectory() as folder:
        roots = _pack(Path(folder), pairs)
        _compare_pixels(roots)
        figures = _loaders(roots, rounds, seconds)
        figures |= _cold(roots, rounds)
    say('blur simulator')
    figures |= measure_simulator()
    if torch.cuda.is_available():
        figures |= measure_twin(torch.device('cuda'))
    return figures


def made_pairs() -> dict[str, Pair]:
    """Mosaics of the sample photographs at their own resolution, 1280x720, and the same blurred along a line of 15 pixels."""
    photographs = [*training_photographs().values(), *validation_photographs().values()]
    line = np.full((1, 15), 1 / 15, np.float32)
    pairs = {}
    for index in range(MADE_PAIRS):
        rng = np.random.default_rng(index)
        sharp = np.zeros((*SIZE, 3), np.uint8)
        for top in range(0, SIZE[0], 240):
            for left in range(0, SIZE[1], 320):
                photograph = photographs[rng.integers(len(photographs))]
                y, x = (int(rng.integers(found - part + 1)) for found, part in zip(photograph.shape, (240, 300)))
                sharp[top:top + 240, left:left + 320] = cv2.copyMakeBorder(photograph[y:y + 240, x:x + 300], 0, 0, 10, 10,
                                                                           cv2.BORDER_REFLECT)
        pairs[f'p{index:03d}'] = cv2.filter2D(sharp, -1, line), sharp
    return pairs


def read_pairs(lq: Path | None, gt: Path | None) -> dict[str, Pair]:
    """Pairs of two folders by key; raises as `run` does."""
    if lq is None or gt is None:
        raise UserError(f'--{"lq" if lq is None else "gt"}: is missing; give both folders or none')
    blurry, sharp = open_source(lq, '--lq'), open_source(gt, '--gt')
    check_pairs(blurry, sharp, '--lq, --gt')
    for key, size in sharp.sizes.items():
        if size != SIZE:
            raise UserError(f'--gt: {sharp.describe(key)} is {size[1]}x{size[0]}, the benchmark needs {SIZE[1]}x{SIZE[0]}')
    return {f'p{index:03d}': (blurry.read(key), sharp.read(key)) for index, key in enumerate(sharp.sizes)}


def _pack(folder: Path, pairs: dict[str, Pair]) -> dict[str, Path]:
    """Folder with `lq.lmdb` and `gt.lmdb` of each kind: the encodings of whole pictures, and png sub-images."""
    roots = {}
    for kind in ('png', *OURS, 'subimages'):
        say(f'packing {kind}')
        roots[kind] = folder / kind
        for index, side in enumerate(('lq', 'gt')):
            with LmdbWriter(roots[kind] / f'{side}.lmdb', kind, encoding='png' if kind == 'subimages' else kind) as writer:
                for key, pair in pairs.items():
                    for name, picture in _sub_images(key, pair[index]) if kind == 'subimages' else [(key, pair[index])]:
                        writer.put(name, picture)
    return roots


def _sub_images(key: str, picture: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    windows = SUB_IMAGES.windows(*picture.shape[:2])
    return zip(crop_keys(key, len(windows)), (window.cut(picture) for window in windows))


def _basicsr(root: Path, phase: str = 'train') -> PairedImageDataset:
    return PairedImageDataset({'phase': phase, 'scale': 1, 'gt_size': CROP, 'use_hflip': True, 'use_rot': True,
                               'dataroot_lq': str(root / 'lq.lmdb'), 'dataroot_gt': str(root / 'gt.lmdb'),
                               'io_backend': {'type': 'lmdb'}})


def _ours(root: Path, phase: str = 'train') -> PairedLMDBDataset:
    return PairedLMDBDataset({'name': root.name, 'type': 'PairedLMDBDataset', 'phase': phase, 'gt_size': CROP, 'dtype': 'uint8',
                              'dataroot_lq': str(root / 'lq.lmdb'), 'dataroot_gt': str(root / 'gt.lmdb')})


def _compare_pixels(roots: dict[str, Path]) -> None:
    """Whole pictures of every encoding must equal BasicSR's bit by bit."""
    stock = _basicsr(roots['png'], 'val')
    expected = [stock[index] for index in range(len(stock))]
    del stock  # closes its environments: a process may open each once
    for kind in OURS:
        dataset = _ours(roots[kind], 'val')
        for index, picture in enumerate(expected):
            found = dataset[index]
            for side in ('lq', 'gt'):
                if not torch.equal(to_unit_range(found[side]), picture[side]):
                    raise RuntimeError(f'{kind}: picture {index} differs from BasicSR')
        for side in ('lq', 'gt'):
            close_environment(roots[kind] / f'{side}.lmdb')


class _Endless(Sampler):
    """Numbers 0, 1, 2 ... modulo `count`, for ever."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        index = 0
        while True:
            yield index % self.count
            index += 1


class _Contender:
    """A loader that runs through all rounds; between its turns its workers wait with full queues."""

    def __init__(self, dataset: Dataset, count: int) -> None:
        loader = DataLoader(dataset, BATCH, sampler=_Endless(count), num_workers=WORKERS, drop_last=True)
        self._batches: Iterator[dict[str, Any]] = iter(loader)

    def pairs_per_second(self, seconds: float) -> float:
        """Pairs a second over at least `seconds`, after the batches that were ready before."""
        for _ in range(BATCHES_BEFORE):
            self._next()
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            self._next()
            done += BATCH
        return done / (time.perf_counter() - started)

    def _next(self) -> None:
        batch = next(self._batches)
        for side in ('lq', 'gt'):
            pictures = batch[side] if batch[side].dtype == torch.float32 else to_unit_range(batch[side])
            if pictures.shape != (BATCH, 3, CROP, CROP):
                raise RuntimeError(f'batch of {tuple(pictures.shape)}')


def _loaders(roots: dict[str, Path], rounds: int, seconds: float) -> dict[str, Figure]:
    contenders = {'basicsr': _basicsr(roots['png']), 'subimages': _basicsr(roots['subimages']),
                  **{kind: _ours(roots[kind]) for kind in OURS}}
    loaders = {kind: _Contender(dataset, 10 ** 9 if kind in OURS else len(dataset))
               for kind, dataset in contenders.items()}
    speeds: dict[str, list[float]] = {kind: [] for kind in loaders}
    for number in range(rounds):
        for kind, loader in loaders.items():
            say(f'round {number + 1} of {rounds}: {kind}')
            speeds[kind].append(loader.pairs_per_second(seconds))
    sizes = {kind: _bytes(roots['png' if kind == 'basicsr' else kind]) for kind in loaders}
    figures = {f'{kind}_pairs_per_s': figure(found, f'{sizes[kind] / 2 ** 20:.0f} MiB on disk')
               for kind, found in speeds.items()}
    for kind in OURS:
        for peer in ('basicsr', 'subimages'):
            figures[f'{kind}_vs_{peer}'] = figure([own / other for own, other in zip(speeds[kind], speeds[peer])])
    return figures


def _bytes(root: Path) -> int:
    return sum(file.stat().st_size for file in root.rglob(DATA_FILE))


def _cold(roots: dict[str, Path], rounds: int) -> dict[str, Figure]:
    """Each pair read once in this process after its set was dropped from the page cache: ratios to BasicSR."""
    ratios: dict[str, list[float]] = {kind: [] for kind in OURS}
    for number in range(rounds):
        say(f'cold page cache: round {number + 1} of {rounds}')
        peer = _cold_seconds(_basicsr(roots['png']), roots['png'])
        for kind in ratios:
            ratios[kind].append(peer / _cold_seconds(_ours(roots[kind]), roots[kind]))
    return {f'{kind}_vs_basicsr_cold': figure(found, 'one process, each pair once') for kind, found in ratios.items()}


def _cold_seconds(dataset: Dataset, root: Path) -> float:
    for side in ('lq', 'gt'):
        close_environment(root / f'{side}.lmdb')
        with open(root / f'{side}.lmdb' / DATA_FILE, 'rb') as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    started = time.perf_counter()
    for index in range(len(dataset)):
        sample = dataset[index]
        if sample['gt'].dtype != torch.float32:
            to_unit_range(sample['lq']), to_unit_range(sample['gt'])
    return time.perf_counter() - started
