"""Pairs of two simulated domains from the sample photographs: a stand-in for real-captured sets in the fine-tuning quickstart."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.photographs import is_packed
from glowdeblur_plugin.data.photographs import TRAIN, VALIDATION, training_photographs, validation_photographs
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.randomness import draw_generator
from glowdeblur_plugin.data.simulate.domains import DOMAINS
from glowdeblur_plugin.data.simulate.pipeline import simulate
from glowdeblur_plugin.data.simulate.plan import margin
from glowdeblur_plugin.data.window import Window

SET, VERSION = 'photograph_pairs', 3
SCENE = '^[a-z]+'  # the motorcycle has two views
STAND_IN_DOMAINS = ('realblur', 'rsblur')
SPLITS: dict[str, tuple[int, int, Callable[[], dict[str, np.ndarray]]]] = {
    'train': (len(TRAIN), 4, training_photographs),
    'val': (len(VALIDATION), 1, validation_photographs),
}


def pack_photograph_pairs(out: Path, progress: Progress = silent) -> bool:
    """Pack `out`/pairs_<domain>_<split>_{lq,gt}.lmdb for the domains `realblur` and `rsblur` and the splits train and val.

    Each photograph less the margin that its blur needs, with four blurs in training and one in validation; always the same pairs.

    Returns:
        True when something was packed.
    """
    packed = [_pack(out, domain, split, progress) for domain in STAND_IN_DOMAINS for split in SPLITS]
    return any(packed)


def _pack(out: Path, domain: str, split: str, progress: Progress) -> bool:
    photographs, blurs, read = SPLITS[split]
    lq_path, gt_path = (out / f'pairs_{domain}_{split}_{side}.lmdb' for side in ('lq', 'gt'))
    if all(is_packed(path, SET, VERSION, photographs * blurs) for path in (lq_path, gt_path)):
        return False
    edge = margin(DOMAINS[domain])
    task, done = f'pairs_{domain}_{split}: packed', 0
    progress(task, done, photographs * blurs)
    lq_writer, gt_writer = (LmdbWriter(path, SET, VERSION, details={'scene': SCENE}) for path in (lq_path, gt_path))
    with lq_writer as lq, gt_writer as gt:
        for name, picture in read().items():
            window = Window(edge, edge, picture.shape[0] - 2 * edge, picture.shape[1] - 2 * edge)
            for blur in range(blurs):
                rng = draw_generator(blur, 0, f'{domain} {split} {name}')
                sample = simulate(picture, window, DOMAINS[domain], rng)
                lq.put(f'{name}_{blur}', sample.lq)
                gt.put(f'{name}_{blur}', sample.gt)
                done += 1
                progress(task, done, photographs * blurs)
    return True
