"""Learned and statistical measures of picture quality, by the optional package pyiqa."""

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from glowdeblur_plugin.metrics.measure import MetricUnavailable, PictureFailed
from glowdeblur_plugin.metrics.weights import require_weights

FEWEST_FOR_FID = 2048
FAILED = (RuntimeError, ValueError, AssertionError, IndexError)


class Quality:
    """One metric of pyiqa with its defaults.

    Args:
        name: of the metric, see `load_quality`.
        download: let it fetch weights that are missing.

    Raises:
        MetricUnavailable: pyiqa, a package it needs or its weights are missing.
    """

    def __init__(self, name: str, device: torch.device, download: bool) -> None:
        self._name, self._device = name, device
        self._metric = load_quality(name, device, download)

    def __call__(self, restored: np.ndarray, sharp: np.ndarray | None = None) -> float:
        """The score of pictures, float64 RGB (H, W, 3) in [0, 1].

        Raises:
            PictureFailed: the metric cannot take this picture, which may be too small.
        """
        pictures = [torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32))[None].to(self._device)
                    for picture in (restored, sharp) if picture is not None]
        try:
            with _quiet(), torch.no_grad():
                return float(self._metric(*pictures))
        except FAILED as error:
            raise PictureFailed(f'{self._name}: pyiqa cannot score this picture: {_line(error)}') from error


class FrechetDistance:
    """FID (Heusel et al., NeurIPS 2017) in the cleaned form (Parmar et al., CVPR 2022) between restored and sharp pictures.

    Args:
        metric: pyiqa's `fid`, see `load_quality`.
    """

    def __init__(self, metric: Any) -> None:
        self._metric = metric

    def __call__(self, restored: Sequence[Path], sharp: Sequence[Path]) -> float:
        """The distance of two sets of picture files.

        Raises:
            MetricUnavailable: below 2048 pictures, where the covariance of 2048 features has no full rank, or pyiqa fails.
        """
        fewest = min(len(restored), len(sharp))
        if fewest < FEWEST_FOR_FID:
            raise MetricUnavailable(f'fid: needs at least {FEWEST_FOR_FID} pictures, the set has {fewest}')
        with tempfile.TemporaryDirectory() as folder, _quiet():
            folders = [Path(folder, name) for name in ('restored', 'sharp')]
            for place, files in zip(folders, (restored, sharp)):
                place.mkdir()
                for number, file in enumerate(files):
                    (place / f'{number:06d}{file.suffix}').symlink_to(file.absolute())
            try:
                return float(self._metric(*map(str, folders), num_workers=0, verbose=False))
            except FAILED as error:
                raise MetricUnavailable(f'fid: pyiqa cannot score this set: {_line(error)}') from error


def load_quality(name: str, device: torch.device, download: bool) -> Any:
    """pyiqa's metric `name`, whose weights are looked for before it is made; its `niqe` is called `niqe-pyiqa`.

    Raises:
        MetricUnavailable: pyiqa, a package it needs or its weights are missing.
    """
    pyiqa = require_pyiqa(name)
    if not download:
        require_weights(name)
    try:
        with _quiet():
            return pyiqa.create_metric(name.removesuffix('-pyiqa'), device=device)
    except Exception as error:  # each metric reads its files with another library, and none says how it fails
        require_weights(name)
        raise MetricUnavailable(f'{name}: pyiqa cannot make it here: {_line(error)}') from error


def require_pyiqa(name: str) -> ModuleType:
    """The package pyiqa.

    Raises:
        MetricUnavailable: it is not installed; starts with `name` and names the extra.
    """
    try:
        with _quiet():
            import pyiqa
    except ImportError as error:
        raise MetricUnavailable(f'{name}: needs pyiqa ({error}); pip install "glowdeblur_plugin[iqa]", which brings '
                                'opencv-python-headless beside opencv-python and is under the PolyForm Noncommercial '
                                'License') from error
    return pyiqa


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what pyiqa prints and warns off the screen."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


def _line(error: Exception) -> str:
    return f'{type(error).__name__}: {" ".join(str(error).split())}'
