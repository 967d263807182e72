"""What all tests share: BasicSR importable, our classes registered, small sets of pictures and a server of real runs."""

import os
import signal
import warnings
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

import cv2
import numpy as np
import pytest
from skimage import data
from toy_run import Options, Runs

from glowdeblur_plugin.register import register

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets what it starts in the background ignore interrupts, and so would the runs that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

with warnings.catch_warnings():
    warnings.simplefilter('ignore', DeprecationWarning)
    register()


SERVER = pytest.StashKey[Runs]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the server of runs import what it needs beside the first tests, where one of those chosen asks for it."""
    if not session.config.option.collectonly and any('runs' in getattr(item, 'fixturenames', ()) for item in session.items):
        session.config.stash[SERVER] = Runs()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the server, also after an interrupt."""
    if SERVER in config.stash:
        config.stash[SERVER].close()


@pytest.fixture(scope='session')
def runs(request: pytest.FixtureRequest) -> Runs:
    """A server of real runs, see toy_run.py."""
    return request.config.stash[SERVER]


@pytest.fixture(scope='session')
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `lq` and `gt`, each with ten pictures of 48x40 pixels cut out of a photograph; `lq` is blurred."""
    folder = tmp_path_factory.mktemp('pairs')
    photograph = data.astronaut()[..., ::-1]
    for side in ('lq', 'gt'):
        (folder / side).mkdir()
    for index in range(10):
        picture = photograph[40 * index:40 * index + 40, 200:248]
        cv2.imwrite(str(folder / 'gt' / f'{index}.png'), picture)
        cv2.imwrite(str(folder / 'lq' / f'{index}.png'), cv2.blur(picture, (5, 5)))
    return folder


@pytest.fixture(scope='session')
def photographs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with nine sharp pictures of 128x128 pixels."""
    folder = tmp_path_factory.mktemp('sharp')
    for index in range(9):
        row, column = divmod(index, 3)
        picture = np.ascontiguousarray(data.astronaut()[128 * row:128 * row + 128, 128 * column:128 * column + 128, ::-1])
        cv2.imwrite(str(folder / f'{index}.png'), picture)
    return folder


@pytest.fixture
def restoration_options(pairs: Path) -> Options:
    """A whole option file that trains a network of 1,687 weights on `pairs`: 12 iterations of 4 crops, 2 in an epoch."""
    roots = {'type': 'PairedLMDBDataset', 'dataroot_lq': str(pairs / 'lq'), 'dataroot_gt': str(pairs / 'gt')}
    return {
        'name': 'toy', 'model_type': 'RestorationModel', 'num_gpu': 0, 'manual_seed': 3,
        'datasets': {
            'train': {'name': 'pairs', **roots, 'gt_size': 16, 'batch_size_per_gpu': 4, 'num_worker_per_gpu': 0},
            'val': {'name': 'whole', **roots},
        },
        'network_g': {'type': 'NAFNet', 'width': 4, 'enc_blk_nums': [1], 'middle_blk_num': 1, 'dec_blk_nums': [1]},
        'path': {'resume_state': None},
        'train': {
            'total_iter': 12, 'accumulate': 2, 'ema_decay': 0.9, 'grad_clip': 1.0, 'keep_checkpoints': None,
            'optim_g': {'type': 'AdamW', 'lr': 1e-3, 'weight_decay': 1e-4},
            'scheduler': {'type': 'CosineWithWarmup', 'warmup_share': 0.2},
        },
        'val': {'val_freq': 6, 'save_img': False, 'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}},
        'logger': {'print_freq': 1, 'save_checkpoint_freq': 4, 'use_tb_logger': False},
    }


@pytest.fixture
def mixture_options(restoration_options: Options, photographs_folder: Path) -> Options:
    """`restoration_options` on a mixture of the pairs and of blurred photographs, 19 pictures and 4 batches in an epoch: the
    pairs' share falls from 1 to 1/4 between iterations 3 and 9."""
    train = restoration_options['datasets']['train']
    pairs = {key: train.pop(key) for key in ('dataroot_lq', 'dataroot_gt')}
    made = {'type': 'SimulatedBlurDataset', 'dataroot_gt': str(photographs_folder), 'domain': 'gopro', 'blur_length': [2, 8]}
    train |= {
        'name': 'mixture', 'type': 'BPPMixtureDataset',
        'parts': {'real': {'type': 'PairedLMDBDataset', **pairs}, 'made': made},
        'schedule': [{'at': 0.25, 'weights': {'real': 1, 'made': 0}}, {'at': 0.75, 'weights': {'real': 1, 'made': 3}}],
    }
    return restoration_options
