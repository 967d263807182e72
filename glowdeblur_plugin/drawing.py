"""Pictures for people: labelled strips and motion maps, as uint8 RGB arrays (H, W, 3)."""

import math

import cv2
import numpy as np

BAR = 22
GAP = 4
THINNEST = 1.5
WHEEL = 120
BLUR_COLOUR = (200, 0, 0)


def encode_png(picture: np.ndarray) -> bytes:
    """The bytes of a PNG file of a uint8 RGB picture (H, W, 3)."""
    return cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def labelled_strip(panels: list[tuple[str, np.ndarray]]) -> np.ndarray:
    """Pictures of equal height side by side, each under a bar with its label.

    Args:
        panels: (label, uint8 RGB picture (H, W, 3)).

    Returns:
        uint8 RGB picture (H + bar, sum of widths + gaps, 3).
    """
    columns = []
    for index, (label, picture) in enumerate(panels):
        bar = np.full((BAR, picture.shape[1], 3), 255, np.uint8)
        cv2.putText(bar, label, (4, BAR - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        if index:
            columns.append(np.full((picture.shape[0] + BAR, GAP, 3), 255, np.uint8))
        columns.append(np.concatenate([bar, picture]))
    return np.concatenate(columns, axis=1)


def motion_colours(motion: np.ndarray, longest: float) -> np.ndarray:
    """A blur tensor (3, h, w) as colours: hue = direction (0 to 180 degrees), saturation = how directed the blur is, brightness =
    length / `longest`."""
    directed = np.hypot(motion[0], motion[1])
    length = directed + np.maximum(motion[2], 0)
    hue = np.degrees(np.arctan2(motion[1], motion[0])) % 360 / 2
    saturation = directed / np.maximum(length, 1e-6)
    value = np.clip(length / max(longest, 1e-6), 0, 1)
    hsv = np.stack([np.round(hue) % 180, np.round(saturation * 255), np.round(value * 255)], axis=-1).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def motion_arrows(picture: np.ndarray, motion: np.ndarray, every: int = 24) -> np.ndarray:
    """The picture, dimmed, with the blur drawn on it: ellipses as long and as wide as it, L = D + L_minor and L_minor pixels,
    that become segments along straight blur.

    Args:
        picture: uint8 RGB (H, W, 3).
        motion: blur tensor (3, h, w) in pixels, on any grid.
        every: pixels between ellipses.
    """
    canvas = picture // 2 + 96
    height, width = picture.shape[:2]
    for y in range(every // 2, height, every):
        for x in range(every // 2, width, every):
            cosine, sine, minor = motion[:, y * motion.shape[1] // height, x * motion.shape[2] // width]
            minor = max(float(minor), 0.0)
            box = ((x, y), (math.hypot(cosine, sine) + minor, minor), math.degrees(math.atan2(sine, cosine)) / 2)
            if minor < THINNEST:
                start, _, end, _ = cv2.boxPoints(box)
                cv2.line(canvas, tuple(map(round, start.tolist())), tuple(map(round, end.tolist())), BLUR_COLOUR, 1, cv2.LINE_AA)
            else:
                cv2.ellipse(canvas, box, BLUR_COLOUR, 1, cv2.LINE_AA)
    return canvas


def motion_wheel(height: int, width: int) -> np.ndarray:
    """Legend of `motion_colours`, uint8 RGB (height, width, 3): a disk in which the colour at an angle and a distance from the
    middle is that of straight blur in this direction, as long as the distance, the longest at the rim; grey around it."""
    radius = min(height, width) / 2 - 1
    y, x = np.mgrid[:height, :width] - np.array([height - 1, width - 1]).reshape(2, 1, 1) / 2
    length, doubled = np.hypot(x, y), 2 * np.arctan2(y, x)
    motion = np.stack([length * np.cos(doubled), length * np.sin(doubled), np.zeros_like(length)])
    wheel = motion_colours(motion, radius)
    wheel[length > radius] = 128
    return wheel


def motion_panel(picture: np.ndarray, estimate: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    """Estimated, and where known true, blur of a blurry picture: segments on the picture, colours beside them and the colours'
    legend, as one strip."""
    longest = max(float(np.hypot(*m[:2]).max() + m[2].max()) for m in (estimate, truth) if m is not None)
    size = picture.shape[1::-1]
    panels = []
    for label, motion in (('estimated', estimate), ('true', truth)):
        if motion is not None:
            colours = cv2.resize(motion_colours(motion, longest), size, interpolation=cv2.INTER_NEAREST)
            panels += [(f'{label} blur', motion_arrows(picture, motion)), (f'{label}, longest {longest:.0f} px', colours)]
    return labelled_strip([*panels, (f'rim {longest:.0f} px', motion_wheel(picture.shape[0], WHEEL))])
