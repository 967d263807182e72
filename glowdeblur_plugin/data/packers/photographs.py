"""The sample photographs as packed sets of sharp pictures: `train.lmdb` and `val.lmdb`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from glowdeblur_plugin.data.lmdb_store import read_manifest
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.photographs import TRAIN, VALIDATION, training_photographs, validation_photographs
from glowdeblur_plugin.data.progress import Progress, silent

SET, VERSION = 'photographs', 1


def pack_photographs(out: Path, progress: Progress = silent) -> bool:
    """Pack the photographs of the scikit-image wheel, split by scene, into `out`/train.lmdb and `out`/val.lmdb.

    Returns:
        True when something was packed, False when both were there.
    """
    packed = [_pack(out / 'train.lmdb', len(TRAIN), training_photographs, progress),
              _pack(out / 'val.lmdb', len(VALIDATION), validation_photographs, progress)]
    return any(packed)


def is_packed(path: Path, set_name: str, version: int, count: int) -> bool:
    """Whether `path` holds set `set_name` of this version with `count` pictures."""
    manifest = read_manifest(path)
    return manifest is not None and (manifest.set, manifest.set_version, manifest.count) == (set_name, version, count)


def _pack(path: Path, count: int, photographs: Callable[[], dict[str, np.ndarray]], progress: Progress) -> bool:
    if is_packed(path, SET, VERSION, count):
        return False
    with LmdbWriter(path, SET, VERSION) as writer:
        for done, (name, picture) in enumerate(photographs().items(), start=1):
            writer.put(name, picture)
            progress(f'{path.name}: packed', done, count)
    return True
