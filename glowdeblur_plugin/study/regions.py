"""Regions of the blur simulator's parameters, and the check that what is tested is not in what others train on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.plan import BlurPlan
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset, resolve_domain
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.study.options import Section, StudyOptions
from glowdeblur_plugin.study.sections import SIMULATED, test_section, train_sections


@dataclass(frozen=True)
class Region:
    """Kinds of blur at blur lengths from `shortest` to `longest` pixels; all other parameters are free."""

    kinds: frozenset[str]
    shortest: float
    longest: float

    @classmethod
    def of(cls, domain: Domain) -> 'Region':
        """The region that a domain draws from."""
        return cls(frozenset(kind for kind, weight in domain.kinds.items() if weight > 0), *domain.blur_length)

    def meets(self, other: 'Region') -> bool:
        """Whether both hold some blur in common; a length at which one ends and the other starts is drawn with chance 0."""
        shared = min(self.longest, other.longest) - max(self.shortest, other.shortest)
        one_length = min(self.longest - self.shortest, other.longest - other.shortest) == 0
        return bool(self.kinds & other.kinds) and (shared > 0 or one_length and shared == 0)

    def holds(self, plan: BlurPlan) -> bool:
        """Whether a drawn blur lies in the region."""
        return plan.kind in self.kinds and self.shortest <= plan.length <= self.longest

    def __str__(self) -> str:
        return f'{"/".join(sorted(self.kinds))} of {self.shortest:g} to {self.longest:g} px'


class Part(NamedTuple):
    """A section of the study: of which data set, where it stands, and its region or, of pictures on disk, their path."""

    data: str
    place: str
    blur: Region | str


def check_disjoint(study: StudyOptions) -> None:
    """Refuse a study in which a domain's region or set is part of another domain or of pretraining data.

    So the tested regions are cut from pretraining because each pretraining section lies outside of all of them: two sections are
    apart where they share no kind of blur or no blur length.

    Raises:
        UserError: names both sections and what each of them draws.
    """
    tested = [part for name in study.domains for part in _parts(study, name)]
    others = [part for name in study.pretraining for part in _parts(study, name)]
    for index, one in enumerate(tested):
        for other in [*tested[index + 1:], *others]:
            if one.data == other.data:
                continue
            both = isinstance(one.blur, Region) and isinstance(other.blur, Region)
            if one.blur.meets(other.blur) if both else one.blur == other.blur:
                raise UserError(f'{other.place}: {other.blur} overlaps with {one.place}, {one.blur}; domains and pretraining '
                                'must share no kind of blur or no blur length (no set of pictures)')


def _parts(study: StudyOptions, name: str) -> Iterator[Part]:
    group = 'domains' if name in study.domains else 'pretraining'
    for section in train_sections(study, name):
        yield Part(name, f'{group}:{name}:train', blur_of(section, f'{group}:{name}:train', 'train'))
    if name in study.domains:
        place = f'domains:{name}:test'
        yield Part(name, place, blur_of(test_section(study, name), place, 'val'))


def blur_of(section: Section, place: str, phase: str) -> Region | str:
    """The region of a simulated set, or the path of the blurry pictures of another."""
    if section['type'] != SIMULATED:
        return str(section.get('dataroot_lq'))
    own = {key: value for key, value in section.items() if key != 'weight'}
    options = SimulatedBlurDataset.read_options({'gt_size': 16, **own, 'phase': phase}, place)
    return Region.of(resolve_domain(options, place))
