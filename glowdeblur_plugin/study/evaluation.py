"""PSNR and SSIM of every test picture, by network and test set, in files that are there whole or not at all."""

import csv
import io
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from basicsr.archs import build_network
from basicsr.utils.registry import DATASET_REGISTRY
from torch import Tensor
from torch.utils.data import default_collate

from glowdeblur_plugin.data.dataset_base import DeblurDataset, to_unit_range
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.models.checkpoints import load_weights, read_weights
from glowdeblur_plugin.models.restoration_model import map_picture
from glowdeblur_plugin.models.tile_choice import TileChoice, TileSettings
from glowdeblur_plugin.models.validation import picture_metrics, picture_stem
from glowdeblur_plugin.study.options import StudyOptions
from glowdeblur_plugin.study.sections import test_section

METRICS = {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}, 'ssim': {'type': 'calculate_ssim', 'crop_border': 0}}
BLURRY = 'blurry'
Table = dict[str, dict[str, float]]


class Score(NamedTuple):
    """Figures of one picture, of 8-bit RGB values: PSNR in dB and SSIM."""

    psnr: float
    ssim: float


class Evaluation:
    """The test sets of a study, and what networks make of them.

    Args:
        folder: of the study; gets `evaluation/<network>/<test set>.csv`.
        device: that networks run on.

    Raises:
        UserError: a test set that cannot be opened, or is another one than when the folder was begun.
    """

    def __init__(self, study: StudyOptions, folder: Path, device: torch.device) -> None:
        self.folder, self.device, self.network_options = folder / 'evaluation', device, study.network_g
        self.sets = {name: open_test(study, name) for name in (*study.domains, *study.real_pairs)}
        self.fingerprints = self._require_same()
        self._lock = threading.Lock()

    def _require_same(self) -> dict[str, str]:
        known = json.loads(self._record.read_text(encoding='utf-8')) if self._record.exists() else {}
        found = {name: dataset.fingerprint() for name, dataset in self.sets.items()}
        for name, fingerprint in found.items():
            if known.get(name, fingerprint) != fingerprint:
                raise UserError(f'{self._record}: test set {name} is another one now; remove the folder {self.folder}, which '
                                'is measured anew then, or give the study another name')
        return known | found

    @property
    def _record(self) -> Path:
        return self.folder / 'test_sets.json'

    def missing(self, network: str) -> list[str]:
        """Test sets that there are no figures of yet."""
        return [name for name in self.sets if not self._file(network, name).exists()]

    def measure_blurry(self, progress: Progress = silent) -> None:
        """Note which test sets these are, and measure the blurry pictures themselves, where that is missing."""
        write_atomically(self._record, json.dumps(self.fingerprints, indent=2) + '\n')
        self._measure(BLURRY, lambda lq: lq, progress)

    def forget(self, network: str) -> None:
        """Remove the figures of a network that is to be trained anew."""
        shutil.rmtree(self.folder / network, ignore_errors=True)

    def measure(self, network: str, weights: Path, check: Callable[[], None] = lambda: None) -> None:
        """Measure what the network of `weights` restores, whole pictures in float32, where that is missing. One network at a
        time, whatever thread asks.

        Args:
            check: called before every picture; what it raises ends the work.

        Raises:
            UserError: weights that cannot be read or belong to another network.
        """
        with self._lock:
            if not self.missing(network):
                return
            net = build_network(dict(self.network_options))
            load_weights(net, read_weights(weights, 'params_ema'), weights)
            net, whole = net.to(self.device).eval(), TileChoice(TileSettings(tile='none', tile_overlap=0), net)

            def restore(lq: Tensor) -> Tensor:
                check()
                return map_picture(net, lq.to(self.device), whole).cpu()

            self._measure(network, restore)

    def _measure(self, network: str, restore: Callable[[Tensor], Tensor], progress: Progress = silent) -> None:
        for name in self.missing(network):
            text = io.StringIO()
            writer = csv.writer(text, lineterminator='\n')
            writer.writerow(['picture', *Score._fields])
            for picture, score in _scores(restore, self.sets[name], f'{network} pictures of {name} measured', progress).items():
                writer.writerow([picture, *(f'{value:.6f}' for value in score)])
            write_atomically(self._file(network, name), text.getvalue())

    def read(self, network: str) -> dict[str, dict[str, Score]]:
        """Test set -> picture -> figures.

        Raises:
            UserError: a file that is not one of these.
        """
        return {name: _read(self._file(network, name)) for name in self.sets}

    def _file(self, network: str, name: str) -> Path:
        return self.folder / network / f'{name}.csv'


def open_test(study: StudyOptions, name: str) -> DeblurDataset:
    """The test set of a domain or of real pairs.

    Raises:
        UserError: a wrong section, or pictures that cannot be opened.
    """
    section = test_section(study, name)
    place = f'{"real_pairs" if name in study.real_pairs else "domains"}:{name}:test'
    if section['type'] not in DATASET_REGISTRY:
        raise UserError(f'{place}:type: no data set has the name {section["type"]!r}')
    return DATASET_REGISTRY.get(section['type'])({**section, 'name': name, 'phase': 'val'}, place)


def _scores(restore: Callable[[Tensor], Tensor], dataset: DeblurDataset, task: str, progress: Progress) -> dict[str, Score]:
    found = {}
    with torch.inference_mode():
        for index in range(len(dataset)):
            progress(task, index, len(dataset))
            batch = default_collate([dataset[index]])
            lq, gt = (to_unit_range(batch[side]) if batch[side].dtype == torch.uint8 else batch[side] for side in ('lq', 'gt'))
            path = batch['lq_path'][0]
            found[picture_stem(path, dataset.opt)] = Score(**picture_metrics(restore(lq), gt, METRICS, path))
    progress(task, len(dataset), len(dataset))
    return found


def _read(file: Path) -> dict[str, Score]:
    try:
        rows = list(csv.DictReader(file.read_text(encoding='utf-8').splitlines()))
        return {row['picture']: Score(*(float(row[name]) for name in Score._fields)) for row in rows}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f'{file}: no table of the figures of pictures ({error}); remove it, and it is measured anew') from None
