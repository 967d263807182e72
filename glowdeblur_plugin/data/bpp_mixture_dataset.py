"""The mixture of domains that blur pattern pretraining draws from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from basicsr.utils.registry import DATASET_REGISTRY

from glowdeblur_plugin.data.dataset_base import CropOptions, DeblurDataset
from glowdeblur_plugin.data.randomness import draw_generator
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between, convert

SHARED_KEYS = ('phase', 'gt_size', 'use_hflip', 'use_rot', 'skip_small', 'seed', 'dtype')
Weight = Annotated[float, Between(0)]


@dataclass(kw_only=True)
class BPPMixtureOptions(CropOptions):
    """Keys of a `BPPMixtureDataset` section; crop size, flips, seed and dtype hold for all parts.

    Attributes:
        parts: name of a part -> its section: `weight`, `type` (a dataset of ours) and that type's own keys.
    """

    parts: dict[str, dict[str, Any]]


@DATASET_REGISTRY.register()
class BPPMixtureDataset(DeblurDataset):
    """Draws each training sample from one of several datasets, chosen by weight from (seed, draw).

    Samples are those of the parts; `motion` is zero and `motion_known` False where a part does not know the motion.

    Raises:
        UserError: wrong option here or in a part, which is named `datasets:train:parts:<name>`; validation with a mixture.
    """

    Options = BPPMixtureOptions

    def __init__(self, opt: Mapping[str, Any], section: str | None = None) -> None:
        super().__init__(opt, section)
        self.parts: dict[str, DeblurDataset] = {}
        for name, (kind, part) in _part_sections(opt, self.options, self.section).items():
            self.parts[name] = kind(part, _part_name(self.section, name))
        weights = np.array([float(part['weight']) for part in self.options.parts.values()])
        self.limits = np.cumsum(weights / weights.sum())

    @classmethod
    def read_options(cls, opt: Mapping[str, Any], section: str) -> BPPMixtureOptions:
        """Check the section and that of each part, see the base class."""
        options = super().read_options(opt, section)
        if opt.get('phase', 'train') != 'train':
            raise UserError(f'{section}: BPPMixtureDataset is for training; validate on its parts, each in a section of its own')
        weights = [convert(part.get('weight'), Weight, f'{_part_name(section, name)}:weight')
                   for name, part in options.parts.items()]
        if sum(weights) <= 0:
            raise UserError(f'{section}:parts: needs at least one part of a weight above 0')
        for name, (kind, part) in _part_sections(opt, options, section).items():
            kind.read_options(part, _part_name(section, name))
        return options

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts.values())

    def __getitem__(self, draw: int) -> dict[str, Any]:
        number = draw_generator(self.options.seed, draw, 'mixture').random()
        name = list(self.parts)[min(int(np.searchsorted(self.limits, number, side='right')), len(self.parts) - 1)]
        sample = self.parts[name][draw]
        if 'motion' not in sample:
            sample['motion'] = torch.zeros(3, *sample['lq'].shape[-2:])
            sample['motion_known'] = False
        return sample

    def fingerprint(self) -> str:
        """Hash of the mixture's settings and of its parts' fingerprints."""
        return self.hash_of([], {name: part.fingerprint() for name, part in self.parts.items()})


def _part_name(section: str, part: str) -> str:
    return f'{section}:parts:{part}'


def _part_sections(opt: Mapping[str, Any], options: BPPMixtureOptions,
                   section: str) -> dict[str, tuple[type[DeblurDataset], dict[str, Any]]]:
    """Name of a part -> its class and its section, filled up with what the mixture settles for all parts."""
    shared = {key: getattr(options, key, opt.get(key)) for key in SHARED_KEYS}
    sections = {}
    for name, part in options.parts.items():
        for key in SHARED_KEYS:
            if key in part:
                raise UserError(f"{_part_name(section, name)}: key '{key}' holds for all parts, set it in {section}")
        own = {key: value for key, value in part.items() if key != 'weight'}
        sections[name] = (_part_class(part.get('type'), _part_name(section, name)), {'name': name, **own, **shared})
    return sections


def _part_class(kind: Any, section: str) -> type[DeblurDataset]:
    ours = {name: known for name, known in DATASET_REGISTRY
            if isinstance(known, type) and issubclass(known, DeblurDataset) and known is not BPPMixtureDataset}
    if not isinstance(kind, str) or kind not in ours:
        raise UserError(f'{section}:type: {kind!r} is not a dataset that a mixture can draw from; valid are '
                        f'{", ".join(sorted(ours))}')
    return ours[kind]
