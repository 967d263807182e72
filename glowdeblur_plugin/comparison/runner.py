"""Runs methods x sets x metrics, keeping what is finished."""

import json
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from glowdeblur_plugin import __version__
from glowdeblur_plugin.comparison.measures import Measures, open_measures
from glowdeblur_plugin.comparison.methods import BlurryInput, Method, Restore, ResultsFolder
from glowdeblur_plugin.comparison.network_method import CodecRoundTrip, Network, OpenRestorer
from glowdeblur_plugin.comparison.options import FEWEST_SEEDS, Comparison, FolderOptions
from glowdeblur_plugin.comparison.parts import Part
from glowdeblur_plugin.comparison.picture_files import keep_picture, picture_path, read_picture
from glowdeblur_plugin.comparison.picture_set import PictureSet
from glowdeblur_plugin.comparison.summarise import Findings, write_findings
from glowdeblur_plugin.comparison.summary import Summary
from glowdeblur_plugin.data.packers.prepare import PACKERS
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.metrics.protocols import PROTOCOLS
from glowdeblur_plugin.resources import usable_device

EIGHT_BIT = 255
MOST_AT_ONCE = 8  # alignments; one of 1920x1200 pixels takes 0.7 GB
SHARP = 'sharp'


class View(NamedTuple):
    """One of the sets that a job's pictures are measured in.

    Attributes:
        part: what is known of them there.
        keep: folder that their files are kept in, None for the seeds after the first.
    """

    picture_set: PictureSet
    part: Part
    measures: Measures
    keep: Path | None

    def files(self, method: Method, name: str) -> dict[str, Path]:
        """Row -> the file that its picture is kept in; beside the input the sharp picture, where there is one, is kept."""
        return {} if self.keep is None else {row: picture_path(self.keep, self.picture_set.name, row, name)
                                             for row in self._rows(method)}

    def claim(self, method: Method) -> None:
        """Remove the files that are kept where they are of another seed, or made in another way, than the part's values."""
        if self.keep is not None:
            mark = self.part.path.with_name(f'{method.name}__{self.picture_set.name}__kept.json')
            made = json.dumps(self.part.identity)
            if not mark.is_file() or mark.read_text(encoding='utf-8') != made:
                for row in self._rows(method):
                    shutil.rmtree(picture_path(self.keep, self.picture_set.name, row, '').parent, ignore_errors=True)
                write_atomically(mark, made)

    def _rows(self, method: Method) -> list[str]:
        return [method.name] + [SHARP] * (method.kind == 'blurry' and self.picture_set.with_truth)

    def lacks(self, method: Method, name: str) -> bool:
        """Whether something about a picture is missing: itself, a value or a file."""
        return (name not in self.part.pictures or bool(self.part.missing(name, self.measures.per_picture))
                or not all(file.is_file() for file in self.files(method, name).values()))


class Job(NamedTuple):
    """One method on the pictures of one set, and of those that are the same as it, with one seed (None where it does not
    sample)."""

    method: Method
    views: list[View]
    seed: int | None


class Aligning(NamedTuple):
    """A picture whose values, `found`, another thread works out."""

    part: Part
    name: str
    seconds: float | None
    found: Future[dict[str, dict[str, Any]]]

    def settle(self) -> None:
        """Wait for the values and put them into the part."""
        self.part.put(self.name, {**self.found.result(), 'seconds': self.seconds})


def compare(comparison: Comparison, open_restorer: OpenRestorer, progress: Progress = silent) -> Summary:
    """Run all of a checked option file that is not finished, and write `summary.json`, `per_picture.csv` and `pictures/`.

    Everything is opened once before anything is run. What is finished stays in `parts/`, also when the run is interrupted.

    Args:
        open_restorer: `Restorer.from_weights`.
        progress: told for each method, set and seed.

    Raises:
        UserError: a set, a file of weights or a results folder that is not there or not what it should be; fewer than three
            seeds for a method that samples.
    """
    top, folder = comparison.top, comparison.top.folder
    for section in top.prepare:
        PACKERS[section.set](Path(section.out), progress)
    sets = {name: PictureSet(name, options, comparison.data[name]) for name, options in comparison.sets.items()}
    device = usable_device(top.device)
    measures = open_measures(comparison, sets, device)
    methods = list(_methods(comparison, sets, open_restorer))
    jobs = [Job(method, views, seed) for method in methods for seed in (top.seeds if method.samples else [None])
            for views in _views(method, seed, sets, measures, folder, keep=seed in (None, *top.seeds[:1]))]
    findings, commit = Findings(comparison, methods, sets, measures, device), _commit()
    for number, job in enumerate(jobs, start=1):
        title = f'[{number} of {len(jobs)}] {job.method.name} on {job.views[0].picture_set.name}'
        title += '' if job.seed is None else f', seed {job.seed}'
        _run(job, commit, lambda done, total: progress(title, done, total))
        for view in job.views:
            findings.parts.setdefault((job.method.name, view.picture_set.name), {})[job.seed] = view.part
        if number == len(jobs) or jobs[number].method is not job.method:
            job.method.close()
    return write_findings(findings, folder)


def _views(method: Method, seed: int | None, sets: dict[str, PictureSet], measures: dict[str, Measures], folder: Path,
           keep: bool) -> Iterator[list[View]]:
    """The sets that a method has pictures of, those with the same pictures together."""
    groups: dict[str, list[View]] = {}
    for name, picture_set in sets.items():
        if method.why_not(picture_set) is None:
            path = folder / 'parts' / f'{method.name}__{name}__{"once" if seed is None else seed}.json'
            identity = {'method': method.identity(picture_set), 'set': picture_set.identity, 'seed': seed,
                        'code_version': __version__}
            view = View(picture_set, Part(path, identity, measures[name].ways), measures[name], folder if keep else None)
            groups.setdefault(picture_set.origin, []).append(view)
    yield from groups.values()


def _commit() -> str | None:
    """The commit of the repository that the plugin runs from, `-dirty` where its files differ; None where it is installed."""
    root = Path(__file__).parents[2]
    if not (root / '.git').exists():
        return None
    try:
        found = subprocess.run(['git', '-C', str(root), 'describe', '--always', '--dirty', '--exclude=*'],
                               capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _methods(comparison: Comparison, sets: dict[str, PictureSet], open_restorer: OpenRestorer) -> Iterator[Method]:
    """The rows in their order: the input, the methods as in the file, the codec behind the first that has one."""
    top = comparison.top
    yield BlurryInput()
    codec = top.codec and any(picture_set.with_truth for picture_set in sets.values())
    for name, options in comparison.methods.items():
        if isinstance(options, FolderOptions):
            folder = ResultsFolder(name, options)
            reasons = [folder.why_not(picture_set) for picture_set in sets.values()]
            if all(reasons):
                raise UserError(f'methods:{name}:results: {reasons[0]}')
            yield folder
            continue
        network = Network(name, options, top.device, top.folder / 'parts', open_restorer)
        if network.samples:
            if len(top.seeds) < FEWEST_SEEDS:
                raise UserError(f'seeds: {top.seeds}, but {name} samples: its pictures depend on noise; give at least '
                                f'{FEWEST_SEEDS} seeds')
            network.seeds = list(top.seeds)
        yield network
        if codec and network.has_codec:
            codec = False
            yield CodecRoundTrip(network)


def _run(job: Job, commit: str | None, progress: Callable[[int, int], None]) -> None:
    """Restore and measure what the job's parts lack; they remember the commit of the plugin where they lack anything."""
    picture_set, method = job.views[0].picture_set, job.method
    restore = method.restorer(picture_set)
    for view in job.views:
        view.claim(method)
    waiting = [index for index, name in enumerate(picture_set.names) if any(view.lacks(method, name) for view in job.views)]
    if waiting and commit is not None:
        for view in job.views:
            view.part.commits.add(commit)
    at_once = min(torch.get_num_threads(), MOST_AT_ONCE)
    pool, aligning = ThreadPoolExecutor(at_once), deque[Aligning]()
    try:
        for done, index in enumerate(waiting):
            progress(done, len(waiting))
            aligning.extend(_run_picture(job, index, restore, pool))
            while len(aligning) > at_once:
                aligning.popleft().settle()
        for entry in aligning:
            entry.settle()
        if waiting:
            progress(len(waiting), len(waiting))
        for view in job.views:
            if view.keep is not None:
                _measure_set(method, view)
    finally:
        pool.shutdown(cancel_futures=True)
        for view in job.views:
            view.part.write()


def _run_picture(job: Job, index: int, restore: Restore, pool: Executor) -> Iterator[Aligning]:
    """Restore a picture, or take the one that was kept, and put what each view lacks into its part; what has to be aligned
    first is left to the pool, since that takes longer than most networks."""
    method, name = job.method, job.views[0].picture_set.names[index]
    files = [view.files(method, name) for view in job.views]
    try:
        pair = job.views[0].picture_set.pair(index)
        restored, seconds = _kept(job, name)
        kept = restored is not None
        if not kept:
            method.load()
            started = time.perf_counter()
            restored = np.asarray(restore(pair, job.seed), np.float32)
            seconds = time.perf_counter() - started
            if not np.isfinite(restored).all():
                raise UserError('the restored picture holds values that are not numbers')
        for row, path in (entry for of_view in files for entry in of_view.items() if not (kept and entry[1].is_file())):
            keep_picture(path, pair.sharp if row == SHARP else restored)
    except (UserError, torch.OutOfMemoryError) as error:
        for path in (path for of_view in files for path in of_view.values()):
            path.unlink(missing_ok=True)
        full = isinstance(error, torch.OutOfMemoryError)
        for view in job.views:
            view.part.put(name, {'failure': 'out of memory; set tile to a number such as 512' if full else str(error)})
        return
    for view in job.views:
        if not kept and method.device is not None:
            view.part.devices.add(method.device)
        names = view.part.missing(name, view.measures.per_picture)
        if PROTOCOLS[view.picture_set.options.protocol].aligned:
            yield Aligning(view.part, name, seconds, pool.submit(view.measures.of_picture, names, restored, pair))
        else:
            view.part.put(name, {**view.measures.of_picture(names, restored, pair), 'seconds': seconds})


def _kept(job: Job, name: str) -> tuple[np.ndarray | None, float | None]:
    """The picture out of its file and the seconds that it took, where that spares work and all protocols round it as the file
    does."""
    if isinstance(job.method, (Network, CodecRoundTrip)) and all(
            PROTOCOLS[view.picture_set.options.protocol].levels == EIGHT_BIT for view in job.views):
        for view in job.views:
            file = view.files(job.method, name).get(job.method.name)
            if file is not None and file.is_file() and name in view.part.pictures:
                return read_picture(file), view.part.pictures[name]['seconds']
    return None, None


def _measure_set(method: Method, view: View) -> None:
    """The metrics that have one value for a whole set."""
    part, name = view.part, view.picture_set.name
    pictures = [picture for picture in view.picture_set.names if 'failure' not in part.pictures[picture]]
    for metric in view.measures.per_set:
        if part.of_set.get(metric, {}).get('pictures') != pictures or 'value' not in part.of_set[metric]:
            files = [[picture_path(view.keep, name, row, picture) for picture in pictures] for row in (method.name, SHARP)]
            try:
                part.of_set[metric] = {'value': view.measures.of_set(metric, *files), 'pictures': pictures}
            except UserError as error:
                part.of_set[metric] = {'failure': str(error), 'pictures': pictures}
