"""Between what is computed, tensors, and what is drawn, arrays."""

import numpy as np
import torch
from basicsr.utils import tensor2img
from torch import Tensor
from torch.nn import functional as F

from glowdeblur_plugin.drawing import motion_panel


def as_bytes(picture: Tensor) -> np.ndarray:
    """uint8 RGB (H, W, 3) of a picture (1, 3, H, W) in [0, 1]."""
    return np.ascontiguousarray(tensor2img(picture)[..., ::-1])


def as_tensor(picture: np.ndarray) -> Tensor:
    """Picture (1, 3, H, W) in [0, 1] of uint8 RGB (H, W, 3)."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def draw_motion(blurry: Tensor, motion: Tensor, truth: Tensor | None) -> Tensor:
    """`motion_panel` (1, 3, h, w) of a picture (1, 3, H, W) with its estimate (1, 3, a, b) and, where known, its true motion
    (1, 3, H', W'), averaged over the estimate's cells."""
    known = None if truth is None else F.adaptive_avg_pool2d(truth, motion.shape[-2:])[0].cpu().numpy()
    return as_tensor(motion_panel(as_bytes(blurry), motion[0].cpu().numpy(), known))
