"""The camera of `camera` and `develop` in torch, for batches; the recipes stay on the CPU, see `recipe`."""

from copy import deepcopy
from functools import lru_cache

import torch
from basicsr.utils.diffjpeg import DiffJPEG, quality_to_factor
from torch import Tensor
from torch.nn import functional

from glowdeblur_plugin.data.simulate.camera import RESPONSES, Response, linear_table
from glowdeblur_plugin.data.simulate.develop import GREEN_KERNEL, RED_BLUE_KERNEL
from glowdeblur_plugin.data.simulate.recipe import Recipe

JPEG_UNIT = 16


def linear_batch(levels: Tensor, responses: Tensor) -> Tensor:
    """uint8 pictures (N, 3, H, W) to linear light in [0, 1], float32; `responses` (N) are indices into RESPONSES."""
    tables = torch.stack([torch.from_numpy(linear_table(response)) for response in RESPONSES]).flatten()
    first = column(responses * 256, levels.device).int()
    return tables.to(levels.device, non_blocking=True)[first + levels]


def expose_batch(linear: Tensor, responses: Tensor) -> Tensor:
    """Clip linear light (N, 3, H, W) to [0, 1], apply the response and round to steps of 1/255; see `camera.expose`."""
    exposed = linear.clamp(0, 1)
    for index in responses.unique().tolist():
        rows = (responses == index).nonzero()[:, 0].to(linear.device, non_blocking=True)
        exposed[rows] = _from_linear(exposed[rows], RESPONSES[index])
    return exposed.mul_(255).round_().div_(255)


def develop_batch(linear: Tensor, recipes: Recipe) -> Tensor:
    """Blurry pictures (N, 3, H, W) in [0, 1] in steps of 1/255 from linear light; see `develop.develop`."""
    linear, device = linear.clamp(0, 1), linear.device
    noise = _white_noise(linear, recipes['noise_seed'].tolist()) * column(recipes['noise'], device)
    floor = column(recipes['read_noise'], device) ** 2
    for bayer in (False, True):
        rows = (recipes['bayer'] == bayer).nonzero()[:, 0].to(device, non_blocking=True)
        if len(rows):
            seen = mosaic_batch(linear[rows]) if bayer else linear[rows]
            seen = seen + noise[rows, :seen.shape[1]] * (seen + floor[rows]).sqrt()
            linear[rows] = demosaic_batch(seen) if bayer else seen
    return _jpeg(expose_batch(linear, recipes['response']), recipes['jpeg_quality'])


def mosaic_batch(pictures: Tensor) -> Tensor:
    """What an RGGB colour filter lets through, (N, 1, H, W) of (N, 3, H, W)."""
    seen = pictures[:, 1:2].clone()
    seen[..., ::2, ::2] = pictures[:, :1, ::2, ::2]
    seen[..., 1::2, 1::2] = pictures[:, 2:, 1::2, 1::2]
    return seen


def demosaic_batch(mosaic: Tensor) -> Tensor:
    """RGB (N, 3, H, W) from mosaics (N, 1, H, W); see `develop.demosaic`."""
    planes = torch.zeros_like(mosaic).repeat(1, 3, 1, 1)
    for channel, row, column_ in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        planes[:, channel, row::2, column_::2] = mosaic[:, 0, row::2, column_::2]
    kernels = torch.stack([torch.from_numpy(kernel) for kernel in (RED_BLUE_KERNEL, GREEN_KERNEL, RED_BLUE_KERNEL)])[:, None]
    planes = functional.pad(planes, (1, 1, 1, 1), 'reflect')
    return exact_conv2d(planes, kernels.to(mosaic.device, non_blocking=True))


def exact_conv2d(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Each channel of `pictures` (N, C, H, W) under its kernel of (C, 1, h, w), in full float32 on any device, unpadded."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return functional.conv2d(pictures, kernels, groups=len(kernels))


def column(values: Tensor, device: torch.device) -> Tensor:
    """Values (N) on the device as (N, 1, 1, 1)."""
    return values.to(device, non_blocking=True)[:, None, None, None]


def _from_linear(linear: Tensor, response: Response) -> Tensor:
    if response == 'srgb':
        return torch.where(linear <= 0.04045 / 12.92, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return linear ** (1 / 2.2) if response == 'gamma22' else linear


def _white_noise(like: Tensor, seeds: list[int]) -> Tensor:
    noise = torch.empty_like(like)
    for picture, seed in zip(noise, seeds):
        picture.normal_(generator=torch.Generator(like.device).manual_seed(seed))
    return noise


def _jpeg(pictures: Tensor, qualities: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) in [0, 1] through JPEG where `qualities` (N) is above 0, in steps of 1/255."""
    rows = (qualities > 0).nonzero()[:, 0]
    if not len(rows):
        return pictures
    device, (height, width) = pictures.device, pictures.shape[-2:]
    factor = torch.tensor([quality_to_factor(quality) for quality in qualities[rows].tolist()])
    factor, rows = factor.to(device, non_blocking=True), rows.to(device, non_blocking=True)
    whole = functional.pad(pictures[rows], (0, -width % JPEG_UNIT, 0, -height % JPEG_UNIT), 'replicate')
    codec = _codec(device)
    decoded = codec.decompress(*codec.compress(whole, factor), *whole.shape[-2:], factor)[..., :height, :width]
    return pictures.index_copy(0, rows, decoded.mul(255).round_().div_(255))


@lru_cache
def _codec(device: torch.device) -> DiffJPEG:
    """BasicSR's JPEG with plain rounding; a copy, since all its instances share their tables."""
    return deepcopy(DiffJPEG(differentiable=False)).requires_grad_(False).to(device)
