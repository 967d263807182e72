"""Training and test of regression baselines: a blurry picture in, a sharp one out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor, nn

from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.models.deblur_model import DeblurModel, check_crops
from glowdeblur_plugin.models.options import DeblurTrainOptions
from glowdeblur_plugin.models.progressive import ProgressiveCrops, ProgressiveOptions
from glowdeblur_plugin.models.tile_choice import TileChoice, TileSettings
from glowdeblur_plugin.models.validation import PictureResult

LOSS_NAMES = {'pixel_opt': 'l_pix', 'frequency_opt': 'l_frequency'}


@dataclass(kw_only=True)
class RestorationTrainOptions(DeblurTrainOptions):
    """`train` of RestorationModel.

    Attributes:
        pixel_opt: a loss of BasicSR's registry, such as `{type: L1Loss, loss_weight: 1.0}`, of restored and sharp pictures.
        frequency_opt: one more loss of them, such as `FrequencyL1Loss`; None for none.
        progressive: crops that grow while batches shrink; None keeps those of the data set.
    """

    pixel_opt: dict[str, Any] = field(default_factory=lambda: {'type': 'L1Loss'})
    frequency_opt: dict[str, Any] | None = None
    progressive: ProgressiveOptions | None = None

    def __post_init__(self) -> None:
        if self.progressive is not None:
            self.progressive.check_length(self.total_iter)

    def check_data(self, data: Mapping[str, Any]) -> None:
        """Check that the data set gives what `progressive` cuts from, see the base class."""
        if self.progressive is not None:
            self.progressive.check_data(data)


@MODEL_REGISTRY.register()
class RestorationModel(DeblurModel):
    """Trains a registered network that maps pictures (N, 3, H, W) in [0, 1] to pictures of the same size: NAFNet, Restormer,
    PreReconstruction.

    A network's attribute `size_multiple` (1 where it has none) tells to which size whole pictures are padded by reflection; the
    result is cut back.
    """

    Options = RestorationTrainOptions
    ValOptions = TileSettings

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        self.tiles = TileChoice(self.val_options, self.bare_net)

    def init_training_settings(self) -> None:
        """Build the losses `train:pixel_opt` and `train:frequency_opt` beside what all models need.

        Raises:
            UserError: no such loss, or one that does not take the given keys; or a size of `train:progressive` that the network
                cannot take.
        """
        super().init_training_settings()
        options = self.train_options
        self.criteria = self.build_losses(pixel_opt=options.pixel_opt, frequency_opt=options.frequency_opt)
        self.progressive = None if options.progressive is None else ProgressiveCrops(options.progressive)
        for side in options.progressive.gt_sizes if options.progressive else ():
            check_crops(self.bare_net, side, 'train:progressive:gt_sizes')

    def compute_losses(self, generator: torch.Generator, current_iter: int) -> dict[str, Tensor]:
        """The losses of the restored pictures, `l_pix` and, where there is one, `l_frequency`, of the crops that `progressive`
        leaves of the batch."""
        if self.progressive is not None:
            self.batch = self.progressive.cut(self.batch, current_iter, generator)
            self.lq, self.gt = self.batch['lq'], self.batch['gt']
        restored = self.net_g(self.lq)
        with torch.autocast(self.device.type, enabled=False):
            return {LOSS_NAMES[name]: criterion(restored.float(), self.gt) for name, criterion in self.criteria.items()}

    def evaluate_picture(self, batch: dict[str, Any], index: int, generator: torch.Generator) -> PictureResult:
        """The restored picture, which does not depend on random numbers."""
        return {'restored': map_picture(self.evaluation_network(), batch['lq'], self.tiles)}


def map_picture(net: nn.Module, lq: Tensor, tiles: TileChoice) -> Tensor:
    """The restored picture (1, 3, H, W) float32 in [0, 1] of a picture (1, 3, H, W) in [0, 1], any size, by a network in eval mode
    that maps pictures to pictures: mirrored up to the network's multiple, restored whole or in tiles, and cut back."""
    height, width = lq.shape[-2:]
    padded = pad_to_multiple(lq, getattr(net, 'size_multiple', 1))
    return tiles.fit(net, height, width)(padded)[..., :height, :width].float().clamp(0, 1)
