"""A drawn blur as tensors of fixed shapes, which travel in a sample and are rendered on the model's device (`torch_render`)."""

import numpy as np
import torch
from torch import Tensor

from glowdeblur_plugin.data.simulate.camera import RESPONSES
from glowdeblur_plugin.data.simulate.homography import inverse, sub_frames
from glowdeblur_plugin.data.simulate.plan import BlurPlan
from glowdeblur_plugin.data.simulate.scene import MOST_LAYERS
from glowdeblur_plugin.data.simulate.trajectory import MOST_FRAMES

Recipe = dict[str, Tensor]


def empty_recipe(side: int) -> Recipe:
    """The recipe of a sample that is no simulated blur, with the shapes of every other one.

    Args:
        side: of the sharp picture with its margin, in pixels.

    Returns:
        `active` (bool); `picture` (3, side, side) uint8 RGB; `covers` (2, side, side) uint8; `frames` (3, 641, 3, 3) float32:
        for the background and the two layers, the homography from a pixel of each sub-frame to the sharp picture's, from the
        middle; `weights` (641) of the sub-frames and `count` of them; `layers`: their number; `contents` (2): the layers'
        flips, 0 for none; `radius`, `highlights`; `response`: index into RESPONSES; `noise`, `read_noise`, `noise_seed`,
        `bayer`; `jpeg_quality`, 0 for none; `symmetry` (3): flip left to right, flip upside down, transpose.
    """
    return {
        'active': torch.tensor(False),
        'picture': torch.zeros(3, side, side, dtype=torch.uint8),
        'covers': torch.zeros(MOST_LAYERS, side, side, dtype=torch.uint8),
        'frames': torch.eye(3).repeat(1 + MOST_LAYERS, MOST_FRAMES, 1, 1),
        'weights': torch.eye(1, MOST_FRAMES)[0],
        'count': torch.tensor(1),
        'layers': torch.tensor(0),
        'contents': torch.zeros(MOST_LAYERS, dtype=torch.int64),
        'radius': torch.tensor(0.0),
        'highlights': torch.tensor(1.0),
        'response': torch.tensor(0),
        'noise': torch.tensor(0.0),
        'read_noise': torch.tensor(0.0),
        'noise_seed': torch.tensor(0),
        'bayer': torch.tensor(False),
        'jpeg_quality': torch.tensor(0),
        'symmetry': torch.zeros(3, dtype=torch.bool),
    }


def recipe_of(plan: BlurPlan, source: np.ndarray, covers: list[np.ndarray], symmetry: tuple[bool, bool, bool],
              side: int) -> Recipe:
    """The recipe of a plan for a square window, see `empty_recipe`.

    Args:
        source: the window and its surroundings, uint8 RGB (S, S, 3), S at most `side`; repeated outwards to `side`.
        covers: of the layers, uint8 (S, S) each.

    Raises:
        ValueError: a rolling shutter, which only the workers render.
    """
    if plan.background.ndim == 4:
        raise ValueError('a rolling shutter has no recipe: render it in the worker')
    recipe, development = empty_recipe(side), plan.development
    around = (side - len(source)) // 2
    padded = np.pad(source, ((around, around), (around, around), (0, 0)), 'edge')
    recipe['picture'] = torch.from_numpy(padded.transpose(2, 0, 1))
    for index, cover in enumerate(covers):
        recipe['covers'][index] = torch.from_numpy(np.pad(cover, around))
    for index, motion in enumerate((plan.background, *(layer.motion for layer in plan.layers))):
        frames = torch.from_numpy(inverse(sub_frames(motion)))
        recipe['frames'][index, :len(frames)] = frames
    recipe['weights'][:len(plan.weights)] = torch.from_numpy(plan.weights)
    recipe['contents'][:len(plan.layers)] = torch.tensor([layer.content or 0 for layer in plan.layers])
    values = {'active': True, 'count': len(plan.weights), 'layers': len(plan.layers), 'radius': plan.radius,
              'highlights': plan.highlights, 'response': RESPONSES.index(development.response), 'noise': development.noise,
              'read_noise': development.read_noise, 'noise_seed': development.noise_seed, 'bayer': development.bayer,
              'jpeg_quality': development.jpeg_quality or 0, 'symmetry': symmetry}
    return recipe | {key: torch.tensor(value, dtype=recipe[key].dtype) for key, value in values.items()}
