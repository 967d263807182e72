"""The keys of an option file that BasicSR itself reads."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from glowdeblur_plugin.options import Between, Whole

Count = Annotated[int, Between(0)]
Frequency = Annotated[int | float, Between(1), Whole()]
LARGEST_SEED = 2**31


@dataclass(kw_only=True)
class HostOptions:
    """Top level of an option file, read by BasicSR; `prepare` is ours. Sections are checked one by one."""

    name: str
    model_type: str
    num_gpu: Count | Literal['auto']
    manual_seed: Annotated[int, Between(0, LARGEST_SEED)] | None = None
    datasets: dict[str, dict[str, Any]]
    path: dict[str, Any]
    train: dict[str, Any] | None = None
    val: dict[str, Any] | None = None
    logger: dict[str, Any] | None = None
    scale: Any = None
    dist_params: dict[str, Any] | None = None
    find_unused_parameters: bool = False
    prepare: dict[str, Any] | None = None


@dataclass(kw_only=True)
class LoggerOptions:
    """`logger`."""

    print_freq: Frequency
    save_checkpoint_freq: Frequency
    use_tb_logger: bool
    wandb: dict[str, Any] | None = None


@dataclass(kw_only=True)
class ValHostOptions:
    """BasicSR's keys of `val`."""

    val_freq: Frequency | None = None
    save_img: bool
    metrics: dict[str, dict[str, Any]] | None = None
    pbar: bool = False
    suffix: str | None = None


@dataclass(kw_only=True)
class LoaderOptions:
    """BasicSR's keys of a section under `datasets`."""

    name: str
    type: str
    batch_size_per_gpu: Annotated[int, Between(1)] | None = None
    num_worker_per_gpu: Count | None = None
    dataset_enlarge_ratio: Annotated[int | float, Between(1)] = 1
    prefetch_mode: Literal['cpu', 'cuda'] | None = None
    num_prefetch_queue: Annotated[int, Between(1)] = 1
    pin_memory: bool = False
    persistent_workers: bool = False


# What our models read instead of a key that BasicSR's own models know under `train`.
REPLACED_TRAIN_KEYS = {'warmup_iter': 'scheduler:warmup_share', 'use_grad_clip': 'grad_clip'}
VAL_KEYS = frozenset(field.name for field in fields(ValHostOptions))
# `phase` and `scale` are filled in by BasicSR; `io_backend` belongs to its own datasets and is accepted so that a section can be
# shared.
DATASET_KEYS = frozenset(field.name for field in fields(LoaderOptions)) | {'phase', 'scale', 'io_backend'}
