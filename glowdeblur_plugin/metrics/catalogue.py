"""All metrics by name, and `open_metric`, which makes one."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_type_hints

import torch

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.losses.light import Response
from glowdeblur_plugin.metrics import alignment, fidelity
from glowdeblur_plugin.metrics.iqa import FrechetDistance, Quality, load_quality
from glowdeblur_plugin.metrics.measure import Metric, MetricInfo, MetricUnavailable, PictureFailed, Score, SetScore
from glowdeblur_plugin.metrics.motion_fidelity import Motion, MotionFidelity
from glowdeblur_plugin.metrics.natural import niqe
from glowdeblur_plugin.metrics.protocols import PROTOCOLS, Protocol
from glowdeblur_plugin.metrics.semantic_similarity import FeatureSimilarity
from glowdeblur_plugin.options import Between, convert, unknown_key

__all__ = ['METRICS', 'Metric', 'MetricInfo', 'MetricUnavailable', 'PictureFailed', 'open_metric', 'protocols_of']


def _info(name: str, label: str, better: Literal['higher', 'lower'], digits: int, source: str, *needs: str,
          per_set: bool = False) -> MetricInfo:
    return MetricInfo(name, label, better, digits, frozenset(needs), per_set, source)


METRICS = {info.name: info for info in (
    _info('psnr', 'PSNR', 'higher', 2, 'decibel of the mean square error', 'sharp'),
    _info('ssim-2d', 'SSIM (2-D)', 'higher', 4, 'Wang et al., TIP 2004; per channel, as BasicSR', 'sharp'),
    _info('ssim-3d', 'SSIM (3-D)', 'higher', 4, 'Wang et al., TIP 2004; window over colours, as MATLAB and NAFNet', 'sharp'),
    _info('lpips', 'LPIPS', 'lower', 4, 'Zhang et al., CVPR 2018; AlexNet, version 0.1', 'sharp'),
    _info('dists', 'DISTS', 'lower', 4, 'Ding et al., TPAMI 2020', 'sharp'),
    _info('fid', 'FID', 'lower', 2, 'Heusel et al., NeurIPS 2017; cleaned, Parmar et al., CVPR 2022', 'sharp', per_set=True),
    _info('niqe', 'NIQE', 'lower', 3, 'Mittal et al., SPL 2013; as BasicSR'),
    _info('niqe-pyiqa', 'NIQE (pyiqa)', 'lower', 3, 'Mittal et al., SPL 2013; as pyiqa'),
    _info('ilniqe', 'ILNIQE', 'lower', 2, 'Zhang et al., TIP 2015'),
    _info('brisque', 'BRISQUE', 'lower', 2, 'Mittal et al., TIP 2012'),
    _info('pi', 'PI', 'lower', 3, 'Blau et al., ECCVW 2018'),
    _info('nrqm', 'NRQM', 'higher', 3, 'Ma et al., CVIU 2017'),
    _info('musiq', 'MUSIQ', 'higher', 2, 'Ke et al., ICCV 2021; KonIQ-10k'),
    _info('maniqa', 'MANIQA', 'higher', 4, 'Yang et al., CVPRW 2022; KonIQ-10k'),
    _info('clipiqa', 'CLIP-IQA', 'higher', 4, 'Wang et al., AAAI 2023'),
    _info('liqe', 'LIQE', 'higher', 4, 'Zhang et al., CVPR 2023; KonIQ-10k'),
    _info('dinov2', 'DINOv2', 'higher', 4, 'cosine of class tokens, Oquab et al., TMLR 2024', 'sharp'),
    _info('clip', 'CLIP-I', 'higher', 4, 'cosine of image embeddings, Radford et al., ICML 2021', 'sharp'),
    _info('reblur', 'Re-blur PSNR', 'higher', 2, 'our choice, see motion_fidelity.py', 'blurry'),
    _info('reblur-gain', 'Re-blur gain', 'higher', 2, 'our choice, see motion_fidelity.py', 'blurry'),
)}
ALIGNED, LUMA = ('psnr', 'ssim-2d'), ('psnr', 'ssim-2d')
OF_FILES = 'rgb-u8'
MODELS = {'dinov2': 'facebook/dinov2-base', 'clip': 'openai/clip-vit-base-patch32'}
ALIGNMENTS = alignment.Alignments()


def protocols_of(name: str) -> tuple[str, ...]:
    """The names of the protocols under which a metric exists. One of whole sets is of files, which have 8 bit."""
    if METRICS[name].per_set:
        return (OF_FILES, )
    return tuple(protocol.name for protocol in PROTOCOLS.values()
                 if not (protocol.aligned and name not in ALIGNED or protocol.luma and name not in LUMA))


def open_metric(name: str, protocol: str = 'rgb-u8', crop_border: int = 0, device: torch.device | None = None,
                **settings: Any) -> Metric:
    """The metric `name` under a protocol.

    Args:
        name: a key of `METRICS`.
        protocol: a key of `PROTOCOLS`.
        crop_border: pixels left out at each side before all else.
        device: for metrics with networks and for `reblur`; the CPU by default.
        settings: `download` (of metrics with weights: let them fetch what is missing), `model` (of dinov2 and clip: folder or
            hub id), `motion`, `response` and `rim` (of reblur and reblur-gain, see `MotionFidelity`).

    Raises:
        MetricUnavailable: a package or weights are missing; which, and where they belong.
        UserError: no such metric, protocol or setting, or the metric does not exist under the protocol.
    """
    if name == 'ssim':
        raise UserError("metrics: 'ssim' could be two things that differ by .07 on one picture: write ssim-2d (each channel by "
                        "itself, BasicSR's) or ssim-3d (the window goes over the colours too, MATLAB's and NAFNet's)")
    if name not in METRICS:
        raise unknown_key('metrics', name, METRICS)
    if protocol not in PROTOCOLS:
        raise unknown_key('protocol', protocol, PROTOCOLS)
    if protocol not in protocols_of(name):
        raise UserError(f'{name}: does not exist under the protocol {protocol}; it does under {", ".join(protocols_of(name))}')
    if PROTOCOLS[protocol].aligned and crop_border:
        raise UserError(f'crop_border: {crop_border}, but the protocol {protocol} crops by its mask alone; set 0')
    if METRICS[name].per_set and crop_border:
        raise UserError(f'crop_border: {crop_border}, but {name} takes whole files; set 0')
    make = MAKERS.get(name, _quality)
    allowed = [key for key, entry in inspect.signature(make).parameters.items() if entry.kind is entry.KEYWORD_ONLY]
    hints = get_type_hints(make, include_extras=True)
    for key, value in settings.items():
        if key not in allowed:
            raise unknown_key(name, key, allowed) if allowed else UserError(f"{name}: unknown key '{key}'; it has no settings")
        settings[key] = value if callable(value) else convert(value, hints[key], f'{name}:{key}')
    info, of = METRICS[name], PROTOCOLS[protocol]
    score = make(name, of, torch.device('cpu') if device is None else device, **settings)
    return Metric(info, of, **{'score_set' if info.per_set else 'score': score}, crop_border=crop_border)


def _psnr(name: str, protocol: Protocol, device: torch.device) -> Score:
    if protocol.aligned:
        return lambda restored, sharp: alignment.masked_psnr(_aligned(protocol, restored, sharp))
    return fidelity.psnr


def _ssim_2d(name: str, protocol: Protocol, device: torch.device) -> Score:
    if protocol.aligned:
        return lambda restored, sharp: alignment.masked_ssim(_aligned(protocol, restored, sharp))
    return fidelity.ssim_2d


def _aligned(protocol: Protocol, restored: Any, sharp: Any) -> alignment.Aligned:
    pair = ALIGNMENTS(restored, sharp)
    return pair._replace(restored=pair.restored.clip(0, 1)) if protocol.clipped else pair


def _quality(name: str, protocol: Protocol, device: torch.device, *, download: bool = False) -> Score:
    return Quality(name, device, download)


def _frechet(name: str, protocol: Protocol, device: torch.device, *, download: bool = False) -> SetScore:
    return FrechetDistance(load_quality(name, device, download))


def _similarity(name: str, protocol: Protocol, device: torch.device, *, model: str | None = None,
                download: bool = False) -> Score:
    return FeatureSimilarity(name, model or MODELS[name], device, download)


def _reblur(name: str, protocol: Protocol, device: torch.device, *, motion: Motion | None = None, response: Response = 'srgb',
            rim: Annotated[int, Between(0)] = 16) -> Score:
    if motion is None:
        raise UserError(f'{name}: needs the setting motion, which tells the blur tensor of a blurry picture')
    return MotionFidelity(protocol, motion, response, rim, device, relative=name == 'reblur-gain')


MAKERS: dict[str, Callable[..., Any]] = {
    'psnr': _psnr,
    'ssim-2d': _ssim_2d,
    'ssim-3d': lambda name, protocol, device: fidelity.ssim_3d,
    'niqe': lambda name, protocol, device: niqe,
    'fid': _frechet,
    'dinov2': _similarity,
    'clip': _similarity,
    'reblur': _reblur,
    'reblur-gain': _reblur,
}
