"""Supervision of the motion estimator without truth: the sharp picture, blurred along the estimate, must be the blurry one."""

from collections.abc import Sequence
from typing import Annotated

import torch
from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.losses.light import Response, from_light, to_light
from glowdeblur_plugin.options import Between

POINTS = 15
SMALLEST = 0.01
CHARBONNIER = 1e-3


@LOSS_REGISTRY.register()
class ReblurLoss(nn.Module):
    """Charbonnier distance of the re-blurred sharp picture to the blurry one (the principle of Motion-ETR, Zhang et al. 2021;
    blur tensor and terms are our choice), and a price on rough and on negative estimates.

    Only pairs whose target was taken at the centre of the exposure may count: the re-blur has no shift. Which do, and in which
    light their blurry pictures were averaged, is said for each part of the data.

    Args:
        responses: name of a part of a mixture, or else the samples' `domain` -> the camera response that is undone before
            averaging, `none` for sets that averaged 8-bit frames as they were. Samples of parts not named do not count.
        loss_weight: factor on the result.
        points: see `reblur`.
        rim: pixels at the border that are not compared, since the picture ends where their light came from.
        smooth: factor on the mean absolute difference of neighbouring cells, in pixels, and on how far below zero L_minor lies.
    """

    def __init__(self, responses: dict[str, Response], loss_weight: float = 1.0, points: Annotated[int, Between(2)] = POINTS,
                 rim: Annotated[int, Between(0)] = 16, smooth: Annotated[float, Between(0)] = 1e-3) -> None:
        super().__init__()
        self.responses = responses
        self.loss_weight = loss_weight
        self.points = points
        self.rim = rim
        self.smooth = smooth

    def forward(self, estimate: Tensor, sharp: Tensor, blurry: Tensor, domains: Sequence[str]) -> Tensor:
        """Loss of blur tensors (N, 3, h, w) in pixels, given pictures (N, 3, H, W) in [0, 1] and each sample's domain; zero,
        with a gradient of zero, where no sample counts.

        Raises:
            UserError: pictures of which the rim leaves nothing.
        """
        if min(sharp.shape[-2:]) <= 2 * self.rim:
            raise UserError(f'train:reblur_opt:rim: {self.rim} pixels on each side leave nothing to compare of '
                            f'{sharp.shape[-1]}x{sharp.shape[-2]}; use a smaller rim or a larger datasets:train:gt_size')
        total, count = estimate.sum() * 0, 0
        for response in sorted(set(self.responses.values())):
            rows = [row for row, domain in enumerate(domains) if self.responses.get(domain) == response]
            if rows:
                count += len(rows)
                chosen = estimate[rows]
                difference = self._inner(reblur(sharp[rows], chosen, response, self.points) - blurry[rows])
                distance = (difference.square() + CHARBONNIER ** 2).sqrt().mean()
                total = total + len(rows) * (distance + self.smooth * _roughness(chosen))
        return self.loss_weight * total / max(count, 1)

    def _inner(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        return picture[..., self.rim:height - self.rim, self.rim:width - self.rim]


def reblur(sharp: Tensor, tensor: Tensor, response: Response, points: int = POINTS) -> Tensor:
    """Sharp pictures blurred by a blur tensor, differentiable in it, also where it is zero.

    A backward warp: a pixel is the mean light of the sharp picture at offsets around it, where the light would come from if its
    surroundings moved as it does; what moving objects cover is not known to it. The offsets lie evenly about the pixel, so
    nothing is shifted, along L and across L_minor with the second moments L^2 / 12 and L_minor^2 / 12. Along, they are even.

    They are R q, with R = (D/2 + L_minor) I + 1/2 [[c, s], [s, -c]] the matrix with eigenvalues L and L_minor of the tensor
    (c, s, L_minor), which needs no angle, and q points of a distribution that looks the same from all sides and is even along
    any line: the shadow of a sphere's surface (Archimedes). The q are laid out along the blur, which the gradient leaves out,
    since to turn them would change nothing. A D of zero counts as a hundredth of a pixel, so that the offsets lie on the sides
    of the pixel, at which interpolation has its kink: the gradient there is that of a real blur.

    Args:
        sharp: (N, 3, H, W) in [0, 1].
        tensor: (N, 3, h, w) in pixels, interpolated between the cells; a negative L_minor counts as zero, with zero's gradient.
        response: of the camera, undone before averaging.
        points: offsets along the blur; each is taken on both sides of the line.

    Returns:
        (N, 3, H, W) in [0, 1]; beyond the border the picture is mirrored.
    """
    height, width = sharp.shape[-2:]
    if tensor.shape[-2:] != sharp.shape[-2:]:
        tensor = F.interpolate(tensor, (height, width), mode='bilinear', align_corners=False)
    along, across = _axes(tensor.to(sharp.dtype))
    scale = 2 / sharp.new_tensor([width, height])
    along, across = along * scale, across * scale
    grid_y, grid_x = (torch.arange(length, dtype=sharp.dtype, device=sharp.device) for length in (height, width))
    pixels = torch.stack(torch.meshgrid(grid_x, grid_y, indexing='xy'), dim=-1)
    pixels = (pixels + 0.5) * scale - 1
    light, total = to_light(sharp, response), 0
    for place, side in _shadow_of_a_sphere(points):
        for sign in (-1, 1):
            grid = pixels + place * along + sign * side * across
            total = total + F.grid_sample(light, grid, 'bilinear', 'reflection', align_corners=False)
    return from_light(total / (2 * points), response)


def _axes(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """R applied to the unit vectors along and across the blur: x and y in pixels, each (N, H, W, 2)."""
    cosine, sine, minor = tensor.unbind(dim=1)
    half = (cosine.square() + sine.square() + SMALLEST ** 2).sqrt() / 2 + minor + F.relu(-minor).detach()
    with torch.no_grad():
        angle = torch.atan2(sine, cosine) / 2
        x, y = angle.cos(), angle.sin()

    def applied(x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([half * x + (cosine * x + sine * y) / 2, half * y + (sine * x - cosine * y) / 2], dim=-1)

    return applied(x, y), applied(-y, x)


def _shadow_of_a_sphere(points: int) -> list[tuple[float, float]]:
    """Places along an axis at the middles of `points` equal parts of [-1/2, 1/2], and the distance from the axis at which the
    circle of a sphere's surface there has its root mean square."""
    places = [(index + 0.5) / points - 0.5 for index in range(points)]
    return [(place, ((0.25 - place ** 2) / 2) ** 0.5) for place in places]


def _roughness(tensor: Tensor) -> Tensor:
    steps = [tensor.diff(dim=axis).abs().mean() for axis in (-2, -1) if tensor.shape[axis] > 1]
    return sum(steps) + F.relu(-tensor[:, 2]).mean()
