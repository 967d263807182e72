"""The mixture of domains that blur pattern pretraining and fine-tuning draw from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from basicsr.utils import get_root_logger
from basicsr.utils.registry import DATASET_REGISTRY

from glowdeblur_plugin.data.dataset_base import CropOptions, DeblurDataset
from glowdeblur_plugin.data.mixture_order import MixtureOrder
from glowdeblur_plugin.data.mixture_weights import SchedulePoint, check_weights, make_shares
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between

SHARED_KEYS = ('phase', 'gt_size', 'use_hflip', 'use_rot', 'skip_small', 'seed', 'dtype')
MIXTURE_KEYS = ('weight', 'cap')


@dataclass(kw_only=True)
class BPPMixtureOptions(CropOptions):
    """Keys of a `BPPMixtureDataset` section; crop size, flips, seed and dtype hold for all parts.

    How often a part is drawn is said in one of three ways: by a `weight` in each part; by `temperature`; or by `schedule`.

    Attributes:
        parts: name of a part -> its section: `type` (a dataset of ours), that type's own keys, and `weight` or `cap`.
        temperature: the parts' sizes are the weights, less unequal the higher this is, see `size_weights`; 1 draws every
            picture as often as any other. A part's `cap` is the size that it counts at most.
        schedule: weights that change over the run, see `SchedulePoint` and `Shares`. Shares of the run hold whatever
            `total_iter`, batch size and `accumulate` are.
    """

    parts: dict[str, dict[str, Any]]
    temperature: Annotated[float, Between(1)] | None = None
    schedule: list[SchedulePoint] | None = None


@DATASET_REGISTRY.register()
class BPPMixtureDataset(DeblurDataset):
    """Takes each training sample from one of several datasets, drawn at random by their shares, see `MixtureOrder`.

    An index is a place in the run, not a draw. Samples are those of the parts, with the part's name as `domain`; what some
    parts know and others do not has its blank value in the others' samples, see `blank_extras`.

    Raises:
        UserError: wrong option here or in a part, which is named `datasets:train:parts:<name>`; validation with a mixture;
            parts whose samples do not fit into one batch.
    """

    Options = BPPMixtureOptions
    takes_places = True

    def __init__(self, opt: Mapping[str, Any], section: str | None = None) -> None:
        super().__init__(opt, section)
        self.parts: dict[str, DeblurDataset] = {}
        sections = part_sections(opt, self.options, self.section)
        for name, (place, (kind, part)) in zip(self.options.parts, sections.items(), strict=True):
            self.parts[name] = kind(part, place)
        edge = max(part.render_edge for part in self.parts.values())
        for part in self.parts.values():
            part.render_edge = edge
        self.blanks = self.blank_extras()
        sizes = {name: len(part) for name, part in self.parts.items()}
        options = self.options
        shares = make_shares(options.parts, list(sizes.values()), options.temperature, options.schedule)
        self.order = MixtureOrder(options.seed, sizes, shares)
        text = '; '.join(f'at {time:g} of the run ' + ', '.join(f'{name} {share:.4g}' for name, share in zip(sizes, row))
                         for time, row in zip(shares.times, shares.shares))
        get_root_logger().info(f'{self.section}: shares of the parts {text}.')

    @classmethod
    def read_options(cls, opt: Mapping[str, Any], section: str) -> BPPMixtureOptions:
        """Check the section and that of each part, see the base class."""
        options = super().read_options(opt, section)
        if opt.get('phase', 'train') != 'train':
            raise UserError(f'{section}: BPPMixtureDataset is for training; validate on its parts, each in its own section')
        check_weights(options.parts, options.temperature, options.schedule, section)
        for place, (kind, part) in part_sections(opt, options, section).items():
            kind.read_options(part, place)
        return options

    @property
    def scheduled(self) -> bool:
        """Whether the run's length changes which parts samples come from."""
        return self.options.schedule is not None

    def set_run(self, samples_per_iteration: int, iterations: int) -> None:
        """Say how places and iterations of the run belong together; until then its schedule stays at its start.

        Args:
            samples_per_iteration: batch over all ranks; iterations are micro-batches, as BasicSR counts.
            iterations: of the whole run.
        """
        order = self.order
        self.order = MixtureOrder(order.seed, order.sizes, order.shares, samples_per_iteration, iterations)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts.values())

    def __getitem__(self, place: int) -> dict[str, Any]:
        name, draw = self.order.locate(place)
        return {**self.blanks, **self.parts[name][draw], 'domain': name}

    def blank_extras(self) -> dict[str, Any]:
        """Blank values of all that any part adds to its samples.

        Raises:
            UserError: two parts add the same key in different forms.
        """
        blanks: dict[str, Any] = {}
        owners: dict[str, str] = {}
        for name, part in self.parts.items():
            for key, blank in part.blank_extras().items():
                if key in blanks and _form(blank) != _form(blanks[key]):
                    raise UserError(f"{self.section}:parts: '{key}' is {_form(blanks[key])} in part {owners[key]} and "
                                    f'{_form(blank)} in part {name}; parts of one mixture must agree in it')
                blanks.setdefault(key, blank)
                owners.setdefault(key, name)
        return blanks

    def fingerprint(self) -> str:
        """Hash of the mixture's settings and of its parts' fingerprints."""
        return self.hash_of([], {name: part.fingerprint() for name, part in self.parts.items()})


def _form(value: Any) -> Any:
    """What must be equal for values to be put into one batch: shape and type of tensors, of all values of a dictionary."""
    if isinstance(value, torch.Tensor):
        return f'{tuple(value.shape)} {str(value.dtype).removeprefix("torch.")}'
    if isinstance(value, Mapping):
        return {key: _form(entry) for key, entry in value.items()}
    return type(value).__name__


def part_sections(opt: Mapping[str, Any], options: BPPMixtureOptions,
                  section: str) -> dict[str, tuple[type[DeblurDataset], dict[str, Any]]]:
    """Place of each part in the option file, in their order -> its class and its section, filled up with what the mixture
    settles for all parts.

    Args:
        opt: the mixture's section, with `phase`, of which `options` were read.
        section: its own place.

    Raises:
        UserError: a part without a type of ours, or with a key that holds for all.
    """
    shared = {key: getattr(options, key, opt.get(key)) for key in SHARED_KEYS}
    sections = {}
    for name, part in options.parts.items():
        place = f'{section}:parts:{name}'
        for key in SHARED_KEYS:
            if key in part:
                raise UserError(f"{place}: key '{key}' holds for all parts, set it in {section}")
        own = {key: value for key, value in part.items() if key not in MIXTURE_KEYS}
        sections[place] = (_part_class(part.get('type'), place), {'name': name, **own, **shared})
    return sections


def _part_class(kind: Any, section: str) -> type[DeblurDataset]:
    ours = {name: known for name, known in DATASET_REGISTRY
            if isinstance(known, type) and issubclass(known, DeblurDataset) and known is not BPPMixtureDataset}
    if not isinstance(kind, str) or kind not in ours:
        raise UserError(f'{section}:type: {kind!r} is not a dataset that a mixture can draw from; valid are '
                        f'{", ".join(sorted(ours))}')
    return ours[kind]
