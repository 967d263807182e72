"""Sub-frames by warps in linear light, averaged.

Pictures are float32 (H, W, 4) in linear light: OpenCV warps four channels faster than three. The fourth is the cover of a layer
(its colours are already multiplied by it) and unused in a background. Every function gets a picture with a margin and the
window of it that is to be rendered; homographies are about the window's middle, see `homography`. OpenCV 5 looks where it is
told to 1e-4 of a pixel, OpenCV 4 snaps to the nearest 1/32.
"""

from typing import NamedTuple

import cv2
import numpy as np

from glowdeblur_plugin.data.simulate.homography import inverse, sub_frames
from glowdeblur_plugin.data.window import Window

WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class MovingLayer(NamedTuple):
    """A layer's picture, float32 (H, W, 4) as large as the background's, colours multiplied by the cover, and its motion."""

    picture: np.ndarray
    motion: np.ndarray


def average(background: np.ndarray, motion: np.ndarray, weights: np.ndarray, window: Window,
            layers: tuple[MovingLayer, ...] = ()) -> np.ndarray:
    """Weighted mean of the sub-frames, float32 (h, w, 4).

    Each sub-frame is composited before the mean, so what the layers uncover and cover during the exposure is right.

    Args:
        motion: of the background, (K + 1, 3, 3), or (K + 1, h, 3, 3) with a rolling shutter, which takes no layers.
        weights: (K), or (K, h) with a rolling shutter, of the sub-frames; their sum is 1.
        layers: from far to near, with as many sub-frames.
    """
    if motion.ndim == 4:
        return _average_rows(background, motion, weights, window)
    frame = np.empty((window.height, window.width, 4), np.float32)
    total = np.zeros_like(frame)
    matrices = _from_window(motion, window)
    overlays = [_Overlay(layer, window) for layer in layers]
    for index, (matrix, weight) in enumerate(zip(matrices, weights)):
        cv2.warpPerspective(background, matrix, (window.width, window.height), dst=frame, flags=WARP)
        for overlay in overlays:
            overlay.put(frame, index)
        cv2.scaleAdd(frame, weight, total, dst=total)
    return total


def over(layer: np.ndarray, background: np.ndarray) -> np.ndarray:
    """`layer` (colours multiplied by its cover) over `background`, both float32 (h, w, 4)."""
    return layer + background - background * cv2.merge([layer[..., 3]] * 4)


def defocus(picture: np.ndarray, radius: float, window: Window) -> np.ndarray:
    """`picture` seen through a disk of `radius` pixels with a soft edge of one pixel, float32 (h, w, 4)."""
    reach = int(np.ceil(radius))
    around = Window(window.top - reach, window.left - reach, window.height + 2 * reach, window.width + 2 * reach)
    blurred = cv2.filter2D(around.cut(picture), -1, disk(radius))
    return Window(reach, reach, window.height, window.width).cut(blurred)


def disk(radius: float) -> np.ndarray:
    """Kernel float32 (2 ceil(radius) + 1 squared) of a disk with a soft edge of one pixel; its sum is 1."""
    reach = int(np.ceil(radius))
    offsets = np.arange(-reach, reach + 1)
    cover = np.clip(radius + 0.5 - np.hypot(offsets[:, None], offsets), 0, 1)
    return (cover / cover.sum()).astype(np.float32)


def shifted(x: float, y: float) -> np.ndarray:
    """The homography (3, 3) that moves by x, y pixels."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


class _Overlay:
    """A layer cut to the box that it covers and warped into the box that it ever reaches."""

    def __init__(self, layer: MovingLayer, window: Window) -> None:
        left, top, width, height = cv2.boundingRect((layer.picture[..., 3] > 0).view(np.uint8))
        patch = Window(top, left, height, width)
        middle_x, middle_y = window.left + (window.width - 1) / 2, window.top + (window.height - 1) / 2
        corners = np.array([[left - 1, top - 1, 1], [left + width, top - 1, 1], [left - 1, top + height, 1],
                            [left + width, top + height, 1]]) - [middle_x, middle_y, 0]
        frames = sub_frames(layer.motion)
        seen = np.einsum('kij,cj->kci', frames, corners)
        seen = seen[..., :2] / seen[..., 2:] + [middle_x - window.left, middle_y - window.top]
        first = np.clip(np.floor(seen.min(axis=(0, 1))).astype(int), 0, [window.width, window.height])
        last = np.clip(np.ceil(seen.max(axis=(0, 1))).astype(int) + 1, 0, [window.width, window.height])
        self.box = Window(first[1], first[0], *(last - first)[::-1])
        self.patch = patch.cut(layer.picture)
        self.matrices = (shifted(middle_x - left, middle_y - top) @ inverse(frames)
                         @ shifted(self.box.left + window.left - middle_x, self.box.top + window.top - middle_y))
        self.warped = np.empty((self.box.height, self.box.width, 4), np.float32)
        self.cover = np.empty_like(self.warped)

    def put(self, frame: np.ndarray, index: int) -> None:
        """Lay sub-frame `index` over `frame`, in place."""
        if self.warped.size:
            cv2.warpPerspective(self.patch, self.matrices[index], self.warped.shape[1::-1], dst=self.warped, flags=WARP)
            below = self.box.cut(frame)
            cv2.mixChannels([self.warped], [self.cover], [3, 0, 3, 1, 3, 2, 3, 3])
            cv2.multiply(below, self.cover, dst=self.cover)
            cv2.subtract(self.warped, self.cover, dst=self.cover)
            cv2.add(below, self.cover, dst=below)


def _from_window(motion: np.ndarray, window: Window) -> np.ndarray:
    """For each sub-frame, the homography from a pixel of the window to the picture's pixel that is seen there, (K, 3, 3)."""
    middle_x, middle_y = (window.width - 1) / 2, (window.height - 1) / 2
    return (shifted(middle_x + window.left, middle_y + window.top) @ inverse(sub_frames(motion))
            @ shifted(-middle_x, -middle_y))


def _average_rows(picture: np.ndarray, motion: np.ndarray, weights: np.ndarray, window: Window) -> np.ndarray:
    """`average` with homographies of every row, (K + 1, h, 3, 3), and weights (K, h)."""
    frames = inverse(sub_frames(motion))
    y = np.arange(window.height) - (window.height - 1) / 2
    rows = (frames[..., 1] * y[:, None] + frames[..., 2]).astype(np.float32)
    slopes = frames[..., 0].astype(np.float32)
    x = np.arange(window.width, dtype=np.float32) - np.float32((window.width - 1) / 2)
    middle = np.float32([window.left + (window.width - 1) / 2, window.top + (window.height - 1) / 2])
    total = np.zeros((window.height, window.width, 4), np.float32)
    weights = weights.astype(np.float32)[:, :, None, None]
    for slope, row, share in zip(slopes, rows, weights):
        from_x, from_y, weight = (slope[:, axis, None] * x + row[:, axis, None] for axis in range(3))
        from_x, from_y = from_x / weight + middle[0], from_y / weight + middle[1]
        total += cv2.remap(picture, from_x, from_y, cv2.INTER_LINEAR) * share
    return total
