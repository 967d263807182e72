"""Joining the shares that several processes packed with --shard."""

import dataclasses
import re
from pathlib import Path

from glowdeblur_plugin.data.lmdb_store import MANIFEST_FILE, Manifest, read_sizes
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.copy_records import copy_records, records_fingerprint, require_manifest
from glowdeblur_plugin.data.packers.engine import Packed
from glowdeblur_plugin.data.packers.published import is_there, manifest_differences
from glowdeblur_plugin.data.packers.trees import folder_names
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError

SHARD_NAME = re.compile(r'(?P<set>[^.].*)\.shard-(?P<number>\d+)-of-(?P<of>\d+)\.lmdb')


def merge_shards(out: Path, progress: Progress = silent) -> list[Packed]:
    """Join all complete sets of shards in `out`, record by record; the result is what packing without --shard gives.

    All shards are checked before anything is written; they stay where they are.

    Raises:
        UserError: no shard, one that is missing, shards of different sources or options, or what is there cannot be written.
    """
    groups: dict[str, dict[int, Path]] = {}
    totals: dict[str, set[int]] = {}
    for name in folder_names(out, 'out'):
        match = SHARD_NAME.fullmatch(name)
        if match:
            groups.setdefault(match['set'], {})[int(match['number'])] = out / name
            totals.setdefault(match['set'], set()).add(int(match['of']))
    if not groups:
        raise UserError(f'{out}: holds no <split>_<side>.shard-i-of-n.lmdb; they are packed with --shard i/n')
    merged = {name: _merged_manifest(out / name, shards, totals[name]) for name, shards in groups.items()}
    return [_merge(out / f'{name}.lmdb', list(groups[name].values()), manifest, progress) for name, manifest in merged.items()]


def _merged_manifest(name: Path, shards: dict[int, Path], totals: set[int]) -> Manifest:
    if len(totals) > 1:
        raise UserError(f'{name}: there are shards of {" and of ".join(map(str, sorted(totals)))}; keep those of one packing')
    missing = sorted(set(range(1, max(totals) + 1)) - shards.keys())
    if missing:
        raise UserError(f'{name}: {len(missing)} of {max(totals)} shards are not complete yet: {", ".join(map(str, missing))}')
    manifests = {path: _without_shard(require_manifest(path)) for path in shards.values()}
    first, *others = manifests
    for other in others:
        differences = manifest_differences(manifests[other], manifests[first])
        if differences:
            raise UserError(f'{other} and {first} do not belong together: in the first, {differences}')
    return dataclasses.replace(manifests[first], count=sum(manifest.count for manifest in manifests.values()))


def _without_shard(manifest: Manifest) -> Manifest:
    return dataclasses.replace(manifest, details={name: value for name, value in manifest.details.items() if name != 'shard'})


def _merge(target: Path, shards: list[Path], manifest: Manifest, progress: Progress) -> Packed:
    if is_there(target, manifest, (shard / MANIFEST_FILE for shard in shards)):
        return Packed(target, False)
    with LmdbWriter(target, manifest.set, manifest.set_version, encoding=manifest.encoding,
                    fingerprint=records_fingerprint(shards), details=manifest.details) as writer:
        for shard in shards:
            copy_records(shard, read_sizes(shard), writer, progress)
    return Packed(target, True)
