"""A look at the blur domains: one row of samples a domain, from the shortest to the longest blur, beside real blur."""

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from glowdeblur_plugin.data.dataset_base import random_crop
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.simulate.domains import DOMAINS
from glowdeblur_plugin.data.simulate.pipeline import render_plan
from glowdeblur_plugin.data.simulate.plan import draw_plan, margin
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.drawing import GAP, labelled_strip, motion_arrows
from glowdeblur_plugin.errors import UserError

STRENGTHS = 6
DRAWN_EVERY = 3
CROPS_TRIED = 12
DARKEST, BRIGHTEST = 30, 225

Panel = tuple[str, np.ndarray]


def contact_sheet(pictures: Sequence[np.ndarray], domains: Sequence[str], beside: Sequence[np.ndarray] = (), seed: int = 0,
                  side: int = 192, progress: Progress = silent) -> np.ndarray:
    """One row a domain: six crops from its shortest to its longest blur, its kinds in turn; every third is shown again with
    the true blur drawn on it. A last row shows crops of real blurry pictures.

    Args:
        pictures: sharp, uint8 RGB (H, W, 3), used in turn.
        domains: names in `DOMAINS`.
        beside: real blurry pictures, uint8 RGB.
        seed: of the crops and blurs.
        side: of a crop in pixels.

    Returns:
        uint8 RGB picture.

    Raises:
        UserError: no picture has room for a crop and its margin.
    """
    rows = []
    for name in domains:
        progress('domains drawn', len(rows), len(domains))
        rows.append(labelled_strip(_domain_row(name, pictures, side, np.random.default_rng((seed, len(rows))))))
    progress('domains drawn', len(domains), len(domains))
    if beside:
        rows.append(labelled_strip(_real_row(beside, side, np.random.default_rng(seed))))
    gap = np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)
    return np.concatenate(list(itertools.chain.from_iterable((row, gap) for row in rows))[:-1])


def _domain_row(name: str, pictures: Sequence[np.ndarray], side: int, rng: np.random.Generator) -> list[Panel]:
    domain, panels = DOMAINS[name], []
    usable = _with_room(pictures, side + 2 * margin(domain))
    kinds = rng.permutation(list(domain.kinds))
    for index, length in enumerate(np.linspace(*domain.blur_length, STRENGTHS)):
        picture, kind = usable[rng.integers(len(usable))], str(kinds[index % len(kinds)])
        one = dataclasses.replace(domain, kinds={kind: 1.0}, blur_length=(length, length))
        sample = render_plan(picture, _textured(picture, side, margin(one), rng), draw_plan(one, side, side, rng))
        panels.append((f'{name} {kind} {length:.0f} px', sample.lq))
        if index % DRAWN_EVERY == DRAWN_EVERY - 1:
            panels.append(('its true blur', motion_arrows(sample.lq, sample.motion)))
    return panels


def _real_row(pictures: Sequence[np.ndarray], side: int, rng: np.random.Generator) -> list[Panel]:
    usable = _with_room(pictures, side)
    chosen = [usable[index % len(usable)] for index in range(STRENGTHS + STRENGTHS // DRAWN_EVERY)]
    windows = [_textured(picture, side, 0, rng) for picture in chosen]
    return [('real', window.cut(picture)) for picture, window in zip(chosen, windows)]


def _with_room(pictures: Sequence[np.ndarray], needed: int) -> list[np.ndarray]:
    usable = [picture for picture in pictures if min(picture.shape[:2]) >= needed]
    if not usable:
        raise UserError(f'none of the {len(pictures)} pictures is at least {needed}x{needed} pixels, as a crop and its margin '
                        'need; give larger ones')
    return usable


def _textured(picture: np.ndarray, side: int, edge: int, rng: np.random.Generator) -> Window:
    """Of twelve random windows that of the most texture: blur does not show on a plain sky or wall."""
    windows = [random_crop(picture.shape[:2], side, edge, rng) for _ in range(CROPS_TRIED)]
    return max(windows, key=lambda window: texture(window.cut(picture)))


def texture(picture: np.ndarray) -> float:
    """Mean of log(1 + gradient in levels a pixel) of uint8 RGB (H, W, 3) over the pixels of 30 to 225 levels, the others
    counted as 0: much texture goes before one strong edge, and what is black or burnt out has none. Our choice."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    x, y = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return float((np.log1p(np.hypot(x, y)) * ((grey >= DARKEST) & (grey <= BRIGHTEST))).mean())
