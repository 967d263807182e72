"""Training and testing of GLOWDeblur through BasicSR's loop."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from basicsr.utils import get_root_logger
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor, nn

from glowdeblur_plugin.diffusion.flow import training_sigmas
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.adapter_base import load_adapter_base
from glowdeblur_plugin.models.compilation import compile_parts
from glowdeblur_plugin.models.deblur_model import DeblurModel
from glowdeblur_plugin.models.flow_record import FlowRecord
from glowdeblur_plugin.models.glowdeblur_evaluation import RestorationSettings, evaluate
from glowdeblur_plugin.models.glowdeblur_summary import write_summary
from glowdeblur_plugin.models.latent_cache import check_latents
from glowdeblur_plugin.models.options import DeblurTrainOptions
from glowdeblur_plugin.models.semantic import check_texts, kept_texts
from glowdeblur_plugin.models.tile_choice import TileChoice
from glowdeblur_plugin.models.validation import PictureResult
from glowdeblur_plugin.options import Between
from glowdeblur_plugin.resources import PeakMemory, process_seconds


@dataclass(kw_only=True)
class GLOWDeblurTrainOptions(DeblurTrainOptions):
    """`train` of GLOWDeblurModel.

    Attributes:
        warmup_phase_share: share of total_iter that trains pre-reconstruction, alignment and motion alone before the flow joins
            them.
        flow_draws: noise draws per picture and iteration; the costly picture parts run once for all of them.
        motion_drop: probability with which a sample's motion map is zeroed before the backbone.
        caption_drop: probability with which the null embedding takes the place of a sample's text, so that the network runs
            without one too.
        pixel_opt, frequency_opt: losses of the pre-reconstruction, as BasicSR's sections of type and arguments.
        motion_opt: loss of the motion estimator, on samples whose motion is known; with None it is frozen as it is.
        align_weight: factor on the mean square error of the aligned feature against the sharp picture's latent.
        flow_weight: factor on the flow matching loss, the mean square of the velocity's error.

    The paper names none of these; terms and factors are our choice.
    """

    warmup_phase_share: Annotated[float, Between(0, 0.9)] = 0.0
    flow_draws: Annotated[int, Between(1)] = 1
    motion_drop: Annotated[float, Between(0, 1)] = 0.1
    caption_drop: Annotated[float, Between(0, 1)] = 0.1
    pixel_opt: dict[str, Any] = field(default_factory=lambda: {'type': 'L1Loss', 'loss_weight': 1.0})
    frequency_opt: dict[str, Any] | None = field(default_factory=lambda: {'type': 'FrequencyL1Loss', 'loss_weight': 0.1})
    motion_opt: dict[str, Any] | None = field(default_factory=lambda: {'type': 'BlurTensorLoss', 'loss_weight': 1.0})
    align_weight: Annotated[float, Between(0)] = 1.0
    flow_weight: Annotated[float, Between(0)] = 1.0


@dataclass(kw_only=True)
class GLOWDeblurValOptions(RestorationSettings):
    """`val` of GLOWDeblurModel: how pictures are restored.

    Attributes:
        precision: weights and arithmetic of a test run; validation during training goes by `train:precision`.
        full_report: also restore from a warm start, without the condition, and through the codec alone, and draw strips and
            motion maps.
        compile: run the large parts under torch.compile, on CUDA with CUDA graphs, see `compile_parts`. Each size of picture
            takes minutes at its first time: worth it for many pictures of few sizes.
    """

    precision: Literal['fp32', 'bf16'] = 'fp32'
    full_report: bool = False
    compile: bool = False


@MODEL_REGISTRY.register()
class GLOWDeblurModel(DeblurModel):
    """GLOWDeblur in BasicSR's loop: blur pattern pretraining (stage I), joint fine-tuning (stage II) and testing.

    The first `warmup_phase_share` of the run trains the picture parts alone; then flow matching joins. Validation and test show
    the network neither the true motion, which is only compared with the estimate, nor a text made from the sharp picture; with
    `val:oracle_guidance` they do, and all that they give is marked by `oracle_`. The last validation of a training run writes
    `summary.json` (`summary_<name>.json` for each of several validation sets) into the experiment's folder.
    """

    Options = GLOWDeblurTrainOptions
    ValOptions = GLOWDeblurValOptions
    pretrained_parts = ('prereconstruction', 'motion')
    pretrained_bases = ('base',)
    find_unused_parameters = True
    drawn = frozenset({'strip', 'blur'})

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        if self.val_options.precision == 'bf16':
            if self.is_train:
                raise UserError('val:precision: is for test runs, and validation during training goes by train:precision; leave '
                                'it out')
            self.bare_net.use_bf16_weights()
        self.tiles = TileChoice(self.val_options, self.bare_net)

    @property
    def validates_in_bf16(self) -> bool:
        """See the base class; test runs go by `val:precision`."""
        return super().validates_in_bf16 or self.val_options.precision == 'bf16'

    def load_pretrained_parts(self, network: nn.Module) -> None:
        """What adapters go on, and then as every model does."""
        load_adapter_base(network, self.opt['path'], self.resumed)
        super().load_pretrained_parts(network)

    def init_training_settings(self) -> None:
        """Losses and the record of the flow loss, besides what every model sets up."""
        super().init_training_settings()
        self.memory = PeakMemory()
        options = self.train_options
        check_latents(self.bare_net.codec, self.opt['datasets'])
        self.criteria = self.build_losses(pixel_opt=options.pixel_opt,
                                          frequency_opt=options.frequency_opt,
                                          motion_opt=options.motion_opt)
        self.flow_starts = int(options.total_iter * options.warmup_phase_share)
        self.flow_record = FlowRecord(self.flow_starts, options.total_iter)
        self.seconds_before, self.resumed_at = 0.0, 0

    def compute_losses(self, generator: torch.Generator, current_iter: int) -> dict[str, Tensor]:
        """The weighted terms of one micro-batch: l_pixel, l_frequency, l_align, l_motion and, once the flow has joined,
        l_flow."""
        options, batch = self.train_options, self.batch
        with_flow = current_iter > self.flow_starts
        known = {name: batch[name] for name in ('latent', 'latent_known') if name in batch}
        output = self.net_g(self.lq, self.gt, **known, **(self._draw(generator) if with_flow else {}))
        picture = output['prereconstruction'].float()
        losses = {
            'l_pixel': self.criteria['pixel_opt'](picture, self.gt),
            'l_align': options.align_weight * (output['aligned'].float() - output['latent'].float()).square().mean(),
        }
        if 'frequency_opt' in self.criteria:
            losses['l_frequency'] = self.criteria['frequency_opt'](picture, self.gt)
        # Data that does not know the motion counts as such, so that every trained part stays in the graph, as distributed
        # training needs.
        if current_iter == 1:
            self._tell_what_motion_learns_from()
        if 'motion_opt' in self.criteria:
            motion = batch.get('motion', torch.zeros_like(self.lq))
            known = batch.get('motion_known', torch.zeros(len(self.lq), dtype=torch.bool, device=self.device))
            losses['l_motion'] = self.criteria['motion_opt'](output['motion'].float(), motion, known)
        if with_flow:
            flow = output['flow_error'].float().square().mean()
            self.flow_record.add(current_iter, flow.detach())
            losses['l_flow'] = options.flow_weight * flow
        return losses

    def _tell_what_motion_learns_from(self) -> None:
        """Warn where nothing trains the motion estimator, and where its map stays zero for lack of weights too."""
        paths = self.opt['path']
        given = any(paths.get(f'pretrain_network_{name}') for name in ('g', 'base', 'motion'))
        frozen = self.train_options.motion_opt is None
        if frozen and not given:
            get_root_logger().warning('train:motion_opt: ~ keeps the motion estimator as it is, and no weights are given for it: '
                                      'its map stays zero. path:pretrain_network_motion starts it from a run of MotionModel')
        elif not frozen and 'motion' not in self.batch:
            get_root_logger().warning('train:motion_opt: no training data knows its motion, so the motion estimator learns nothing; '
                                      'simulated parts and sets with dataroot_motion do')

    def _draw(self, generator: torch.Generator) -> dict[str, Tensor]:
        net = self.bare_net
        count, _, height, width = self.lq.shape
        draws = count * self.train_options.flow_draws
        shape = (draws, net.latent_channels, height // net.compression, width // net.compression)
        keep = torch.rand(count, generator=generator) >= self.train_options.motion_drop
        numbers = {
            'sigma': training_sigmas(draws, generator),
            'noise': torch.randn(shape, generator=generator),
            'keep_motion': keep.float()
        }
        texts = {}
        if net.semantic != 'none':
            kept = torch.rand(count, generator=generator) >= self.train_options.caption_drop
            texts = kept_texts(net, self.batch, kept.tolist())
        return {**{name: value.to(self.device, non_blocking=True) for name, value in numbers.items()}, **texts}

    @property
    def mark(self) -> str:
        """See the base class."""
        return 'oracle_' if self.val_options.oracle_guidance else ''

    def prepare_network(self, network: nn.Module) -> None:
        """Compare its texts with those of the data, see `check_texts`; in training see `freeze_parts` too."""
        check_texts(network, self.opt['datasets'], self.is_train)
        if self.is_train:
            self.freeze_parts(network, self.train_options)

    @staticmethod
    def freeze_parts(network: nn.Module, options: GLOWDeblurTrainOptions) -> None:
        """Freeze the motion estimator where it has no loss."""
        if options.motion_opt is None:
            network.motion.requires_grad_(False)

    def evaluate_picture(self, batch: dict[str, Any], index: int, generator: torch.Generator) -> PictureResult:
        """Restore one picture; figures and pictures as `glowdeblur_evaluation.evaluate` gives them."""
        net = self.evaluation_network()
        if self.val_options.compile:
            compile_parts(net)
        net = self.tiles.fit(net, *batch['lq'].shape[-2:])
        return evaluate(net, batch, generator, self.val_options, self.val_options.full_report
                        and 'gt' in batch)

    def after_validation(self, dataset_name: str, rows: list[dict[str, Any]], current_iter: int | str, tb_logger: Any) -> None:
        """At the end of a training run with a full report: write summary.json; resuming a finished run leaves it as it is."""
        if self.is_train and self.finished and self.iteration > self.resumed_at and self.val_options.full_report:
            first, last = self.flow_record.means()
            settings = self.val_options
            facts = {
                'restored_solver': settings.solver,
                'restored_steps': settings.steps,
                'restored_warm_sigma': settings.warm_sigma,
                'restored_warm_steps': settings.warm_steps,
                'restored_colour': settings.colour,
                'restored_semantic': self.bare_net.semantic,
                'restored_guidance': settings.guidance,
                'loss_flow_first': first,
                'loss_flow_last': last,
                'iterations': self.iteration,
                'seconds': round(self.seconds_before + process_seconds(), 1),
                'peak_memory_mb': round(self.memory.look()),
                'device': str(self.device)
            }
            path = write_summary(self.summary_path(dataset_name), rows, facts)
            get_root_logger().info(f'Summary of the run: {path}')

    def extra_state(self) -> dict[str, Any]:
        """What a resumed run needs beyond weights and optimizer: the flow losses recorded, the seconds spent and the memory's
        peak so far."""
        return {
            'flow_record': self.flow_record.state(),
            'seconds': self.seconds_before + process_seconds(),
            'peak_memory_mb': self.memory.look()
        }

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """The way back from `extra_state`."""
        self.flow_record.load(state['flow_record'])
        self.seconds_before, self.resumed_at = state['seconds'], self.iteration
        self.memory.megabytes = max(self.memory.megabytes, state['peak_memory_mb'])
