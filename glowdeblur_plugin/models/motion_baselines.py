"""What a motion estimator has to beat: fixed estimates and the structure tensor's direction, all fitted on training data."""

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from glowdeblur_plugin.archs.motion_estimator_arch import FOLD, SCALES, structure_tensors
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.metrics.motion_metric import calculate_angle_error

CROPS = 256
WINDOWS = (1, 3, 5, 9, 17, 33)
MEDIAN_STEPS = 60


@dataclass(frozen=True)
class StructureEstimate:
    """The direction of structure tensors with one length for all cells.

    Attributes:
        scale: at which of their scales (0 to 2) they are read.
        window: cells a side that they are averaged over.
        directed, minor: D and L_minor of all cells in pixels.
    """

    scale: int
    window: int
    directed: float
    minor: float


@dataclass(frozen=True)
class MotionBaselines:
    """Estimates that know the training set's blur and nothing else but structure tensors.

    Attributes:
        mean: the mean blur tensor.
        structure: with the smallest tensor error that structure tensors reach.
        direction: with their smallest angle error.
    """

    mean: tuple[float, float, float]
    structure: StructureEstimate
    direction: StructureEstimate

    def estimates(self, blurry: Tensor, cell: int) -> dict[str, Tensor]:
        """Blur tensors (N, 3, h, w) of pictures (N, 3, H, W), by name, those of a sharp picture (`zero`) too."""
        features = cell_features(blurry, cell)
        plane = torch.ones_like(features[:, :1])
        estimates = {'zero': 0 * plane.expand(-1, 3, -1, -1), 'mean': plane * plane.new_tensor(self.mean).view(1, 3, 1, 1)}
        for name, form in (('structure', self.structure), ('direction', self.direction)):
            line = directions(features, form.scale, form.window)
            estimates[name] = torch.cat([form.directed * line, form.minor * plane], dim=1)
        return estimates

    def state(self) -> dict[str, Any]:
        """Plain values, from which `from_state` makes the same."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> 'MotionBaselines':
        """The way back from `state`."""
        return cls(tuple(state['mean']), *(StructureEstimate(**state[name]) for name in ('structure', 'direction')))


class BaselineCrops:
    """Collects training crops of known motion, the first `CROPS`, and fits baselines to them.

    Args:
        cell: side of the estimate's cells in pixels.
    """

    def __init__(self, cell: int) -> None:
        self.cell = cell
        self._features: list[Tensor] = []
        self._truths: list[Tensor] = []
        self._count = 0

    @torch.no_grad()
    def add(self, blurry: Tensor, motion: Tensor, known: Tensor) -> None:
        """Take in crops (N, 3, H, W) with their motion (N, 3, H, W), where it is `known` (N), until there are enough."""
        rows = known.nonzero()[:CROPS - self._count, 0] if self._count < CROPS else []
        if len(rows):
            self._features.append(cell_features(blurry[rows], self.cell).cpu())
            self._truths.append(F.avg_pool2d(motion[rows], self.cell).cpu())
            self._count += len(rows)

    def fit(self) -> MotionBaselines | None:
        """The best of each kind on what was collected; None where that is nothing."""
        if not self._count:
            return None
        features, truth = torch.cat(self._features), torch.cat(self._truths)
        fits = []
        for scale, window in product(range(len(SCALES)), WINDOWS):
            line = directions(features, scale, window)
            error, directed, minor = _best_lengths(line, truth)
            fits.append((error, calculate_angle_error(line, truth), StructureEstimate(scale, window, directed, minor)))
        structure, direction = (min(fits, key=lambda fit: fit[figure])[2] for figure in (0, 1))
        return MotionBaselines(tuple(truth.mean(dim=(0, 2, 3)).tolist()), structure, direction)


def cell_features(blurry: Tensor, cell: int) -> Tensor:
    """(Jxx - Jyy) / t and 2 Jxy / t of `structure_tensors` at each scale, means over cells, (N, 2 scales, h, w); pictures are
    padded to whole cells."""
    features = structure_tensors(pad_to_multiple(blurry, cell)).unflatten(1, (len(SCALES), 3))[:, :, :2].flatten(1, 2)
    return F.avg_pool2d(features, cell // FOLD)


def directions(features: Tensor, scale: int, window: int) -> Tensor:
    """Unit vectors (N, 2, h, w) in the doubled angle of blur, across the direction in which most gradients point."""
    chosen = features[:, 2 * scale:2 * scale + 2]
    smooth = F.avg_pool2d(chosen, window, stride=1, padding=window // 2, count_include_pad=False)
    return -F.normalize(smooth, dim=1)


def _best_lengths(line: Tensor, truth: Tensor) -> tuple[float, float, float]:
    """Smallest mean distance of (D line, L_minor) to the truth, and the D and L_minor that have it, by Weiszfeld's steps."""
    along, minor = (line * truth[:, :2]).sum(dim=1), truth[:, 2]
    beside = truth[:, :2].square().sum(dim=1) - along.square()
    best = torch.stack([along.mean(), minor.mean()])
    for _ in range(MEDIAN_STEPS):
        error = (beside + (along - best[0]).square() + (minor - best[1]).square()).clamp(min=1e-6).sqrt()
        best = torch.stack([(along / error).sum(), (minor / error).sum()]) / (1 / error).sum()
    return float(error.mean()), *best.tolist()
