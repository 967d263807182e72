"""Training and test of regression baselines: a blurry picture in, a sharp one out."""

from dataclasses import dataclass, field
from typing import Any

import torch
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor

from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.models.deblur_model import DeblurModel
from glowdeblur_plugin.models.options import DeblurTrainOptions
from glowdeblur_plugin.models.validation import PictureResult


@dataclass(kw_only=True)
class RestorationTrainOptions(DeblurTrainOptions):
    """`train` of RestorationModel.

    Attributes:
        pixel_opt: a loss of BasicSR's registry, such as `{type: L1Loss, loss_weight: 1.0}`, of restored and sharp pictures.
    """

    pixel_opt: dict[str, Any] = field(default_factory=lambda: {'type': 'L1Loss'})


@MODEL_REGISTRY.register()
class RestorationModel(DeblurModel):
    """Trains a registered network that maps pictures (N, 3, H, W) in [0, 1] to pictures of the same size: NAFNet, Restormer.

    A network's attribute `size_multiple` (1 where it has none) tells to which size whole pictures are padded by reflection; the
    result is cut back.
    """

    Options = RestorationTrainOptions

    def init_training_settings(self) -> None:
        """Build the loss `train:pixel_opt` beside what all models need.

        Raises:
            UserError: no such loss, or one that does not take the given keys.
        """
        super().init_training_settings()
        self.cri_pix = self.build_losses(pixel_opt=self.train_options.pixel_opt)['pixel_opt']

    def compute_losses(self, generator: torch.Generator, current_iter: int) -> dict[str, Tensor]:
        """The pixel loss `l_pix` of the restored pictures."""
        restored = self.net_g(self.lq)
        with torch.autocast(self.device.type, enabled=False):
            return {'l_pix': self.cri_pix(restored.float(), self.gt)}

    def evaluate_picture(self, batch: dict[str, Any], index: int, generator: torch.Generator) -> PictureResult:
        """The restored picture, which does not depend on random numbers."""
        net, lq = self.evaluation_network(), batch['lq']
        restored = net(pad_to_multiple(lq, getattr(net, 'size_multiple', 1)))
        return {'restored': restored[..., :lq.shape[-2], :lq.shape[-1]].float().clamp(0, 1)}
