"""Fidelity without truth: the restored picture, blurred again along the motion, must be the blurry one."""

from collections.abc import Callable

import numpy as np
import torch

from glowdeblur_plugin.losses.light import Response
from glowdeblur_plugin.losses.reblur_loss import reblur
from glowdeblur_plugin.metrics.fidelity import psnr
from glowdeblur_plugin.metrics.measure import PictureFailed
from glowdeblur_plugin.metrics.protocols import Protocol

Motion = Callable[[np.ndarray], np.ndarray | torch.Tensor]


class MotionFidelity:
    """How well the restored picture, re-blurred along the motion, explains the blurry one (the principle of ReblurLoss; our
    choice). It asks whether a result belongs to its input, not whether it is good.

    `reblur` is the PSNR of the re-blurred against the blurry picture. Along the true motion the sharp picture has the highest;
    along estimates, which are too short, the blurry picture itself beats it on real pairs. `reblur-gain` is by how many dB the
    re-blur brings the restored picture nearer to the blurry one: what does next to nothing is last, along estimates too, but
    noise gains as detail does. So neither ranks methods alone.

    Args:
        protocol: how the re-blurred picture is rounded.
        motion: the blurry picture, float RGB (H, W, 3) in [0, 1], to its blur tensor (3, h, w) in pixels, the cells covering
            the whole picture.
        response: of the camera, undone before averaging.
        rim: pixels at the border that are not compared, since their light came from outside.
        device: where the picture is blurred.
        relative: of `reblur-gain`.
    """

    def __init__(self, protocol: Protocol, motion: Motion, response: Response, rim: int, device: torch.device,
                 relative: bool = False) -> None:
        self._protocol, self._motion, self._response, self._rim, self._device = protocol, motion, response, rim, device
        self._relative = relative

    def __call__(self, restored: np.ndarray, blurry: np.ndarray) -> float:
        """The score in dB of two pictures, float64 RGB (H, W, 3) in [0, 1].

        Raises:
            PictureFailed: the rim leaves nothing; of `reblur-gain`, the restored picture is the blurry one.
        """
        height, width = blurry.shape[:2]
        if min(height, width) <= 2 * self._rim:
            raise PictureFailed(f'reblur: a rim of {self._rim} pixels leaves nothing of {width}x{height}')
        tensor = torch.as_tensor(self._motion(blurry.astype(np.float32)), dtype=torch.float32, device=self._device)
        sharp = torch.from_numpy(np.ascontiguousarray(restored.transpose(2, 0, 1), np.float32)).to(self._device)
        with torch.no_grad():
            again = reblur(sharp[None], tensor[None], self._response)[0].permute(1, 2, 0).cpu().numpy()
        inner = np.s_[self._rim:height - self._rim, self._rim:width - self._rim]
        score = psnr(self._protocol.prepare(again)[inner], blurry[inner])
        if not self._relative:
            return score
        if np.array_equal(restored[inner], blurry[inner]):
            raise PictureFailed('reblur-gain: the restored picture is the blurry one')
        return score - psnr(restored[inner], blurry[inner])
