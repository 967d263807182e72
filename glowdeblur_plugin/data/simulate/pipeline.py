"""One sample from a sharp picture and a plan, in the order of physics."""

from typing import NamedTuple

import cv2
import numpy as np

from glowdeblur_plugin.data.picture_source import Window
from glowdeblur_plugin.data.simulate import camera, render
from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.motion import blur_tensor, path_motion
from glowdeblur_plugin.data.simulate.plan import BlurPlan, MovingObject, draw_plan, margin

EDGE_BLUR = 0.8


class Sample(NamedTuple):
    """Blurry `lq` and sharp `gt`, uint8 RGB (h, w, 3), and the blur tensor `motion`, float32 (3, h, w)."""

    lq: np.ndarray
    gt: np.ndarray
    motion: np.ndarray


def simulate(picture: np.ndarray, window: Window, domain: Domain, rng: np.random.Generator) -> Sample:
    """Draw a plan and render `window` of `picture`, which has at least `margin(domain)` pixels around the window."""
    return render_plan(picture, window, draw_plan(domain, window.height, window.width, rng), domain)


def render_plan(picture: np.ndarray, window: Window, plan: BlurPlan, domain: Domain) -> Sample:
    """Sub-frames in linear light, averaged, clipped, noise, camera response, 8 bit; the target takes the same clip and response.

    Args:
        picture: sharp, uint8 RGB (H, W, 3).
        window: the part to render; `margin(domain)` pixels around it must lie in the picture, so no made-up border enters.
    """
    edge = margin(domain)
    around = Window(window.top - edge, window.left - edge, window.height + 2 * edge, window.width + 2 * edge)
    height, width = picture.shape[:2]
    if min(around.top, around.left) < 0 or around.top + around.height > height or around.left + around.width > width:
        raise ValueError(f'{window} needs {edge} pixels around it, the picture has {picture.shape[:2]}')
    background = _light(render.cut(picture, around), domain, plan.highlights)
    inside = Window(edge, edge, window.height, window.width)
    motion = path_motion(plan.camera, window.height, window.width)
    sharp = render.cut(background, inside)
    if plan.moving is not None:
        layer = _layer(background, plan.moving, inside)
        blurry = render.average_layers(background, plan.camera, layer, plan.moving.path, inside)
        covered = render.cut(layer, inside)
        sharp = render.over(covered, sharp)
        motion = np.where(covered[..., 3] > 0.5, path_motion(plan.moving.path, window.height, window.width), motion)
    elif plan.kind == 'defocus':
        blurry = render.defocus(background, plan.radius, inside)
        variance = (plan.radius / 2) ** 2
        motion += blur_tensor(np.float64(variance), np.float64(0), np.float64(variance))[:, None, None]
    else:
        blurry = render.average(background, plan.camera, inside)
    return Sample(_develop(blurry, plan, domain), camera.expose(sharp[..., :3], domain.response), motion)


def _light(picture: np.ndarray, domain: Domain, highlights: float) -> np.ndarray:
    """uint8 RGB (H, W, 3) to linear light with its highlights raised, float32 (H, W, 4)."""
    linear = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA), camera.linear_table(domain.response))
    if highlights == 1:
        return linear
    gain = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), camera.highlight_table(highlights))
    return cv2.multiply(linear, cv2.merge([gain] * 4))


def _layer(background: np.ndarray, moving: MovingObject, inside: Window) -> np.ndarray:
    """The mirrored picture within the object's outline, colours multiplied by the cover, float32 (H, W, 4)."""
    outline = np.round((moving.outline + [inside.left, inside.top]) * 16).astype(np.int32)
    cover = np.zeros(background.shape[:2], np.uint8)
    cv2.fillPoly(cover, [outline], 255, lineType=cv2.LINE_AA, shift=4)
    cover = cv2.GaussianBlur(cover, (0, 0), EDGE_BLUR).astype(np.float32) / 255
    layer = cv2.flip(background, 1)
    layer[..., 3] = 1
    return layer * cover[..., None]


def _develop(blurry: np.ndarray, plan: BlurPlan, domain: Domain) -> np.ndarray:
    linear = np.clip(blurry[..., :3], 0, 1)
    if plan.noise > 0:
        linear = camera.add_noise(linear, plan.noise, domain.read_noise, np.random.default_rng(plan.noise_seed))
    return camera.expose(linear, domain.response)
