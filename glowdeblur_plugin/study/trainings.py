"""The trainings of a study: each row is a chain of them, and chains that begin alike share their beginning."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.study.options import StudyOptions
from glowdeblur_plugin.study.sections import train_sections

EXPERIMENTS = Path('experiments')


@dataclass(frozen=True)
class Training:
    """One run of BasicSR's training loop.

    Attributes:
        phases: all phases of its chain up to this one, as (names of the data, share of the row's iterations).
        seed: of its weights and draws.
        study: the study's name.
    """

    phases: tuple[tuple[tuple[str, ...], float], ...]
    seed: int
    study: str

    @property
    def name(self) -> str:
        """What it trains on, and with which seed, such as `diverse-50_then_lines-50_seed0`."""
        steps = ['-'.join(on) + ('' if share == 1 else f'-{share * 100:g}') for on, share in self.phases]
        return f'{"_then_".join(steps)}_seed{self.seed}'

    @property
    def experiment(self) -> str:
        """Name of its experiment."""
        return f'{self.study}_{self.name}'

    @property
    def weights(self) -> Path:
        """The checkpoint that is there when it is finished."""
        return EXPERIMENTS / self.experiment / 'models' / 'net_g_latest.pth'

    @property
    def chain(self) -> list['Training']:
        """All trainings one after the other that lead to it, itself included."""
        return [Training(self.phases[:count], self.seed, self.study) for count in range(1, len(self.phases) + 1)]

    @property
    def starts_from(self) -> 'Training | None':
        """The training whose weights it goes on with."""
        return self.chain[-2] if len(self.phases) > 1 else None


def training_of(study: StudyOptions, row: str, seed: int) -> Training:
    """The last training of a row, which gives its network."""
    return Training(tuple((tuple(phase.data), phase.share) for phase in study.rows[row]), seed, study.name)


def all_trainings(study: StudyOptions) -> list[Training]:
    """Every training of the study once, in an order in which none comes before what it starts from; all of a seed together."""
    found: dict[Training, None] = {}
    for seed in study.seeds:
        for row in study.rows:
            found |= dict.fromkeys(training_of(study, row, seed).chain)
    return list(found)


def iterations(study: StudyOptions, training: Training) -> int:
    """How many iterations the training has: what its chain comes to, less what comes before it.

    Raises:
        UserError: fewer than one.
    """
    total = study.train.get('total_iter')
    if not isinstance(total, (int, float)) or isinstance(total, bool):
        raise UserError(f'train:total_iter: expected a whole number, found {total!r}')
    ends = [round(total * sum(share for _, share in training.phases[:count]))
            for count in (len(training.phases) - 1, len(training.phases))]
    if ends[1] <= ends[0]:
        raise UserError(f'train:total_iter: {total} leaves no iteration for {training.name}; raise it')
    return ends[1] - ends[0]


def training_options(study: StudyOptions, training: Training) -> dict[str, Any]:
    """The option file of a training: the study's network and recipe on a mixture of its data."""
    earlier = training.starts_from
    parts = {}
    for data in training.phases[-1][0]:
        sections = train_sections(study, data)
        for index, section in enumerate(sections):
            parts[data if len(sections) == 1 else f'{data}-{index}'] = section
    return {
        'name': training.experiment,
        'model_type': 'RestorationModel',
        'num_gpu': study.num_gpu,
        'manual_seed': training.seed,
        'datasets': {'train': {'name': training.name, 'type': 'BPPMixtureDataset', **study.samples, 'parts': parts}},
        'network_g': study.network_g,
        'path': {'pretrain_network_g': None if earlier is None else str(earlier.weights), 'param_key_g': 'params_ema',
                 'strict_load_g': True, 'resume_state': None},
        'train': {**study.train, 'total_iter': iterations(study, training)},
        'logger': study.logger,
    }
