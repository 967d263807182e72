"""Disjoint sharp and blurry halves of a paired set, for training without pairs."""

import dataclasses
import re
from pathlib import Path

import numpy as np

from glowdeblur_plugin.data.lmdb_store import MANIFEST_FILE, Manifest, read_sizes
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.copy_records import copy_records, records_fingerprint, require_manifest
from glowdeblur_plugin.data.packers.engine import Packed
from glowdeblur_plugin.data.packers.plan import BEFORE_LAST_PART, checked_split
from glowdeblur_plugin.data.packers.published import is_there
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically

SUB_IMAGE = re.compile(r'_s\d{3,}$')
BLUR_NUMBER = re.compile(r'_\d+$')


def scenes_of(keys: list[str], scene: str, blurs: bool = False) -> dict[str, str]:
    """Key -> its scene: what the regular expression finds in it, the number of a sub-image (`_s001`) put aside, and before that
    the number of a simulated blur: so all that is made of one picture has one scene.

    Args:
        blurs: keys end in the number of a simulated blur, see `pack_simulated`.

    Raises:
        UserError: it is no regular expression, or finds nothing in a key.
    """
    try:
        rule = re.compile(scene)
    except re.error as error:
        raise UserError(f'--scene: {scene!r} is no regular expression ({error})') from None
    found = {key: rule.search(SUB_IMAGE.sub('', BLUR_NUMBER.sub('', key) if blurs else key)) for key in keys}
    lost = next((key for key, match in found.items() if match is None), None)
    if lost is not None:
        raise UserError(f"--scene: {scene!r} finds no scene in the key '{lost}'; give a regular expression for the part of a key "
                        'that is equal in pictures of one scene')
    return {key: match[0] for key, match in found.items()}


def split_keys(scenes: dict[str, str], sharp_share: float, seed: int) -> tuple[list[str], list[str]]:
    """Disjoint halves of the keys of `scenes`, together all of them: those of the sharp and of the blurry half, sorted.

    Scenes are kept whole, so that no half sees what the other one shows. Shuffled scenes go to the sharp half where they bring
    its share closer to `sharp_share`.
    """
    groups: dict[str, list[str]] = {}
    for key in sorted(scenes):
        groups.setdefault(scenes[key], []).append(key)
    wanted, sharp, blurry = sharp_share * len(scenes), [], []
    for name in np.random.default_rng(seed).permutation(sorted(groups)):
        closer = abs(len(sharp) + len(groups[name]) - wanted) < abs(len(sharp) - wanted)
        (sharp if closer else blurry).extend(groups[name])
    return sorted(sharp), sorted(blurry)


def split_unpaired(source: Path, out: Path, split: str = 'train', sharp_share: float = 0.6, seed: int = 0,
                   scene: str | None = None, progress: Progress = silent) -> list[Packed]:
    """Write `out`/<split>_sharp_gt.lmdb and `out`/<split>_blurry_lq.lmdb from `source`/<split>_{gt,lq}.lmdb.

    The protocol of BD-Diff (arXiv 2502.01522, section 4.1), which takes 1261 sharp and 842 blurry pictures of GoPro, 14400 and
    9600 of REDS: three fifths are sharp. Which pictures these are is not published; ours are drawn by `split_keys`. Records are
    copied as they are. The keys are stored beside the sets, one a line: `<split>_sharp.txt` and `<split>_blurry.txt`.

    Args:
        scene: see `scenes_of`; by default that of the set's packer, `PublicSet.scene`.

    Raises:
        UserError: a side is missing or their keys differ; nobody says what a scene is; a half would be empty; another set is
            there; it cannot be written.
    """
    if seed < 0:
        raise UserError(f'--seed: expected at least 0, found {seed}')
    if not 0 < sharp_share < 1:
        raise UserError(f'--sharp-share: expected a number between 0 and 1, found {sharp_share}')
    checked_split(split)
    sides = {'gt': source / f'{split}_gt.lmdb', 'lq': source / f'{split}_lq.lmdb'}
    manifests = {side: require_manifest(path) for side, path in sides.items()}
    keys = list(read_sizes(sides['gt']))
    if set(keys) != set(read_sizes(sides['lq'])):
        raise UserError(f'{sides["gt"]} and {sides["lq"]} do not have the same keys; pack both sides again')
    scene = manifests['gt'].details.get('scene') if scene is None else scene
    if scene is None:
        raise UserError(f"{sides['gt']}: does not say which pictures show one scene, which must not be in both halves; give --scene, "
                        "a regular expression for the part of a key that is equal in them: '.+' where each is its own scene, "
                        f"'{BEFORE_LAST_PART}' for what stands before the last underscore")
    scenes = scenes_of(keys, scene, 'blurs' in manifests['gt'].details)
    halves = dict(zip(('sharp', 'blurry'), split_keys(scenes, sharp_share, seed), strict=True))
    if not all(halves.values()):
        raise UserError(f'{sides["gt"]}: {len(set(scenes.values()))} scenes of {len(keys)} pictures cannot be halved with '
                        f'--sharp-share {sharp_share}, one half is empty')
    packed = []
    for half, side in (('sharp', 'gt'), ('blurry', 'lq')):
        details = {**manifests[side].details, 'half': half, 'sharp_share': sharp_share, 'seed': seed, 'scene': scene}
        manifest = dataclasses.replace(manifests[side], count=len(halves[half]), details=details)
        packed.append(_write(sides[side], out / f'{split}_{half}_{side}.lmdb', halves[half], manifest, progress))
        write_atomically(out / f'{split}_{half}.txt', ''.join(f'{key}\n' for key in halves[half]))
    return packed


def _write(source: Path, target: Path, keys: list[str], manifest: Manifest, progress: Progress) -> Packed:
    if is_there(target, manifest, [source / MANIFEST_FILE]):
        return Packed(target, False)
    with LmdbWriter(target, manifest.set, manifest.set_version, encoding=manifest.encoding,
                    fingerprint=records_fingerprint([source]), details=manifest.details) as writer:
        copy_records(source, keys, writer, progress)
    return Packed(target, True)
