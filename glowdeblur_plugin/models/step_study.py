"""How good pictures become with more steps, by solver and start."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from basicsr.metrics import calculate_niqe, calculate_psnr, calculate_ssim
from basicsr.utils import tensor2img
from torch import Tensor

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.diffusion.sampler import SolverName
from glowdeblur_plugin.models.glowdeblur_evaluation import SSIM_WINDOW, restore, through_codec

NIQE_BLOCK = 96
Row = dict[str, Any]


def study_steps(net: GLOWDeblur, lq: Tensor, gt: Tensor, generator: torch.Generator, solvers: Sequence[SolverName],
                starts: Sequence[float], steps: Sequence[int], **texts: Any) -> Iterator[Row]:
    """Restore one picture in every combination of solver, start and number of steps, from the same noise.

    Args:
        net: in eval mode; one that works in tiles will do.
        lq, gt: blurry and sharp picture (1, 3, H, W) in [0, 1], any size.
        generator: gives the noise; it is left as it is.
        texts: `text`, `text_mask` and `guidance` of `restore`.

    Yields:
        For `sharp`, `codec` (the sharp picture through it), `blurry` and `prereconstruction`, and then for each combination:
        `way`, such as `euler from 0.5`, `steps` (None for the first four) and the figures of `figures`.
    """
    height, width = lq.shape[-2:]

    def measured(way: str, count: int | None, picture: Tensor) -> Row:
        return {'way': way, 'steps': count, **figures(picture[..., :height, :width].float().clamp(0, 1), gt)}

    condition = net.condition(pad_to_multiple(lq, net.size_multiple))
    yield measured('sharp', None, gt)
    yield measured('codec', None, through_codec(net, pad_to_multiple(gt, net.size_multiple)))
    yield measured('blurry', None, lq)
    yield measured('prereconstruction', None, condition.prereconstruction)
    for solver, start, count in itertools.product(solvers, starts, steps):
        yield measured(f'{solver} from {start:g}', count, restore(net, condition, [generator], count, start, solver, **texts))


def figures(picture: Tensor, sharp: Tensor) -> dict[str, float]:
    """PSNR (not for what equals the sharp picture, where it has no end), SSIM, `gradient` and `niqe` of a picture (1, 3, H, W).

    `gradient` is the mean absolute difference between neighbours relative to the sharp picture's: below 1 for a smoother, above
    1 for a noisier one; it is left out where the sharp picture is flat. SSIM needs a window of 11 pixels, NIQE (Mittal et al.
    2013; lower is more natural) two blocks of 96, and they are left out of smaller pictures. PSNR, SSIM
    and NIQE are BasicSR's, on 8-bit values.
    """
    given, wanted = tensor2img(picture), tensor2img(sharp)
    values: dict[str, float] = {}
    if not np.array_equal(given, wanted):
        values['psnr'] = float(calculate_psnr(given, wanted, crop_border=0))
    if min(sharp.shape[-2:]) >= SSIM_WINDOW:
        values['ssim'] = float(calculate_ssim(given, wanted, crop_border=0))
    if (reference := mean_gradient(sharp)) > 0:
        values['gradient'] = mean_gradient(picture) / reference
    if (picture.shape[-2] // NIQE_BLOCK) * (picture.shape[-1] // NIQE_BLOCK) > 1:
        values['niqe'] = float(calculate_niqe(given, crop_border=0))
    return values


def mean_gradient(picture: Tensor) -> float:
    """Mean absolute difference of the grey values of neighbours along both axes, of pictures (N, 3, H, W)."""
    grey = picture.float().mean(dim=1)
    return float((grey.diff(dim=-1).abs().mean() + grey.diff(dim=-2).abs().mean()) / 2)


def mean_rows(pictures: Sequence[Sequence[Row]]) -> list[Row]:
    """Means over pictures of the rows that `study_steps` gave for each, of every figure that all pictures have."""
    def mean(rows: Sequence[Row]) -> Row:
        names = [name for name in rows[0] if name not in ('way', 'steps') and all(name in row for row in rows)]
        return {**{key: rows[0][key] for key in ('way', 'steps')}, **{name: _mean(row[name] for row in rows) for name in names}}

    return [mean(rows) for rows in zip(*pictures, strict=True)]


def _mean(values: Iterator[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
