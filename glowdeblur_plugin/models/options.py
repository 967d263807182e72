"""The sections `train` and `val` that all our models share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between

BELOW_ONE = 0.999999


@dataclass(kw_only=True)
class OptimizerOptions:
    """`train:optim_g`: AdamW with the learning rate at its peak and the decoupled weight decay.

    Attributes:
        fused: one kernel for the whole step instead of one for each operation, equal up to rounding: faster on CUDA, where the
            plain step also needs memory as large as the weights for a moment, and on the CPU. Checkpoints fit either way.
    """

    type: Literal['AdamW'] = 'AdamW'
    lr: Annotated[float, Between(0)]
    weight_decay: Annotated[float, Between(0)] = 0.0
    betas: Annotated[tuple[float, float], Between(0, BELOW_ONE)] = (0.9, 0.999)
    fused: bool = True


@dataclass(kw_only=True)
class SchedulerOptions:
    """`train:scheduler`: warm-up and constant rate, shares of all steps, then a cosine down to `final_lr_ratio` of the peak."""

    type: Literal['CosineWithWarmup'] = 'CosineWithWarmup'
    warmup_share: Annotated[float, Between(0, 1)] = 0.0
    constant_share: Annotated[float, Between(0, 1)] = 0.0
    final_lr_ratio: Annotated[float, Between(0, 1)] = 0.0

    def __post_init__(self) -> None:
        if self.warmup_share + self.constant_share > 1:
            raise UserError(f'train:scheduler: warmup_share {self.warmup_share:g} and constant_share {self.constant_share:g} '
                            'are more than 1 together, the whole run')


@dataclass(kw_only=True)
class DeblurValOptions:
    """`val`: none beside BasicSR's own keys (`host_options.VAL_KEYS`); a method that has its own gives another dataclass."""


@dataclass(kw_only=True)
class DeblurTrainOptions:
    """`train`: what every method reads; a method's own keys are added by a subclass.

    Attributes:
        total_iter: micro-batches of the whole run, a multiple of `accumulate`.
        accumulate: micro-batches whose gradients make one step of the optimizer.
        precision: arithmetic of the forward pass; weights, losses and optimizer stay in float32. Validation during the run uses
            it on CUDA; on the CPU pictures are restored in float32, and test runs go by `val`.
        ema_decay: decay of the weights' moving average at each step, 0 for none.
        grad_clip: largest norm of the whole gradient, None for no clipping.
        keep_checkpoints: how many of the newest pairs of net and state stay, None for all.
        gradient_checkpointing: compute the activations of the network's blocks again in the backward pass instead of keeping
            them: less memory for up to a third more time.
        sharding: what each process of a distributed run keeps. `none`: everything (DistributedDataParallel). `fsdp`: its share
            of weights, gradients, moments and moving average (PyTorch's FSDP2), so 20 bytes a parameter over all processes
            together; a validation gathers the whole network on each. Checkpoints are the same files either way.
    """

    total_iter: Annotated[int, Between(1)]
    optim_g: OptimizerOptions
    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    accumulate: Annotated[int, Between(1)] = 1
    precision: Literal['fp32', 'bf16'] = 'fp32'
    ema_decay: Annotated[float, Between(0, BELOW_ONE)] = 0.0
    grad_clip: Annotated[float, Between(1e-12)] | None = None
    keep_checkpoints: Annotated[int, Between(1)] | None = 3
    gradient_checkpointing: bool = False
    sharding: Literal['none', 'fsdp'] = 'none'

    def check_data(self, data: Mapping[str, Any]) -> None:
        """Check what must agree with `data`, the section `datasets:train`; nothing here.

        Raises:
            UserError: it does not.
        """
