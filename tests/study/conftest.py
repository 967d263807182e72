"""A study of two domains of straight blur, at toy size."""

from pathlib import Path
from typing import Any

import pytest

NETWORK = {'type': 'PreReconstruction', 'width': 4, 'encoder_blocks': [1], 'middle_blocks': 0, 'decoder_blocks': [1],
           'patch': 2}


@pytest.fixture
def section(photographs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Its option file; the working folder is an empty one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'sharp').symlink_to(photographs_folder)
    both = {'data': ['short', 'long'], 'share': 0.5}
    return {
        'name': 'toy', 'seeds': [0, 1], 'num_gpu': 0, 'sharp_train': 'sharp', 'sharp_test': str(photographs_folder),
        'simulator': {'domain': 'gentle', 'noise': [0, 0]},
        'samples': {'gt_size': 16, 'batch_size_per_gpu': 1, 'num_worker_per_gpu': 0, 'dataset_enlarge_ratio': 4},
        'domains': {'short': {'train': {'kinds': {'linear': 1}, 'blur_length': [2, 4]}},
                    'long': {'train': {'kinds': {'linear': 1}, 'blur_length': [6, 8]}}},
        'pretraining': {'diverse': {'train': [{'kinds': {'shake': 1}, 'blur_length': [2, 8]},
                                              {'kinds': {'linear': 1}, 'blur_length': [4, 6], 'weight': 3}]}},
        'rows': {'short_only': [{'data': ['short']}], 'long_only': [{'data': ['long']}],
                 'mixture': [{'data': ['short', 'long']}],
                 'bpp': [{'data': ['diverse'], 'share': 0.5}, both],
                 'bpp_short': [{'data': ['diverse'], 'share': 0.5}, {'data': ['short'], 'share': 0.5}]},
        'bpp': ['bpp', 'mixture'], 'network_g': NETWORK,
        'train': {'total_iter': 3, 'ema_decay': 0.5, 'optim_g': {'type': 'AdamW', 'lr': 1e-3}},
        'logger': {'print_freq': 1, 'save_checkpoint_freq': 1, 'use_tb_logger': False},
    }
