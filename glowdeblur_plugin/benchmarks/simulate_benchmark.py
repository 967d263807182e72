"""Pictures a second of the blur simulator: on one core, and of its twin on a GPU beside the time that its bytes need."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
import torch

from glowdeblur_plugin.benchmarks.figures import Figure, figure
from glowdeblur_plugin.data.photographs import training_photographs
from glowdeblur_plugin.data.simulate import trajectory
from glowdeblur_plugin.data.simulate.camera_path import draw_camera
from glowdeblur_plugin.data.simulate.develop import Development
from glowdeblur_plugin.data.simulate.domains import DOMAINS
from glowdeblur_plugin.data.simulate.pipeline import layer_covers, render_plan, surroundings
from glowdeblur_plugin.data.simulate.plan import BlurPlan, draw_plan, margin
from glowdeblur_plugin.data.simulate.recipe import Recipe, recipe_of
from glowdeblur_plugin.data.simulate.scene import MIRRORED, UPSIDE_DOWN, Layer
from glowdeblur_plugin.data.simulate.torch_render import render_batch
from glowdeblur_plugin.data.window import Window

SIDE, EDGE, FRAMES, LENGTH = 256, 40, 33, 20.0
ROUNDS, PICTURES = 5, 40
BATCH = 32
QUARTER = SIDE / 4 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
VALUES_A_SUB_FRAME = 25
MEMORY_COPY_BYTES = 1 << 30


def measure_simulator() -> dict[str, Figure]:
    """Pictures a second on one core, the whole chain: light, 33 sub-frames of 256x256, noise, response, JPEG, true motion.

    Returns:
        over five rounds: `simulate_plane_per_s_core` for a shaken camera before a flat scene, `simulate_layers_per_s_core` with
        two layers, each a quarter of the frame; `simulate_pretraining_per_s_core` for what the domain `pretraining` draws, with
        the drawing and as many sub-frames as each draw needs.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    plane, layers = ([simulator_plan(number, seed) for seed in range(PICTURES)] for number in (0, 2))
    try:
        return {'simulate_plane_per_s_core': _rounds(lambda: plane, 'goal 50'),
                'simulate_layers_per_s_core': _rounds(lambda: layers, 'goal 20'),
                'simulate_pretraining_per_s_core': _rounds(_pretraining_plans)}
    finally:
        cv2.setNumThreads(threads)


def measure_twin(device: torch.device) -> dict[str, Figure]:
    """Pictures a second of the torch twin at batch 32 for a shaken plane, and how many times as long it takes as its bytes.

    Counted are the bytes of the sub-frames as they are written in torch, kernel by kernel: for a pixel and sub-frame, 25
    float32 values (3 written as places; 5 to divide them; 8 to sample: grid and picture read, frame written; 9 to add it up),
    besides the sharp picture read once and the two results written. The device's rate is measured by copying a GiB.

    Returns:
        over five rounds, `simulate_twin_per_s` and `simulate_twin_times_bytes`.
    """
    recipes = _recipes()
    rows = {'simulate_twin_per_s': [], 'simulate_twin_times_bytes': []}
    pixels = BATCH * SIDE * SIDE
    needed = recipes['picture'].nbytes + 4 * pixels * (FRAMES * VALUES_A_SUB_FRAME + 2 * 3)
    content = torch.empty(MEMORY_COPY_BYTES, dtype=torch.uint8, device=device)
    copy = torch.empty_like(content)
    for _ in range(ROUNDS):
        seconds = _timed(lambda: render_batch(recipes, SIDE, device))
        byte_seconds = _timed(lambda: copy.copy_(content)) / (2 * MEMORY_COPY_BYTES)
        rows['simulate_twin_per_s'].append(BATCH / seconds)
        rows['simulate_twin_times_bytes'].append(seconds / (needed * byte_seconds))
    notes = ('goal 10,000', 'goal at most 4')
    return {name: figure(values, note) for (name, values), note in zip(rows.items(), notes)}


def simulator_plan(layers: int, seed: int) -> BlurPlan:
    """A shaken camera, 33 sub-frames of 256x256 pixels, before a background and `layers` (at most 2) nearer ones, each a
    quarter of the frame; with noise and JPEG."""
    rng = np.random.default_rng(seed)
    depths = [1.0, 0.8, 0.6][:1 + layers]
    path = draw_camera(LENGTH, False, depths[-1], 0.3, SIDE, SIDE, rng)
    instants = trajectory.straight(FRAMES)
    background, *motions = (path.motion(depth, instants) for depth in depths)
    covering = tuple(Layer(motion, QUARTER + [side * SIDE / 4, 0], content)
                     for motion, side, content in zip(motions, (-1, 1), (MIRRORED, UPSIDE_DOWN)))
    return BlurPlan('shake', LENGTH, background, covering, np.diff(instants), 0.0, 2.0,
                    Development('srgb', 0.01, 0.03, seed, False, 90), EDGE)


def _rounds(plans: Callable[[], Iterable[BlurPlan]], note: str = '') -> Figure:
    _pictures_per_second(plans())
    return figure([_pictures_per_second(plans()) for _ in range(ROUNDS)], note)


def _pictures_per_second(plans: Iterable[BlurPlan]) -> float:
    photographs = _photographs()
    start = time.perf_counter()
    for plan, picture in zip(plans, itertools.cycle(photographs)):
        render_plan(picture, Window(plan.edge, plan.edge, SIDE, SIDE), plan)
    return PICTURES / (time.perf_counter() - start)


def _pretraining_plans() -> Iterator[BlurPlan]:
    rng = np.random.default_rng(0)
    return (draw_plan(DOMAINS['pretraining'], SIDE, SIDE, rng) for _ in range(PICTURES))


def _photographs() -> list[np.ndarray]:
    side = SIDE + 2 * max(EDGE, margin(DOMAINS['pretraining']))
    return [picture[:side, :side] for picture in training_photographs().values() if min(picture.shape[:2]) >= side]


def _recipes() -> Recipe:
    recipes, window = [], Window(EDGE, EDGE, SIDE, SIDE)
    for seed, picture in zip(range(BATCH), itertools.cycle(_photographs())):
        plan, source = simulator_plan(0, seed), surroundings(picture, window, EDGE)
        recipes.append(recipe_of(plan, source, layer_covers(plan, source), (False, False, False), SIDE + 2 * EDGE))
    return torch.utils.data.default_collate(recipes)


def _timed(work: Callable[[], object], repeats: int = 10) -> float:
    """Seconds of one call on the GPU, after a call to warm up."""
    work()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats
