"""The metrics of a set: opened once, and what each says of a picture."""

import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from glowdeblur_plugin.comparison.motion import estimated_motion, learnt_motion
from glowdeblur_plugin.comparison.options import Comparison
from glowdeblur_plugin.comparison.picture_set import Pair, PictureSet
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.catalogue import METRICS, Metric, MetricUnavailable, open_metric
from glowdeblur_plugin.metrics.protocols import PROTOCOLS
from glowdeblur_plugin.metrics.weights import IQA_FILES

ALONG_MOTION = ('reblur', 'reblur-gain')


class Measures:
    """The metrics of one set.

    Args:
        metrics: name -> the metric, or why it cannot run here.
        ways: name -> how it is computed, in words that differ where values may, of those that run.

    Attributes:
        unavailable: name -> why.
        per_picture, per_set: names of those that run.
    """

    def __init__(self, metrics: dict[str, Metric | str], ways: dict[str, str]) -> None:
        self.ways = ways
        self.unavailable = {name: found for name, found in metrics.items() if isinstance(found, str)}
        self._metrics = {name: found for name, found in metrics.items() if not isinstance(found, str)}
        self.per_picture = [name for name in self._metrics if not METRICS[name].per_set]
        self.per_set = [name for name in self._metrics if METRICS[name].per_set]

    def of_picture(self, names: list[str], restored: np.ndarray, pair: Pair) -> dict[str, dict[str, Any]]:
        """`values` of these metrics, and of those that have none for this picture the reason in `failures`."""
        values, failures = {}, {}
        for name in names:
            try:
                values[name] = self._metrics[name](restored, pair.sharp, pair.blurry)
            except UserError as error:
                failures[name] = str(error)
            except torch.OutOfMemoryError:
                failures[name] = f'{name}: out of memory'
        return {'values': values, 'failures': failures}

    def of_set(self, name: str, restored: list[Path], sharp: list[Path]) -> float:
        """The value of a metric for whole sets; raises as `Metric.over_set`."""
        return self._metrics[name].over_set(restored, sharp)


def open_measures(comparison: Comparison, sets: dict[str, PictureSet], device: torch.device) -> dict[str, Measures]:
    """The metrics of each set; sets that compare alike share them.

    Raises:
        UserError: a metric or setting that does not exist, or a metric that needs sharp pictures in a set without.
    """
    opened: dict[tuple[str, str, int], Metric | str] = {}
    settings, told = _settings(comparison, sets, device)
    measures = {}
    for name, picture_set in sets.items():
        options, metrics, ways = picture_set.options, {}, {}
        for metric in options.metrics:
            if 'sharp' in METRICS[metric].needs and not picture_set.with_truth:
                raise UserError(f'sets:{name}:metrics: {metric} compares with sharp pictures, and the set has none; remove it')
            key = (metric, options.protocol, options.crop_border)
            if key not in opened:
                opened[key] = _open(*key, device, settings.get(metric, {}))
            metrics[metric] = opened[key]
            if isinstance(opened[key], Metric):
                package = _package(metric, options.protocol)
                ways[metric] = f'{options.protocol}, border {options.crop_border}{told.get(metric, "")}{package}'
        measures[name] = Measures(metrics, ways)
    return measures


def _open(name: str, protocol: str, crop_border: int, device: torch.device, settings: dict[str, Any]) -> Metric | str:
    try:
        return open_metric(name, protocol, crop_border, device, **settings)
    except MetricUnavailable as error:
        return str(error)


def _settings(comparison: Comparison, sets: dict[str, PictureSet],
              device: torch.device) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Settings by metric, and the same in words."""
    settings = {name: dict(section) for name, section in comparison.top.metric_settings.items()}
    telling = {name: {key: value for key, value in section.items() if key != 'download'} for name, section in settings.items()}
    told = {name: f', {json.dumps(section, sort_keys=True)}' for name, section in telling.items() if section}
    along = {metric for picture_set in sets.values() for metric in picture_set.options.metrics if metric in ALONG_MOTION}
    for metric in along:
        if 'motion' in settings.get(metric, {}):
            raise UserError(f'metric_settings:{metric}:motion: is no setting of an option file; give motion_weights')
    if along:
        weights, motion = comparison.top.motion_weights, estimated_motion
        if weights is not None:
            motion = learnt_motion(Path(weights), device)
            told |= {metric: told.get(metric, '') + f', motion {file_sha256(Path(weights))}' for metric in along}
        settings |= {metric: {**settings.get(metric, {}), 'motion': motion} for metric in along}
    return settings, told


def _package(metric: str, protocol: str) -> str:
    """The package whose version a metric's values depend on, where there is one."""
    if metric in IQA_FILES:
        return f', pyiqa {importlib.metadata.version("pyiqa")}'
    return f', OpenCV {cv2.__version__}' if PROTOCOLS[protocol].aligned else ''


def file_sha256(path: Path) -> str:
    """The hash of a file that is there."""
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def device_name(device: torch.device) -> str:
    """A device as the summary tells it, of a GPU with what it is."""
    return f'{device}, {torch.cuda.get_device_name(device)}' if device.type == 'cuda' else str(device)
