"""Which metrics work on this machine, found out by using each on a small picture."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.catalogue import METRICS, open_metric, protocols_of

SIDE, CELL = 224, 32


class Availability(NamedTuple):
    """Whether `name`, a thing of the kind `kind`, `works` here; else the `reason` why not."""

    kind: str
    name: str
    works: bool
    reason: str


def availability(device: torch.device) -> list[Availability]:
    """Every metric under every protocol it exists under, tried on a made picture of 224x224 pixels; nothing is fetched."""
    return list(_tried(device))


def _tried(device: torch.device) -> Iterator[Availability]:
    sharp, restored = trial_pictures()
    for name, info in METRICS.items():
        settings: dict[str, Any] = {'motion': _no_motion} if 'blurry' in info.needs else {}
        for protocol in protocols_of(name) if name in ('psnr', 'ssim-2d', 'ssim-3d') else ('rgb-u8', ):
            label = name if protocol == 'rgb-u8' else f'{name} ({protocol})'
            try:
                metric = open_metric(name, protocol, device=device, **settings)
                if not info.per_set:
                    metric(restored, sharp, sharp)
            except UserError as error:
                yield Availability('metric', label, False, str(error))
            else:
                yield Availability('metric', label, True, '')


def trial_pictures() -> tuple[np.ndarray, np.ndarray]:
    """A made picture of 224x224 pixels and the same with noise, float32 RGB in [0, 1]."""
    generator = np.random.default_rng(0)
    texture = np.cumsum(np.cumsum(generator.normal(size=(SIDE, SIDE, 3)), axis=0), axis=1)
    texture = (texture - texture.min()) / np.ptp(texture)
    noisy = np.clip(texture + generator.normal(0, 0.02, texture.shape), 0, 1)
    return texture.astype(np.float32), noisy.astype(np.float32)


def _no_motion(blurry: np.ndarray) -> np.ndarray:
    return np.zeros((3, blurry.shape[0] // CELL, blurry.shape[1] // CELL), np.float32)
