"""The simulator's twin in torch: renders the recipes of a batch on any device.

It agrees with `render` to 1e-3 in linear light before the noise, and with `develop` in the noise's mean and variance. What
decides which work is done (counts, numbers of layers, flips) is read from the recipes on the CPU, so nothing waits for the
device.
"""

import torch
from torch import Tensor
from torch.nn import functional

from glowdeblur_plugin.data.simulate import camera
from glowdeblur_plugin.data.simulate.recipe import Recipe
from glowdeblur_plugin.data.simulate.render import disk
from glowdeblur_plugin.data.simulate.torch_develop import column, develop_batch, exact_conv2d, expose_batch, linear_batch


@torch.no_grad()
def render_into(batch: dict[str, Tensor], recipes: Recipe) -> None:
    """Replace `lq` and `gt` of a batch, (N, 3, H, W) float32 in [0, 1], where its recipes are active; the rest stays as it is.

    Args:
        recipes: collated, on the CPU, see `empty_recipe`.
    """
    rows = recipes['active'].nonzero()[:, 0]
    if len(rows):
        recipes = {key: value[rows] for key, value in recipes.items()}
        lq, gt = render_batch(recipes, batch['lq'].shape[-1], batch['lq'].device)
        rows = rows.to(batch['lq'].device, non_blocking=True)
        batch['lq'] = batch['lq'].index_copy(0, rows, lq)
        batch['gt'] = batch['gt'].index_copy(0, rows, gt)


def render_batch(recipes: Recipe, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Blurry and sharp pictures of active recipes, both (N, 3, size, size) in [0, 1] in steps of 1/255."""
    blurry, sharp = expose_batch_light(recipes, size, device)
    lq, gt = develop_batch(blurry, recipes), expose_batch(sharp, recipes['response'])
    return flip_batch(lq, recipes['symmetry']), flip_batch(gt, recipes['symmetry'])


def expose_batch_light(recipes: Recipe, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Blurry and sharp windows in linear light, unclipped, before any flip, (N, 3, size, size); see `pipeline.expose_plan`."""
    source = _light(recipes, device)
    sharp = _middle(source, size).clone()
    blurry = torch.empty_like(sharp)
    layered, focused = recipes['layers'] > 0, recipes['radius'] == 0
    for rows in ((~layered & focused).nonzero()[:, 0], (layered & focused).nonzero()[:, 0]):
        if len(rows):
            rows = rows[recipes['count'][rows].argsort(descending=True, stable=True)]
            chosen = {key: value[rows] for key, value in recipes.items()}
            there = rows.to(device, non_blocking=True)
            background, layers = source[there], []
            for index in range(int(chosen['layers'].max())):
                layers.append(_layer(background, chosen['covers'][:, index], chosen['contents'][:, index]))
                sharp[there] = _over(_middle(layers[-1], size), sharp[there])
            blurry[there] = _average([background, *layers], chosen, size)
    rows = (~focused).nonzero()[:, 0]
    if len(rows):
        there = rows.to(device, non_blocking=True)
        blurry[there] = _defocus(source[there], recipes['radius'][rows].tolist(), size)
    return blurry, sharp


def flip_batch(pictures: Tensor, symmetries: Tensor) -> Tensor:
    """Each picture (N, C, H, H) under its symmetry (N, 3): flip left to right, flip upside down, then transpose."""
    flipped = pictures.clone()
    for horizontal, vertical, transpose in symmetries.unique(dim=0).tolist():
        rows = (symmetries == torch.tensor([horizontal, vertical, transpose])).all(dim=1).nonzero()[:, 0]
        rows = rows.to(pictures.device, non_blocking=True)
        chosen = pictures[rows].flip([axis for axis, wanted in ((-1, horizontal), (-2, vertical)) if wanted])
        flipped[rows] = chosen.transpose(-1, -2) if transpose else chosen
    return flipped


def _light(recipes: Recipe, device: torch.device) -> Tensor:
    """The sharp pictures in linear light with their highlights raised, (N, 3, S, S); see `pipeline`."""
    light = linear_batch(recipes['picture'].to(device, non_blocking=True), recipes['response'])
    if bool((recipes['highlights'] > 1).any()):
        starts = torch.tensor([camera.highlight_start(camera.RESPONSES[index]) for index in recipes['response'].tolist()])
        start = column(starts, device)
        luminance = (light * torch.tensor(camera.LUMINANCE, device=device)[:, None, None]).sum(dim=1, keepdim=True)
        light *= 1 + (column(recipes['highlights'], device) - 1) * ((luminance - start).clamp(min=0) / (1 - start)) ** 2
    return light


def _layer(background: Tensor, covers: Tensor, contents: Tensor) -> Tensor:
    """The picture or its mirror image within a cover, colours multiplied by it, and the cover: (N, 4, S, S)."""
    symmetries = torch.stack([contents != 0, contents < 0, torch.zeros_like(contents, dtype=torch.bool)], dim=1)
    cover = covers[:, None].to(background.device, non_blocking=True).float() / 255
    return torch.cat([flip_batch(background, symmetries) * cover, cover], dim=1)


def _over(layer: Tensor, background: Tensor) -> Tensor:
    return layer[:, :3] + background * (1 - layer[:, 3:])


def _average(planes: list[Tensor], recipes: Recipe, size: int) -> Tensor:
    """Weighted mean of the sub-frames of recipes in descending order of `count`, (N, 3, size, size).

    Args:
        planes: background (N, 3, S, S) and layers (N, 4, S, S), from far to near.
        recipes: of which `frames`, `weights` and `count` are used.
    """
    device, side = planes[0].device, planes[0].shape[-1]
    offsets = torch.arange(size, device=device) - (size - 1) / 2
    counts, weights = recipes['count'], recipes['weights'].to(device, non_blocking=True)[..., None, None, None]
    frames = recipes['frames'] * torch.tensor([2 / (side - 1), 2 / (side - 1), 1])[:, None]
    frames = frames.to(device, non_blocking=True)[..., None, None]
    total = torch.zeros(len(planes[0]), 3, size, size, device=device)
    for index in range(int(counts[0])):
        rows = int((counts > index).sum())
        seen = None
        for plane, matrices in zip(planes, frames[:rows, :, index].unbind(dim=1)):
            across, down, shift = matrices.unbind(dim=2)
            places = across * offsets + (down * offsets[:, None] + shift)
            grid = (places[:, :2] / places[:, 2:]).permute(0, 2, 3, 1)
            warped = functional.grid_sample(plane[:rows], grid, 'bilinear', 'zeros', align_corners=True)
            seen = warped if seen is None else _over(warped, seen)
        total[:rows].addcmul_(seen, weights[:rows, index])
    return total


def _defocus(source: Tensor, radii: list[float], size: int) -> Tensor:
    """Pictures seen through disks of `radii` pixels, (N, 3, size, size); see `render.defocus`."""
    disks = [torch.from_numpy(disk(radius)) for radius in radii]
    largest = max(map(len, disks))
    kernels = torch.stack([functional.pad(kernel, [(largest - len(kernel)) // 2] * 4) for kernel in disks])
    kernels = kernels.to(source.device, non_blocking=True).repeat_interleave(3, dim=0)[:, None]
    pictures = _middle(source, size + largest - 1).flatten(0, 1)[None]
    return exact_conv2d(pictures, kernels).view(-1, 3, size, size)


def _middle(pictures: Tensor, size: int) -> Tensor:
    edge = (pictures.shape[-1] - size) // 2
    return pictures[..., edge:edge + size, edge:edge + size]
