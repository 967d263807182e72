"""Progressive learning: crops grow over the run while batches shrink."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any, NamedTuple

import torch
from basicsr.utils import get_root_logger
from torch import Tensor

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between

Counts = Annotated[list[int], Between(1)]
SECTION = 'train:progressive'


class Stage(NamedTuple):
    """A part of the run: its last iteration, the side of its crops in pixels, and the crops of a batch on one process."""

    last: int
    side: int
    batch: int


@dataclass(kw_only=True)
class ProgressiveOptions:
    """`train:progressive`: stages, one after the other.

    Attributes:
        iterations: micro-batches of each stage; together `total_iter`.
        gt_sizes: side of its crops, in pixels.
        batch_sizes: its crops per process and micro-batch.
    """

    iterations: Counts
    gt_sizes: Counts
    batch_sizes: Counts

    def __post_init__(self) -> None:
        counts = {key: len(value) for key, value in vars(self).items()}
        if len({*counts.values()}) != 1 or not self.iterations:
            found = ', '.join(f'{count} {key}' for key, count in counts.items())
            raise UserError(f'{SECTION}: expected one entry of each key for each stage, found {found}')

    @property
    def stages(self) -> list[Stage]:
        """The stages in their order."""
        return [Stage(*entries) for entries in zip(accumulate(self.iterations), self.gt_sizes, self.batch_sizes)]

    def check_length(self, total_iter: int) -> None:
        """Check that the stages fill the run.

        Raises:
            UserError: their iterations do not add up to `total_iter`.
        """
        if sum(self.iterations) != total_iter:
            raise UserError(f'{SECTION}:iterations: they add up to {sum(self.iterations)}, and train:total_iter is '
                            f'{total_iter}; make them equal')

    def check_data(self, data: Mapping[str, Any]) -> None:
        """Check that `data`, the section `datasets:train`, gives batches that every stage can be cut from, and no larger ones.

        Raises:
            UserError: side or batch of its crops is not the largest of the stages.
        """
        for key, own in (('gt_size', 'gt_sizes'), ('batch_size_per_gpu', 'batch_sizes')):
            largest = max(getattr(self, own))
            if data.get(key) != largest:
                raise UserError(f'datasets:train:{key}: {data.get(key)} is not the largest of {SECTION}:{own}, {largest}; '
                                'make them equal')


class ProgressiveCrops:
    """Cuts the stage's batch out of the data set's (Restormer, Zamir et al. 2022, section 3.3): as many crops as it takes,
    drawn at random, and in all of them the same window, drawn at random.

    The stage goes by the iteration and the draws by its generator, so that a resumed run needs no state. The price, as in the
    authors' loop, is that the data set reads the largest crops in the largest batches all the time, of which Restormer's stages
    use a tenth: 26 ms of one worker for a batch of 8 pairs of 384 pixels, from tiles.
    """

    def __init__(self, options: ProgressiveOptions) -> None:
        self.stages = options.stages
        self._told: Stage | None = None

    def cut(self, batch: Mapping[str, Any], iteration: int, generator: torch.Generator) -> dict[str, Any]:
        """The batch of iteration `iteration` (from 1; later ones than the last count as the last).

        Args:
            batch: tensors (N, ...) and lists of N entries; those (N, C, H, W) of the size of `lq` are cut to the window.
            generator: on the CPU.
        """
        stage = next((stage for stage in self.stages if iteration <= stage.last), self.stages[-1])
        if stage != self._told:
            get_root_logger().info(f'Iteration {iteration}: crops of {stage.side} pixels, {stage.batch} in a batch.')
            self._told = stage
        count, _, height, width = batch['lq'].shape
        chosen = torch.randperm(count, generator=generator)[:stage.batch]
        top, left = (int(torch.randint(length - stage.side + 1, (), generator=generator)) for length in (height, width))

        def cut(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return [value[index] for index in chosen.tolist()]
            value = value[chosen.to(value.device)]
            inside = value.ndim == 4 and value.shape[-2:] == (height, width)
            return value[..., top:top + stage.side, left:left + stage.side] if inside else value

        return {key: cut(value) for key, value in batch.items()}
