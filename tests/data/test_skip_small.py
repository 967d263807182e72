"""Pictures too small for a crop can be left out instead of refusing the set."""

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.picture_source import PictureSource
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset
from glowdeblur_plugin.errors import UserError

SIDES = {'large': 96, 'middle': 64, 'small': 40}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, (name, side) in enumerate(SIDES.items()):
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.full((side, side + 8, 3), 40 * (index + 1), np.uint8))
    return tmp_path


def _section(folder: Path, **changes: Any) -> dict[str, Any]:
    return {'name': 'pairs', 'type': 'PairedLMDBDataset', 'phase': 'train', 'dataroot_lq': str(folder),
            'dataroot_gt': str(folder), **changes}


def test_small_pictures_are_left_out(folder: Path) -> None:
    dataset = PairedLMDBDataset(_section(folder, gt_size=48, skip_small=True))
    assert len(dataset) == 2
    assert {Path(dataset[draw]['gt_path']).stem for draw in range(4)} == {'large', 'middle'}


def test_the_margin_of_simulated_blur_counts(folder: Path) -> None:
    section = {'name': 'sharp', 'type': 'SimulatedBlurDataset', 'phase': 'train', 'dataroot_gt': str(folder), 'domain': 'gopro',
               'blur_length': [2, 10], 'gt_size': 48, 'skip_small': True}
    dataset = SimulatedBlurDataset(section)
    assert len(dataset) == 1 and Path(dataset[0]['gt_path']).stem == 'large'


def test_without_it_or_with_nothing_left_the_set_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match='small.png is too small: found 48x40, needed 48x48 .* skip_small: true'):
        PairedLMDBDataset(_section(folder, gt_size=48))
    with pytest.raises(UserError, match='is too small: .* needed 128x128'):
        PairedLMDBDataset(_section(folder, gt_size=128, skip_small=True))


def test_validation_never_leaves_a_picture_out(folder: Path) -> None:
    assert len(PairedLMDBDataset(_section(folder, phase='val', skip_small=True))) == 3


class ManySizes(PictureSource):
    """Pictures of which only the sizes are asked for."""

    def describe(self, key: str) -> str:
        return key

    def _decode(self, key: str) -> np.ndarray:
        raise NotImplementedError


def test_leaving_out_takes_time_in_proportion_to_the_set(folder: Path) -> None:
    """Twenty thousand pictures, half of them small, take about 5 ms; with a search through the small ones for each, seconds."""
    dataset = PairedLMDBDataset(_section(folder, gt_size=32, skip_small=True))
    source = ManySizes(folder, {f'{number:05d}': (16, 16) if number % 2 else (64, 64) for number in range(20_000)})
    began = time.perf_counter()
    assert dataset.usable_keys(source) == [f'{number:05d}' for number in range(0, 20_000, 2)]
    assert time.perf_counter() - began < 0.5
