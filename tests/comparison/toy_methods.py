"""Pictures, results and networks whose figures are known in closed form."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from glowdeblur_plugin.comparison.options import read_comparison
from glowdeblur_plugin.comparison.runner import compare
from glowdeblur_plugin.comparison.summary import Cell, Summary

HEIGHT, WIDTH = 24, 32


def psnr(offset: float) -> float:
    """PSNR in dB of a picture that is off by `offset` levels everywhere."""
    return 20 * math.log10(255 / offset)


def write_pictures(folder: Path, count: int, offset: Callable[[int], int]) -> Path:
    """The toy's sharp pictures '0', '1', ... with a number of levels added that depends on the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        sharp = np.random.default_rng(index).integers(60, 160, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{index}.png'), sharp + np.uint8(offset(index)))
    return folder


def toy_set(folder: Path, count: int, **keys: Any) -> dict[str, Any]:
    """A section of `sets`: pairs whose blurry side is 10 levels too bright."""
    roots = {f'dataroot_{side}': str(write_pictures(folder / side, count, lambda _, level=level: level))
             for side, level in (('lq', 10), ('gt', 0))}
    return {'type': 'PairedLMDBDataset', **roots, 'metrics': ['psnr'], **keys}


class Brightener:
    """Stands for a Restorer: takes as many levels off the blurry picture as its weights say, and counts.

    Attributes:
        restored: how many pictures all of them have restored.
        stop_after: raise KeyboardInterrupt when so many are restored.
    """

    name, device = 'Brightener', torch.device('cpu')
    restored, stop_after = 0, math.inf

    def __init__(self, weights: Path, option: Path | None = None, *, steps: int | None = None, **settings: Any) -> None:
        levels, self.kind = weights.read_text().split()
        self.levels, self.samples = float(levels), self.kind == 'sampler'

    def restore(self, picture: np.ndarray, seed: int = 0) -> np.ndarray:
        """Less the levels; of a sampler less one or two levels more, as its seed says."""
        if Brightener.restored >= Brightener.stop_after:
            raise KeyboardInterrupt
        Brightener.restored += 1
        return picture - np.float32((self.levels + (seed % 2 + 1 if self.samples else 0)) / 255)

    def through_codec(self, picture: np.ndarray) -> np.ndarray | None:
        """Three levels too bright; none but a sampler has a codec."""
        return picture + np.float32(3 / 255) if self.samples else None


def run(folder: Path, **options: Any) -> Summary:
    """Compare with the toy's networks, into `folder`."""
    return compare(read_comparison({'name': 'toy', 'out': str(folder / 'out'), 'device': 'cpu', **options}), Brightener)


def cell(summary: Summary, method: str, metric: str = 'psnr', name: str = 'toy') -> Cell:
    """One cell of a summary."""
    found, = (entry for entry in summary.cells if (entry.set, entry.method, entry.metric) == (name, method, metric))
    return found
