"""The metrics of the catalogue in BasicSR's registry, for `val:metrics` of option files.

`better`, which all take, is read by BasicSR and our models, which hand it on with the rest. Errors are those of `open_metric`
and `Metric`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import torch
from basicsr.utils.registry import METRIC_REGISTRY

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.availability import trial_pictures
from glowdeblur_plugin.metrics.catalogue import METRICS, open_metric
from glowdeblur_plugin.metrics.measure import Metric, PictureFailed
from glowdeblur_plugin.options import Between

Better = Literal['higher', 'lower']
Device = Literal['cpu', 'cuda']
Border = Annotated[int, Between(0)]
EightBit = Literal['rgb-u8', 'y', 'realblur-aligned', 'rsblur']
Blind = Literal['niqe', 'niqe-pyiqa', 'ilniqe', 'brisque', 'pi', 'nrqm', 'musiq', 'maniqa', 'clipiqa', 'liqe']
opened = lru_cache(maxsize=None)(open_metric)


@METRIC_REGISTRY.register()
def calculate_psnr_protocol(img: np.ndarray, img2: np.ndarray, protocol: EightBit = 'rgb-u8', crop_border: Border = 0,
                            better: Better = 'higher') -> float:
    """PSNR in dB of uint8 BGR pictures (H, W, 3) under a named protocol, see protocols.py."""
    return _compared(opened('psnr', protocol, crop_border), img, img2)


@METRIC_REGISTRY.register()
def calculate_ssim_protocol(img: np.ndarray, img2: np.ndarray, window: Literal['2d', '3d'], protocol: EightBit = 'rgb-u8',
                            crop_border: Border = 0, better: Better = 'higher') -> float:
    """SSIM of uint8 BGR pictures (H, W, 3) with the window of BasicSR (2d) or of MATLAB and NAFNet (3d), under a protocol."""
    return _compared(opened(f'ssim-{window}', protocol, crop_border), img, img2)


@METRIC_REGISTRY.register()
def calculate_perceptual_distance(img: np.ndarray, img2: np.ndarray, metric: Literal['lpips', 'dists'], crop_border: Border = 0,
                                  device: Device = 'cpu', download: bool = False, better: Better = 'higher') -> float:
    """A learned distance of uint8 BGR pictures (H, W, 3); less is better, as the option file must say."""
    return _compared(opened(metric, 'rgb-u8', crop_border, _device(device), download=download), img, img2)


@METRIC_REGISTRY.register()
def calculate_semantic_similarity(img: np.ndarray, img2: np.ndarray, metric: Literal['dinov2', 'clip'],
                                  model: str | None = None, crop_border: Border = 0, device: Device = 'cpu',
                                  download: bool = False, better: Better = 'higher') -> float:
    """Cosine of features of uint8 BGR pictures (H, W, 3)."""
    return _compared(opened(metric, 'rgb-u8', crop_border, _device(device), model=model, download=download), img, img2)


@METRIC_REGISTRY.register()
def calculate_blind_quality(img: np.ndarray, img2: np.ndarray | None = None, *, metric: Blind, crop_border: Border = 0,
                            device: Device = 'cpu', download: bool = False, better: Better = 'higher') -> float:
    """A metric that needs no sharp picture, of a uint8 BGR picture (H, W, 3); BasicSR hands over the sharp one, if there is
    one, which is not looked at. Of both kinds of niqe, ilniqe, brisque and pi less is better, as the option file must say."""
    settings = {} if metric == 'niqe' else {'download': download}
    return opened(metric, 'rgb-u8', crop_border, _device(device), **settings)(_floats(img))


def try_metric(name: str, section: Mapping[str, Any]) -> None:
    """Use a metric of this module on a made picture, so that what it lacks is said before a run and not at its first
    validation; other metrics are let be.

    Args:
        name: starts the error.
        section: `type`, arguments and `better`.

    Raises:
        UserError: it cannot work, or `better` is not as the metric's.
    """
    arguments = {key: value for key, value in section.items() if key != 'type'}
    calculate, info = METRIC_REGISTRY.get(section['type']), METRICS.get(section.get('metric', 'psnr'))
    if calculate.__module__ == __name__:
        if section.get('better', 'higher') != info.better:
            raise UserError(f'{name}:better: {info.better} values of {info.name} are better; write better: {info.better}')
        sharp, restored = ((255 * picture).astype(np.uint8) for picture in trial_pictures())
        try:
            calculate(restored, sharp, **arguments)
        except PictureFailed:
            pass
        except UserError as error:
            raise UserError(f'{name}: {error}') from error


def _device(name: Device) -> torch.device:
    if name == 'cuda' and not torch.cuda.is_available():
        raise UserError('device: there is no CUDA device here; use cpu')
    return torch.device(name)


def _compared(metric: Metric, restored: np.ndarray, sharp: np.ndarray) -> float:
    return metric(_floats(restored), _floats(sharp))


def _floats(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[..., ::-1], np.float32) / 255
