"""Disjoint sharp and blurry halves of a paired set, for training without pairs."""

import dataclasses
import re
from pathlib import Path

import numpy as np

from glowdeblur_plugin.data.lmdb_store import MANIFEST_FILE, Manifest, read_sizes
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.copy_records import copy_records, records_fingerprint, require_manifest
from glowdeblur_plugin.data.packers.engine import Packed
from glowdeblur_plugin.data.packers.published import is_there
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically

SUB_IMAGE = re.compile(r'_s\d{3,}$')
LAST_PART = re.compile(r'_[^_]+$')


def split_keys(keys: list[str], sharp_share: float, seed: int) -> tuple[list[str], list[str]]:
    """Disjoint halves of `keys`, together all of them: those of the sharp and those of the blurry half, sorted.

    Scenes are kept whole, so that no half sees what the other one shows: a scene is what a key has before its last '_', the
    number of a sub-image (`_s001`) put aside. Shuffled scenes go to the sharp half where they bring its share closer to
    `sharp_share`. Where all keys make one scene, pictures take the place of scenes.
    """
    pictures = {key: SUB_IMAGE.sub('', key) for key in keys}
    scenes = {key: LAST_PART.sub('', picture) for key, picture in pictures.items()}
    groups: dict[str, list[str]] = {}
    for key in sorted(keys):
        groups.setdefault((scenes if len(set(scenes.values())) > 1 else pictures)[key], []).append(key)
    wanted, sharp, blurry = sharp_share * len(keys), [], []
    for name in np.random.default_rng(seed).permutation(sorted(groups)):
        closer = abs(len(sharp) + len(groups[name]) - wanted) < abs(len(sharp) - wanted)
        (sharp if closer else blurry).extend(groups[name])
    return sorted(sharp), sorted(blurry)


def split_unpaired(source: Path, out: Path, split: str = 'train', sharp_share: float = 0.6, seed: int = 0,
                   progress: Progress = silent) -> list[Packed]:
    """Write `out`/<split>_sharp_gt.lmdb and `out`/<split>_blurry_lq.lmdb from `source`/<split>_{gt,lq}.lmdb.

    The protocol of BD-Diff (arXiv 2502.01522, section 4.1), which takes 1261 sharp and 842 blurry pictures of GoPro, 14400 and
    9600 of REDS: three fifths are sharp. Which pictures these are is not published; ours are drawn by `split_keys`. Records are
    copied as they are. The keys are stored beside the sets, one a line: `<split>_sharp.txt` and `<split>_blurry.txt`.

    Raises:
        UserError: a side is missing or their keys differ; a half would be empty; another set is there; it cannot be written.
    """
    if not 0 < sharp_share < 1:
        raise UserError(f'--sharp-share: expected a number between 0 and 1, found {sharp_share}')
    sides = {'gt': source / f'{split}_gt.lmdb', 'lq': source / f'{split}_lq.lmdb'}
    manifests = {side: require_manifest(path) for side, path in sides.items()}
    keys = list(read_sizes(sides['gt']))
    if set(keys) != set(read_sizes(sides['lq'])):
        raise UserError(f'{sides["gt"]} and {sides["lq"]} do not have the same keys; pack both sides again')
    halves = dict(zip(('sharp', 'blurry'), split_keys(keys, sharp_share, seed), strict=True))
    if not all(halves.values()):
        raise UserError(f'{sides["gt"]}: {len(keys)} pictures cannot be halved with --sharp-share {sharp_share}, '
                        'one half is empty')
    packed = []
    for half, side in (('sharp', 'gt'), ('blurry', 'lq')):
        details = {**manifests[side].details, 'half': half, 'sharp_share': sharp_share, 'seed': seed}
        manifest = dataclasses.replace(manifests[side], count=len(halves[half]), details=details)
        packed.append(_write(sides[side], out / f'{split}_{half}_{side}.lmdb', halves[half], manifest, progress))
        write_atomically(out / f'{split}_{half}.txt', ''.join(f'{key}\n' for key in halves[half]))
    return packed


def _write(source: Path, target: Path, keys: list[str], manifest: Manifest, progress: Progress) -> Packed:
    if is_there(target, manifest, [source / MANIFEST_FILE]):
        return Packed(target, False)
    progress(f'{target.name}: copied', 0, len(keys))
    with LmdbWriter(target, manifest.set, manifest.set_version, encoding=manifest.encoding,
                    fingerprint=records_fingerprint([source]), details=manifest.details) as writer:
        copy_records(source, keys, writer)
    progress(f'{target.name}: copied', len(keys), len(keys))
    return Packed(target, True)
