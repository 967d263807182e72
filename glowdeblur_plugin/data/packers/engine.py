"""Packing what the packers plan: checked first, encoded in worker processes, resumable, published when complete."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from glowdeblur_plugin.data.lmdb_store import Manifest
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.check import Headers, check_plan, converted_kinds, first_of
from glowdeblur_plugin.data.packers.crop import crop_keys
from glowdeblur_plugin.data.packers.encode_source import EncodeTask, encode_source
from glowdeblur_plugin.data.packers.plan import Entry, SplitPlan
from glowdeblur_plugin.data.packers.published import is_there
from glowdeblur_plugin.data.packers.settings import PackSettings
from glowdeblur_plugin.data.packers.sources import SourceStates, names_digest
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.workers import Workers
from glowdeblur_plugin.errors import UserError


@dataclass(frozen=True)
class Packed:
    """A packed set and whether it was packed now (or was there, of the same pictures and with the same options)."""

    path: Path
    now: bool


@dataclass(frozen=True)
class _Side:
    name: str
    path: Path
    manifest: Manifest


def pack_plans(plans: list[SplitPlan], out: Path, settings: PackSettings, progress: Progress = silent) -> list[Packed]:
    """Pack `out`/<split>_<side>.lmdb for every plan, or the share of it that `settings.shard` names.

    All plans are checked before anything is written. An interrupted run goes on where it was when it is started again with the
    same files and options. A complete set that is there already is left alone.

    Returns:
        All sets of the plans.

    Raises:
        UserError: a plan that does not pass its check; damaged pictures (what else was packed stays for the next run, and
            nothing is published); another set of that name is there; or what is there cannot be written.
    """
    with Workers(settings.processes) as workers:
        checked = [(plan, check_plan(plan, workers, progress)) for plan in plans]
        planned = [_sides(plan, headers, out, settings) for plan, headers in checked]
        waiting = [[side for side in sides if not is_there(side.path, side.manifest, headers)]
                   for (_, headers), sides in zip(checked, planned, strict=True)]
        for (plan, headers), sides in zip(checked, waiting, strict=True):
            if sides:
                _warn(plan, headers, settings)
                _pack(plan, headers, sides, settings, workers, progress)
    return [Packed(side.path, side in sides) for all_sides, sides in zip(planned, waiting, strict=True) for side in all_sides]


def _sides(plan: SplitPlan, headers: Headers, out: Path, settings: PackSettings) -> list[_Side]:
    converted = converted_kinds(headers)
    details = {**plan.details, 'split': plan.split, **settings.details(), 'sources': names_digest(plan.entries, headers),
               **({'converted': converted} if converted else {})}
    return [_Side(name, out / settings.file_name(plan.split, name),
                  Manifest(plan.set_name, plan.set_version, 0, settings.encoding, {**details, 'side': name}))
            for name in plan.sides]


def _warn(plan: SplitPlan, headers: Headers, settings: PackSettings) -> None:
    logger, title, count = logging.getLogger('basicsr'), f'{plan.set_name} {plan.split}', len(plan.entries)
    if plan.expected is not None and count != plan.expected:
        logger.warning(f'{title}: {count} pictures were found, {plan.expected} were published')
    kinds = converted_kinds(headers)
    if kinds:
        named = ', '.join(f'{number} of {kind}' for kind, number in kinds.items())
        logger.warning(f'{title}: {sum(kinds.values())} files are turned into 8-bit RGB ({named})')
    small = sum(min(header.height, header.width) < settings.crop.size for header in headers.values()) if settings.crop else 0
    if small:
        logger.warning(f'{title}: {small} files are smaller than --crop {settings.crop.size}; they are not cut along that side')


def _pack(plan: SplitPlan, headers: Headers, sides: list[_Side], settings: PackSettings, workers: Workers,
          progress: Progress) -> None:
    shard = settings.shard
    entries = plan.entries[shard.number - 1::shard.of] if shard else plan.entries
    out = sides[0].path.parent
    states = SourceStates.of(entries, out / f'.{settings.file_name(plan.split, "damaged")}.json')
    with ExitStack() as stack:
        writers = {side.name: stack.enter_context(LmdbWriter(
            side.path, side.manifest.set, side.manifest.set_version, encoding=settings.encoding,
            fingerprint=states.fingerprint, details=side.manifest.details)) for side in sides}
        damaged = _write(plan, entries, headers, writers, settings, workers, progress)
        if damaged:
            states.remember((entry, side) for entry, side, _ in damaged)
            problems = first_of([problem for _, _, problem in damaged])
            raise UserError(f'{plan.set_name} {plan.split}: {len(damaged)} pictures are damaged: {problems}; '
                            'nothing of this split was published, run the same command again when they are replaced')
    states.forget()


def _write(plan: SplitPlan, entries: list[Entry], headers: Headers, writers: dict[str, LmdbWriter], settings: PackSettings,
           workers: Workers, progress: Progress) -> list[tuple[Entry, str, str]]:
    """Returns pictures that are damaged: their entry, side and what is wrong."""
    jobs = []
    for entry in entries:
        header = headers[next(iter(entry.files.values()))[0]]
        windows = tuple(settings.crop.windows(header.height, header.width)) if settings.crop else ()
        keys = crop_keys(entry.key, len(windows)) if windows else [entry.key]
        jobs += [(entry, side, keys, windows) for side, writer in writers.items() if not writer.written.issuperset(keys)]
    tasks = (EncodeTask(entry.files[side], plan.response, windows, settings.encoding) for entry, side, _, windows in jobs)
    shown = f'{plan.set_name} {plan.split}: packed'
    progress(shown, 0, len(jobs))
    damaged = []
    for done, ((entry, side, keys, _), result) in enumerate(zip(jobs, workers.map(encode_source, tasks), strict=True), start=1):
        if isinstance(result, str):
            damaged.append((entry, side, result))
        else:
            for key, encoded in zip(keys, result, strict=True):
                if key not in writers[side].written:
                    writers[side].put_encoded(key, encoded)
        progress(shown, done, len(jobs))
    return damaged
