"""What is measured and drawn about an estimate of motion."""

import math
from typing import Any

import torch
from basicsr.metrics import calculate_psnr
from basicsr.utils import tensor2img
from torch import Tensor
from torch.nn import functional as F

from glowdeblur_plugin.archs.motion_estimator_arch import MotionEstimator
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.drawing import labelled_strip
from glowdeblur_plugin.losses.light import Response
from glowdeblur_plugin.losses.reblur_loss import reblur
from glowdeblur_plugin.metrics.motion_metric import calculate_angle_error, calculate_motion_error
from glowdeblur_plugin.models.drawn_pictures import as_bytes, as_tensor, draw_motion
from glowdeblur_plugin.models.motion_baselines import MotionBaselines

RIM = 16


def evaluate_motion(net: MotionEstimator, batch: dict[str, Any], response: Response,
                    baselines: MotionBaselines | None) -> dict[str, Tensor | float]:
    """Estimate the motion of the picture of a batch of one and compare it with what is known.

    Args:
        net: in eval mode.
        batch: `lq` (1, 3, H, W) in [0, 1], any size; `gt` and `motion` where known.
        response: of the camera, undone before the sharp picture is re-blurred.
        baselines: whose figures stand beside, or None.

    Returns:
        `blur`, a motion panel, and with `gt` `reblur`, a strip, both (1, 3, h, w).
        With known motion `motion_error` in pixels and, where something has a direction, `angle_error` in degrees.
        With `gt` `psnr_reblur` of the re-blurred sharp picture against the blurry one, less a rim; with known motion also
        `psnr_reblur_true`, the most that a blur tensor can tell.
        The same figures with `_zero`, those of a sharp picture's motion, and with the names of `baselines`.
    """
    lq = batch['lq']
    motion = on_picture(net(pad_to_multiple(lq, net.size_multiple)).float(), lq, net.cell)
    others = baselines.estimates(lq, net.cell) if baselines else {'zero': torch.zeros_like(motion)}
    figures, truth = {}, None
    if 'motion' in batch and bool(batch.get('motion_known', True)):
        truth = batch['motion']
        for name, tensor in (('', motion), *((f'_{name}', other) for name, other in others.items())):
            figures |= motion_figures(name, *on_whole_cells(tensor, truth, net.cell))
    pictures = {'blur': draw_motion(lq, motion, truth)}
    if 'gt' in batch:
        ways = {'': on_pixels(motion, lq, net.cell)}
        ways |= {f'_{name}': on_pixels(other, lq, net.cell) for name, other in others.items()}
        if truth is not None:
            ways['_true'] = truth
        blurred = {name: reblur(batch['gt'], tensor, response).clamp(0, 1) for name, tensor in ways.items()}
        figures |= {f'psnr_reblur{name}': float(calculate_psnr(tensor2img(picture), tensor2img(lq), crop_border=RIM))
                    for name, picture in blurred.items()}
        strip = (('blurry', lq), ('sharp, re-blurred along the estimate', blurred['']), ('sharp', batch['gt']))
        pictures['reblur'] = as_tensor(labelled_strip([(label, as_bytes(picture)) for label, picture in strip]))
    return {**pictures, **figures}


def on_picture(motion: Tensor, picture: Tensor, cell: int) -> Tensor:
    """An estimate (N, 3, h, w) of a padded picture less the cells beside the picture (N, 3, H, W) itself."""
    height, width = (-(-length // cell) for length in picture.shape[-2:])
    return motion[..., :height, :width]


def on_whole_cells(motion: Tensor, truth: Tensor, cell: int) -> tuple[Tensor, Tensor]:
    """Estimate (N, 3, h, w) and truth (N, 3, H, W) less the cells that stick out of the picture, unless it is smaller than
    one."""
    height, width = (max(length // cell, 1) for length in truth.shape[-2:])
    return motion[..., :height, :width], truth[..., :height * cell, :width * cell]


def motion_figures(name: str, motion: Tensor, truth: Tensor) -> dict[str, float]:
    """`motion_error` and, where something has a direction, `angle_error` of an estimate, each with `name` behind."""
    angle = calculate_angle_error(motion, truth)
    directed = {} if math.isnan(angle) else {f'angle_error{name}': angle}
    return {f'motion_error{name}': calculate_motion_error(motion, truth), **directed}


def on_pixels(motion: Tensor, picture: Tensor, cell: int) -> Tensor:
    """An estimate (N, 3, h, w) whose cells cover a picture (N, 3, H, W), interpolated to its pixels."""
    size = [length * cell for length in motion.shape[-2:]]
    return F.interpolate(motion, size, mode='bilinear', align_corners=False)[..., :picture.shape[-2], :picture.shape[-1]]
