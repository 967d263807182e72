"""Fidelity without truth: the restored picture, blurred again along the motion, must be the blurry one."""

from collections.abc import Callable

import numpy as np
import torch

from glowdeblur_plugin.metrics.fidelity import psnr
from glowdeblur_plugin.metrics.measure import PictureFailed
from glowdeblur_plugin.metrics.protocols import Protocol
from glowdeblur_plugin.losses.light import Response
from glowdeblur_plugin.losses.reblur_loss import reblur

Motion = Callable[[np.ndarray], np.ndarray | torch.Tensor]


class MotionFidelity:
    """PSNR in dB of the restored picture, re-blurred along the estimated motion, against the blurry picture (the principle of
    ReblurLoss; our choice). It tells whether a result belongs to its input, not whether it is good: a picture that was not
    deblurred at all loses, and so does one with invented content, but a wrong estimate of the motion costs all of them.

    Args:
        protocol: how the re-blurred picture is rounded.
        motion: the blurry picture, float RGB (H, W, 3) in [0, 1], to its blur tensor (3, h, w) in pixels, the cells covering the
            whole picture.
        response: of the camera, undone before averaging.
        rim: pixels at the border that are not compared, since their light came from outside.
        device: where the picture is blurred.
    """

    def __init__(self, protocol: Protocol, motion: Motion, response: Response, rim: int, device: torch.device) -> None:
        self._protocol, self._motion, self._response, self._rim, self._device = protocol, motion, response, rim, device

    def __call__(self, restored: np.ndarray, blurry: np.ndarray) -> float:
        """The score of two pictures, float64 RGB (H, W, 3) in [0, 1].

        Raises:
            PictureFailed: the rim leaves nothing.
        """
        height, width = blurry.shape[:2]
        if min(height, width) <= 2 * self._rim:
            raise PictureFailed(f'reblur: a rim of {self._rim} pixels leaves nothing of {width}x{height}')
        tensor = torch.as_tensor(self._motion(blurry.astype(np.float32)), dtype=torch.float32, device=self._device)
        sharp = torch.from_numpy(np.ascontiguousarray(restored.transpose(2, 0, 1), np.float32)).to(self._device)
        with torch.no_grad():
            again = reblur(sharp[None], tensor[None], self._response)[0].permute(1, 2, 0).cpu().numpy()
        inner = np.s_[self._rim:height - self._rim, self._rim:width - self._rim]
        return psnr(self._protocol.prepare(again)[inner], blurry[inner])
