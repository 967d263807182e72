"""Sharp pictures blurred by the simulator, frozen into pairs with their true motion: for validation, audits and other tools."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from glowdeblur_plugin.data.encodings import EncodedPicture, Encoding, encode_picture
from glowdeblur_plugin.data.lmdb_store import DATA_FILE, Manifest, read_manifest
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.engine import Packed
from glowdeblur_plugin.data.packers.plan import checked_split, clean_key
from glowdeblur_plugin.data.packers.published import is_there
from glowdeblur_plugin.data.packers.sources import states_digest
from glowdeblur_plugin.data.packers.trees import picture_files, require_folder
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.side_data import cell_means, encode_motion
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset
from glowdeblur_plugin.data.workers import Workers, usable_cores
from glowdeblur_plugin.errors import UserError

SET, VERSION = 'simulated', 2
SIDES = ('lq', 'gt', 'motion')


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What is packed.

    Attributes:
        gt: packed set or folder of sharp pictures.
        domain: name of the blur domain, see `simulate.domains`.
        blurs: of each picture.
        seed: of the blurs.
        cell: side of the cells, in pixels, whose mean motion is kept.
        encoding: of the pictures.
    """

    gt: Path
    domain: str
    blurs: int = 1
    seed: int = 0
    cell: int = 8
    encoding: Encoding = 'png'


def pack_simulated(simulation: Simulation, out: Path, split: str = 'val', workers: int | None = None,
                   progress: Progress = silent) -> list[Packed]:
    """Pack `out`/<split>_{lq,gt,motion}.lmdb: whole pictures less the margin that the blur needs, as `SimulatedBlurDataset`
    gives them in validation, under the keys `<name>_<number of the blur>`. An interrupted run goes on where it was, and sides
    that are complete are left alone.

    Args:
        workers: processes; by default the cores.

    Raises:
        UserError: a wrong option, a missing, damaged or too small picture, another set is there, or one that is older than a
            picture.
    """
    for option, value, least in (('--blurs', simulation.blurs, 1), ('--cell', simulation.cell, 1),
                                 ('--workers', 1 if workers is None else workers, 1), ('--seed', simulation.seed, 0)):
        if value < least:
            raise UserError(f'{option}: expected at least {least}, found {value}')
    paths = {side: out / f'{checked_split(split)}_{side}.lmdb' for side in SIDES}
    files = _files(simulation.gt)
    _dataset.cache_clear()
    dataset = _dataset(simulation)
    keys = _keys(dataset)
    manifests = _manifests(simulation, split, dataset)
    waiting = [side for side, path in paths.items() if not is_there(path, manifests[side], files)]
    if not waiting:
        return [Packed(path, False) for path in paths.values()]
    fingerprint = f'{dataset.fingerprint()} {states_digest(files)}'
    with ExitStack() as stack:
        pool = stack.enter_context(Workers(workers or usable_cores()))
        writers = {side: stack.enter_context(LmdbWriter(
            paths[side], SET, VERSION, encoding=manifests[side].encoding, fingerprint=fingerprint,
            details=manifests[side].details)) for side in waiting}
        open_draws = [draw for draw, key in enumerate(keys) if any(key not in writer.written for writer in writers.values())]
        progress(f'{split}: blurred', 0, len(open_draws))
        results = pool.map(_render, ((simulation, draw) for draw in open_draws))
        for done, (draw, records) in enumerate(zip(open_draws, results, strict=True), start=1):
            for side, writer in writers.items():
                if keys[draw] not in writer.written:
                    writer.put_encoded(keys[draw], records[side])
            progress(f'{split}: blurred', done, len(open_draws))
    return [Packed(path, side in waiting) for side, path in paths.items()]


def _files(gt: Path) -> list[Path]:
    """What the sharp pictures lie in."""
    require_folder(gt, '--gt')
    return [gt / DATA_FILE] if gt.suffix == '.lmdb' else [gt / file for file in picture_files(gt, '--gt').values()]


def _manifests(simulation: Simulation, split: str, dataset: SimulatedBlurDataset) -> dict[str, Manifest]:
    """What the manifest of each side will be. Where the source says what a scene is, so do they, unless it is
    simulated itself: its keys end in a number of their own."""
    source = read_manifest(simulation.gt) if simulation.gt.suffix == '.lmdb' else None
    scene = None if source is None or 'blurs' in source.details else source.details.get('scene')
    details = {'split': split, 'domain': simulation.domain, 'blurs': simulation.blurs, 'seed': simulation.seed,
               'simulated': dataset.fingerprint(), **({} if scene is None else {'scene': scene})}
    return {side: Manifest(SET, VERSION, 0, 'motion' if side == 'motion' else simulation.encoding,
                           {**details, 'side': side, **({'cell': simulation.cell} if side == 'motion' else {})})
            for side in SIDES}


@lru_cache(maxsize=1)
def _dataset(simulation: Simulation) -> SimulatedBlurDataset:
    section = {'name': SET, 'type': 'SimulatedBlurDataset', 'phase': 'val', 'dataroot_gt': str(simulation.gt),
               'domain': simulation.domain, 'draws_per_picture': simulation.blurs, 'seed': simulation.seed, 'dtype': 'uint8'}
    return SimulatedBlurDataset(section, 'pack simulated')


def _keys(dataset: SimulatedBlurDataset) -> list[str]:
    """Key of every draw."""
    names: dict[str, str] = {}
    for name in dataset.keys:
        if (known := names.setdefault(clean_key(name), name)) != name:
            raise UserError(f"--gt: {known} and {name} would both get the key '{clean_key(name)}'; rename one")
    return [f'{key}_{blur}' for blur in range(len(dataset) // len(names)) for key in names]


def _render(task: tuple[Simulation, int]) -> dict[str, EncodedPicture]:
    simulation, draw = task
    sample = _dataset(simulation)[draw]
    lq, gt = (encode_picture(np.ascontiguousarray(sample[side].numpy().transpose(1, 2, 0)), simulation.encoding)
              for side in ('lq', 'gt'))
    return {'lq': lq, 'gt': gt, 'motion': encode_motion(cell_means(sample['motion'].numpy(), simulation.cell))}
