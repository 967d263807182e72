"""Side data that models make of a packed set, record by record: resumable, published when complete."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from glowdeblur_plugin.data.encodings import EncodedPicture
from glowdeblur_plugin.data.lmdb_store import DATA_FILE, Manifest
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.copy_records import records_fingerprint
from glowdeblur_plugin.data.packers.published import is_there
from glowdeblur_plugin.data.packers.settings import Shard
from glowdeblur_plugin.data.progress import Progress

Make = Callable[[Sequence[str]], Sequence[EncodedPicture]]


def write_side_set(out: Path, manifest: Manifest, source: Path, keys: Sequence[str], batch: int,
                   make: Make, shard: Shard | None, progress: Progress) -> tuple[Path, bool]:
    """Write the packed set `out` with a record for each key of `source`, or `<name>.shard-i-of-n.lmdb` with a share of them,
    which `merge_shards` joins.

    An interrupted run goes on where it was when it is started again with the same manifest, see `write_batches`. With another
    `batch`, too, all that is written stays.

    Args:
        manifest: of `out`; its count is not read.
        source: the packed set that the records are made of.
        batch: keys that `make` gets at once.
        make: the records of some keys, in their order.
        shard: the share that this process makes; None for all.

    Returns:
        What was written, and whether now; false where it is there already.

    Raises:
        UserError: another set is there or one older than `source`; what `make` raises; `out` cannot be written.
    """
    if shard is not None:
        out, keys = out.with_name(f'{out.stem}.shard-{shard}.lmdb'), keys[shard.number - 1::shard.of]
        manifest = dataclasses.replace(manifest, details={**manifest.details, 'shard': str(shard)})
    if is_there(out, manifest, [source / DATA_FILE]):
        return out, False
    with LmdbWriter(out, manifest.set, manifest.set_version, encoding=manifest.encoding, details=manifest.details,
                    fingerprint=records_fingerprint([source])) as writer:
        write_batches(writer, keys, batch, make, progress)
    return out, True


def write_batches(writer: LmdbWriter, keys: Sequence[str], batch: int, make: Make, progress: Progress) -> None:
    """Put the records of `keys` that `writer` does not have into it, made in batches.

    A batch that was written in part is made again as a whole, because a model's rounding may depend on what else is in it: with
    the same `batch` the result is that of an undisturbed run. Progress is that of what was left to do, so that the remaining
    time is right.
    """
    task = f'{writer.path.name}: written'
    groups = [keys[start:start + batch] for start in range(0, len(keys), batch)]
    waiting = [group for group in groups if not writer.written.issuperset(group)]
    done, total = 0, sum(map(len, waiting))
    progress(task, done, total)
    for group in waiting:
        for key, record in zip(group, make(group), strict=True):
            if key not in writer.written:
                writer.put_encoded(key, record)
        done += len(group)
        progress(task, done, total)
