"""Training and test of the motion estimator alone."""

from dataclasses import dataclass, field
from typing import Any

import torch
from basicsr.utils import get_root_logger
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor, distributed
from torch.utils.data import DataLoader

from glowdeblur_plugin.archs.motion_estimator_arch import MotionEstimator
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.losses.light import Response
from glowdeblur_plugin.losses.reblur_loss import ReblurLoss
from glowdeblur_plugin.models.deblur_model import DeblurModel
from glowdeblur_plugin.models.glowdeblur_summary import write_summary
from glowdeblur_plugin.models.motion_baselines import BaselineCrops, MotionBaselines
from glowdeblur_plugin.models.motion_evaluation import evaluate_motion
from glowdeblur_plugin.models.options import DeblurTrainOptions, DeblurValOptions
from glowdeblur_plugin.models.validation import PictureResult


@dataclass(kw_only=True)
class MotionTrainOptions(DeblurTrainOptions):
    """`train` of MotionModel; one of the two losses may be left out.

    Attributes:
        motion_opt: loss of estimated and true motion, on samples whose motion is known.
        reblur_opt: loss of the sharp picture, blurred along the estimate, and the blurry one; see `ReblurLoss`.
    """

    motion_opt: dict[str, Any] | None = field(default_factory=lambda: {'type': 'BlurTensorLoss'})
    reblur_opt: dict[str, Any] | None = None


@dataclass(kw_only=True)
class MotionValOptions(DeblurValOptions):
    """`val` of MotionModel.

    Attributes:
        response: of the cameras of the validation sets, undone before the sharp picture is re-blurred.
    """

    response: Response = 'srgb'


@MODEL_REGISTRY.register()
class MotionModel(DeblurModel):
    """Trains a `MotionEstimator`, whose weights then start GLOWDeblur's by `path:pretrain_network_motion`.

    Validation gives the figures of `evaluate_motion` and beside them those of `MotionBaselines`, which are fitted before the
    first validation to the first training crops of known motion. The last validation of a training run writes `summary.json`
    (`summary_<name>.json` for each of several validation sets) into the experiment's folder.

    Raises:
        UserError: another network; no loss; a re-blur loss for parts that the mixture does not have; metrics, since nothing is
            restored.
    """

    Options = MotionTrainOptions
    ValOptions = MotionValOptions
    drawn = frozenset({'blur', 'reblur'})

    def __init__(self, opt: dict[str, Any]) -> None:
        if opt['network_g'].get('type') != MotionEstimator.__name__:
            raise UserError(f"network_g:type: MotionModel trains a MotionEstimator, found {opt['network_g'].get('type')!r}")
        if (opt.get('val') or {}).get('metrics'):
            raise UserError('val:metrics: MotionModel restores no pictures that they could compare; leave them out, its own '
                            'figures come without')
        self.baselines: MotionBaselines | None = None
        super().__init__(opt)

    def init_training_settings(self) -> None:
        """Build the losses `train:motion_opt` and `train:reblur_opt` beside what all models need."""
        super().init_training_settings()
        options = self.train_options
        self.criteria = self.build_losses(motion_opt=options.motion_opt, reblur_opt=options.reblur_opt)
        if not self.criteria:
            raise UserError('train: motion_opt and reblur_opt are both left out; give at least one')
        reblur = self.criteria.get('reblur_opt')
        if isinstance(reblur, ReblurLoss) and self.mixture_parts:
            for name in reblur.responses:
                if name not in self.mixture_parts:
                    raise UserError(f"train:reblur_opt:responses: '{name}' is no part of datasets:train; parts are "
                                    f"{', '.join(self.mixture_parts)}")
        self.crops = BaselineCrops(self.bare_net.cell)

    def compute_losses(self, generator: torch.Generator, current_iter: int) -> dict[str, Tensor]:
        """The weighted losses of the estimate, `l_motion` and `l_reblur`."""
        batch, estimate = self.batch, self.net_g(self.lq).float()
        losses = {}
        with torch.autocast(self.device.type, enabled=False):
            if 'motion_opt' in self.criteria:
                # Data that does not know the motion counts as such, see GLOWDeblurModel.
                motion = batch.get('motion', torch.zeros_like(self.lq))
                known = batch.get('motion_known', torch.zeros(len(self.lq), dtype=torch.bool, device=self.device))
                losses['l_motion'] = self.criteria['motion_opt'](estimate, motion, known)
            if 'reblur_opt' in self.criteria:
                losses['l_reblur'] = self.criteria['reblur_opt'](estimate, self.gt, self.lq, batch['domain'])
        if self.baselines is None and 'motion' in batch:
            self.crops.add(self.lq, batch['motion'], batch['motion_known'])
        return losses

    def validation(self, dataloader: DataLoader, current_iter: int | str, tb_logger: Any, save_img: bool = False) -> None:
        """As in every model; the first in a training run fits the baselines."""
        if self.is_train and self.baselines is None:
            fitted = [self.crops.fit()]
            if self.opt['dist']:
                distributed.broadcast_object_list(fitted)
            self.baselines = fitted[0]
        super().validation(dataloader, current_iter, tb_logger, save_img)

    def evaluate_picture(self, batch: dict[str, Any], index: int, generator: torch.Generator) -> PictureResult:
        """Figures and pictures of the estimate, as `evaluate_motion` gives them."""
        return evaluate_motion(self.evaluation_network(), batch, self.val_options.response, self.baselines)

    def after_validation(self, dataset_name: str, rows: list[dict[str, Any]], current_iter: int | str, tb_logger: Any) -> None:
        """At the end of a training run: write summary.json."""
        if self.is_train and self.finished:
            facts = {'iterations': self.iteration, 'baselines': self.baselines and self.baselines.state()}
            path = write_summary(self.summary_path(dataset_name), rows, facts)
            get_root_logger().info(f'Summary of the run: {path}')

    def extra_state(self) -> dict[str, Any]:
        """What a resumed run needs beyond weights and optimizer: the baselines, once fitted."""
        return {'baselines': self.baselines and self.baselines.state()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """The way back from `extra_state`."""
        if state['baselines']:
            self.baselines = MotionBaselines.from_state(state['baselines'])
