"""One sample from a sharp picture and a plan, in the order of physics."""

from typing import NamedTuple

import cv2
import numpy as np

from glowdeblur_plugin.data.simulate import camera, motion, outline, render
from glowdeblur_plugin.data.simulate.develop import develop
from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.plan import BlurPlan, draw_plan
from glowdeblur_plugin.data.window import Window


class Sample(NamedTuple):
    """What became of a window.

    Attributes:
        lq, gt: blurry and sharp, uint8 RGB (h, w, 3).
        motion: the blur tensor, float32 (3, h, w), see `motion`.
        trajectory: see `motion.trajectory_of`, float32 (2 points, h, w); None where it was not asked for.
    """

    lq: np.ndarray
    gt: np.ndarray
    motion: np.ndarray
    trajectory: np.ndarray | None


class Truth(NamedTuple):
    """The motion of a sample: `motion` and `trajectory` of `Sample`."""

    motion: np.ndarray
    trajectory: np.ndarray | None


def simulate(picture: np.ndarray, window: Window, domain: Domain, rng: np.random.Generator, points: int = 0) -> Sample:
    """Draw a plan and render `window` of `picture`, see `render_plan`."""
    return render_plan(picture, window, draw_plan(domain, window.height, window.width, rng), points)


def render_plan(picture: np.ndarray, window: Window, plan: BlurPlan, points: int = 0) -> Sample:
    """Sub-frames in linear light, averaged, clipped, noise, camera response, 8 bit, JPEG; the target takes the same clip and
    response.

    Args:
        picture: sharp, uint8 RGB (H, W, 3).
        window: the part to render; `plan.edge` pixels around it must lie in the picture, so no made-up border enters.
        points: of the trajectory; 0 for none.

    Raises:
        ValueError: the window lies nearer to the border.
    """
    source = surroundings(picture, window, plan.edge)
    covers = layer_covers(plan, source)
    blurry, sharp = expose_plan(source, covers, plan)
    truth = true_motion(plan, covers, window.height, window.width, points)
    gt = camera.expose(sharp[..., :3], plan.development.response)
    return Sample(develop(blurry[..., :3], plan.development), gt, *truth)


def surroundings(picture: np.ndarray, window: Window, edge: int) -> np.ndarray:
    """The window with `edge` pixels around it, as a view of the picture (H, W, 3); see `render_plan`."""
    around = Window(window.top - edge, window.left - edge, window.height + 2 * edge, window.width + 2 * edge)
    height, width = picture.shape[:2]
    if min(around.top, around.left) < 0 or around.top + around.height > height or around.left + around.width > width:
        raise ValueError(f'{window} needs {edge} pixels around it, the picture has {picture.shape[:2]}')
    return around.cut(picture)


def layer_covers(plan: BlurPlan, source: np.ndarray) -> list[np.ndarray]:
    """Cover of each layer in the window's surroundings, uint8 (H, W), see `outline.cover`."""
    return [outline.cover(layer.outline, *source.shape[:2]) for layer in plan.layers]


def expose_plan(source: np.ndarray, covers: list[np.ndarray], plan: BlurPlan) -> tuple[np.ndarray, np.ndarray]:
    """The blurry and the sharp window of `source` in linear light, unclipped, float32 (h, w, 4)."""
    edge = plan.edge
    inside = Window(edge, edge, source.shape[0] - 2 * edge, source.shape[1] - 2 * edge)
    background = _light(source, plan.development.response, plan.highlights)
    layers = tuple(render.MovingLayer(_layer(background, cover, layer.content), layer.motion)
                   for cover, layer in zip(covers, plan.layers))
    if plan.radius:
        blurry = render.defocus(background, plan.radius, inside)
    else:
        blurry = render.average(background, plan.background, plan.weights, inside, layers)
    sharp = inside.cut(background)
    for layer in layers:
        sharp = render.over(inside.cut(layer.picture), sharp)
    return blurry, sharp


def true_motion(plan: BlurPlan, covers: list[np.ndarray], height: int, width: int, points: int = 0) -> Truth:
    """The motion of a window of height x width pixels; where a layer covers more than half of a pixel, its motion counts.

    A disk out of focus adds its covariance to that of the motion.
    """
    covariance = motion.covariance_of(plan.background, plan.weights, height, width)
    path = motion.trajectory_of(plan.background, plan.weights, height, width, points) if points else None
    covariance[[0, 2]] += (plan.radius / 2) ** 2
    for cover, layer in zip(covers, plan.layers):
        covered = Window(plan.edge, plan.edge, height, width).cut(cover) > 127
        np.copyto(covariance, motion.covariance_of(layer.motion, plan.weights, height, width), where=covered)
        if points:
            np.copyto(path, motion.trajectory_of(layer.motion, plan.weights, height, width, points), where=covered)
    return Truth(motion.blur_tensor(*covariance), path)


def _light(picture: np.ndarray, response: camera.Response, highlights: float) -> np.ndarray:
    """uint8 RGB (H, W, 3) to linear light with its highlights raised, float32 (H, W, 4)."""
    linear = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA), camera.linear_table(response))
    if highlights > 1:
        luminance = cv2.transform(linear, np.float32([[*camera.LUMINANCE, 0]]))
        bright = luminance > camera.highlight_start(response)
        linear[bright] *= camera.highlight_gain(luminance[bright], response, highlights)[:, None]
    return linear


def _layer(background: np.ndarray, cover: np.ndarray, content: int | None) -> np.ndarray:
    """The picture, or its mirror image, within a cover, colours multiplied by it, float32 (H, W, 4)."""
    layer = background.copy() if content is None else cv2.flip(background, content)
    layer[..., 3] = 1
    return cv2.multiply(layer, cv2.merge([cover] * 4), scale=1 / 255, dtype=cv2.CV_32F)
