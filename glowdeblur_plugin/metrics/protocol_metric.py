"""The metrics of the catalogue in BasicSR's registry, for `val:metrics` of option files."""

from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
import torch
from basicsr.utils.registry import METRIC_REGISTRY

from glowdeblur_plugin.metrics.catalogue import open_metric
from glowdeblur_plugin.metrics.measure import Metric
from glowdeblur_plugin.options import Between

Border = Annotated[int, Between(0)]
EightBit = Literal['rgb-u8', 'y', 'realblur-aligned', 'rsblur']
opened = lru_cache(maxsize=None)(open_metric)


@METRIC_REGISTRY.register()
def calculate_psnr_protocol(img: np.ndarray, img2: np.ndarray, protocol: EightBit = 'rgb-u8', crop_border: Border = 0) -> float:
    """PSNR in dB of uint8 BGR pictures (H, W, 3) under a named protocol, see protocols.py; errors as of `Metric`."""
    return _compared(opened('psnr', protocol, crop_border), img, img2)


@METRIC_REGISTRY.register()
def calculate_ssim_protocol(img: np.ndarray, img2: np.ndarray, window: Literal['2d', '3d'], protocol: EightBit = 'rgb-u8',
                            crop_border: Border = 0) -> float:
    """SSIM of uint8 BGR pictures (H, W, 3) with the window of BasicSR (2d) or of MATLAB and NAFNet (3d), under a named protocol;
    errors as of `Metric`."""
    return _compared(opened(f'ssim-{window}', protocol, crop_border), img, img2)


@METRIC_REGISTRY.register()
def calculate_perceptual_distance(img: np.ndarray, img2: np.ndarray, metric: Literal['lpips', 'dists'], crop_border: Border = 0,
                                  device: str = 'cpu', download: bool = False) -> float:
    """A learned distance of uint8 BGR pictures (H, W, 3); less is better. Arguments and errors as of `open_metric`."""
    return _compared(opened(metric, 'rgb-u8', crop_border, torch.device(device), download=download), img, img2)


@METRIC_REGISTRY.register()
def calculate_semantic_similarity(img: np.ndarray, img2: np.ndarray, metric: Literal['dinov2', 'clip'], model: str | None = None,
                                  crop_border: Border = 0, device: str = 'cpu', download: bool = False) -> float:
    """Cosine of features of uint8 BGR pictures (H, W, 3). Arguments and errors as of `open_metric`."""
    return _compared(opened(metric, 'rgb-u8', crop_border, torch.device(device), model=model, download=download), img, img2)


@METRIC_REGISTRY.register()
def calculate_blind_quality(img: np.ndarray,
                            metric: Literal['niqe', 'ilniqe', 'brisque', 'pi', 'nrqm', 'musiq', 'maniqa', 'clipiqa', 'liqe'],
                            crop_border: Border = 0, device: str = 'cpu', download: bool = False) -> float:
    """A metric that needs no sharp picture, of a uint8 BGR picture (H, W, 3). Arguments and errors as of `open_metric`."""
    settings = {} if metric == 'niqe' else {'download': download}
    return opened(metric, 'rgb-u8', crop_border, torch.device(device), **settings)(_floats(img))


def _compared(metric: Metric, restored: np.ndarray, sharp: np.ndarray) -> float:
    return metric(_floats(restored), _floats(sharp))


def _floats(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[..., ::-1], np.float32) / 255
