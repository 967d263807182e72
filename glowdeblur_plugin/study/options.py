"""The option file of a study."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.host_options import LARGEST_SEED
from glowdeblur_plugin.options import Between, read_section, unknown_key

Section = dict[str, Any]
Count = Annotated[int, Between(1)]
NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_]*')
SHARES_AGREE = 1e-6


@dataclass(kw_only=True)
class DomainOptions:
    """A domain: what is trained on and what is tested on.

    Attributes:
        train: section of a training set, or several that are drawn from by their `weight` (1 where none is given): `type` (by
            default SimulatedBlurDataset, which gets `dataroot_gt` and the keys of `simulator`) and the type's own keys.
        test: section of the test set. A simulated one takes over what the only training section says, but for these keys.
    """

    train: Section | list[Section]
    test: Section = field(default_factory=dict)


@dataclass(kw_only=True)
class PretrainingOptions:
    """Training data that no test set belongs to; `train` as in `DomainOptions`."""

    train: Section | list[Section]


@dataclass(kw_only=True)
class PairOptions:
    """Real pairs for the test: packed sets or folders with the same names on both sides."""

    dataroot_lq: str
    dataroot_gt: str


@dataclass(kw_only=True)
class PhaseOptions:
    """A part of a row's training.

    Attributes:
        data: names of domains or pretraining data, drawn from alike.
        share: of the row's iterations.
    """

    data: list[str]
    share: Annotated[float, Between(0.001, 1)] = 1.0


@dataclass(kw_only=True)
class StudyOptions:
    """Keys of a study's option file.

    Attributes:
        name: starts the names of its experiments; the results' folder by default.
        smoke: a run that shows that everything works; nothing is ever concluded from it.
        seeds: of weights and draws; each row is trained once with each.
        jobs: trainings at the same time.
        threads: of each training, on the CPU.
        num_gpu: of each training, see BasicSR.
        prepare: sample set to pack first, as in other option files.
        sharp_train, sharp_test: sharp pictures that training and tests blur, packed sets or folders.
        test_draws: blurs of each sharp picture in a test.
        simulator: keys of every simulated set, training and test.
        samples: keys of every training set: crops, batches, workers.
        domains: name -> domain; all are tested.
        pretraining: name -> data outside of all domains.
        real_pairs: name -> real pairs that are tested on as well.
        rows: name -> phases, one after the other; the shares of a row add up to 1.
        comparisons: pairs of rows whose difference is given with an interval.
        bpp: the two rows, one with and one without diverse pretraining, that the verdict is about.
        diversity_pictures: how many pictures of each training set its diversity is counted on.
        network_g, train, logger: as in a training's option file; `train:total_iter` is that of a whole row.
    """

    name: str
    smoke: bool = False
    seeds: list[Annotated[int, Between(0, LARGEST_SEED)]]
    jobs: Count = 1
    threads: Count = 1
    num_gpu: Literal[0, 1, 'auto'] = 'auto'
    prepare: Section | None = None
    sharp_train: str | None = None
    sharp_test: str | None = None
    test_draws: Count = 1
    simulator: Section = field(default_factory=dict)
    samples: Section
    domains: dict[str, DomainOptions]
    pretraining: dict[str, PretrainingOptions] = field(default_factory=dict)
    real_pairs: dict[str, PairOptions] = field(default_factory=dict)
    rows: dict[str, list[PhaseOptions]]
    comparisons: list[tuple[str, str]] = field(default_factory=list)
    bpp: tuple[str, str]
    diversity_pictures: Count = 64
    network_g: Section
    train: Section
    logger: Section


def read_study(section: Mapping[str, Any]) -> StudyOptions:
    """Read and check a study's option file but for the sections of its trainings, which are checked one by one.

    Raises:
        UserError: a wrong key or value; a name that is not there, stands for two things or fits no file; shares that do not add
            up to 1; a domain without a row of its own; no seeds, or one twice.
    """
    study = read_section(StudyOptions, section, 'option file')
    data = {**study.domains, **study.pretraining}
    for key, names in (('name', [study.name]), ('domains', study.domains), ('pretraining', study.pretraining),
                       ('real_pairs', study.real_pairs), ('rows', study.rows)):
        for name in names:
            if not NAME.fullmatch(name):
                raise UserError(f'{key}: {name!r} names files; use letters, digits and _')
    for name in study.domains:
        if name in study.pretraining or name in study.real_pairs:
            raise UserError(f'domains: {name} is also in {"pretraining" if name in study.pretraining else "real_pairs"}; give '
                            'each its own name')
    if not study.seeds or len(set(study.seeds)) < len(study.seeds):
        raise UserError(f'seeds: {study.seeds} must be different whole numbers, at least one')
    for row, phases in study.rows.items():
        if not phases or abs(sum(phase.share for phase in phases) - 1) > SHARES_AGREE:
            raise UserError(f'rows:{row}: the shares of its phases add up to {sum(phase.share for phase in phases):g}; make '
                            'it 1, so that all rows have the same number of iterations')
        for phase in phases:
            for name in phase.data or ['']:
                if name not in data:
                    raise unknown_key(f'rows:{row}:data', name, data)
    for domain in study.domains:
        if not any({name for phase in phases for name in phase.data} == {domain} for phases in study.rows.values()):
            raise UserError(f'rows: none trains on {domain} alone, which all others are compared with; add '
                            f'{domain}_only: [{{data: [{domain}]}}]')
    for key, pairs in (('comparisons', study.comparisons), ('bpp', [study.bpp])):
        for name in (name for pair in pairs for name in pair):
            if name not in study.rows:
                raise unknown_key(key, name, study.rows)
    if study.sharp_train is not None and study.sharp_train == study.sharp_test:
        raise UserError(f'sharp_test: {study.sharp_test} is also sharp_train; tests need pictures that training never sees')
    return study
