"""Along which motion the metrics `reblur` and `reblur-gain` blur a restored picture again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from basicsr.archs import build_network

from glowdeblur_plugin.archs.motion_estimator_arch import MotionEstimator
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.checkpoints import load_weights, read_weights
from glowdeblur_plugin.models.motion_evaluation import on_picture, on_pixels
from glowdeblur_plugin.report.blur_estimate import estimate_blur

CELL = 32
Motion = Callable[[np.ndarray], torch.Tensor]


def estimated_motion(blurry: np.ndarray) -> torch.Tensor:
    """The blur tensor (3, H, W) in pixels that `estimate_blur` finds in a blurry picture, float RGB (H, W, 3) in [0, 1] of any
    size: to the right and below it is continued by its border up to whole cells."""
    height, width = blurry.shape[:2]
    levels = np.rint(np.clip(blurry, 0, 1) * 255).astype(np.uint8)
    whole = cv2.copyMakeBorder(levels, 0, -height % CELL, 0, -width % CELL, cv2.BORDER_REPLICATE)
    tensor = torch.from_numpy(estimate_blur(whole).motion)[None]
    return on_pixels(tensor, torch.empty(1, 3, height, width), CELL)[0]


def learnt_motion(weights: Path, device: torch.device) -> Motion:
    """The same by a MotionEstimator; its arguments stand in the JSON file beside its weights, else they are the default ones.

    Raises:
        UserError: weights that cannot be read or are those of another network.
    """
    network = _estimator(weights)
    load_weights(network, read_weights(weights, 'params_ema'), weights)
    network.to(device).eval()

    def estimate(blurry: np.ndarray) -> torch.Tensor:
        picture = torch.from_numpy(np.ascontiguousarray(blurry.transpose(2, 0, 1), np.float32))[None].to(device)
        with torch.inference_mode():
            cells = on_picture(network(pad_to_multiple(picture, network.size_multiple)).float(), picture, network.cell)
            return on_pixels(cells, picture, network.cell)[0]

    return estimate


def _estimator(weights: Path) -> MotionEstimator:
    config = weights.with_suffix('.json')
    if not config.is_file():
        return MotionEstimator()
    try:
        section: dict[str, Any] = json.loads(config.read_text(encoding='utf-8'))['network_g']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f'motion_weights: {config} does not say which network this is ({error})') from None
    if section.get('type') != 'MotionEstimator':
        raise UserError(f"motion_weights: {weights} is a {section.get('type')}, expected a MotionEstimator, which "
                        'options/motion.yml trains')
    return build_network(dict(section))
