"""Regions of the blur simulator's parameters, and the check that what is tested is not in what others train on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset, resolve_domain
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.study.options import Section, StudyOptions
from glowdeblur_plugin.study.sections import SIMULATED, test_section, train_sections

DIRECTED = 'linear'
HALF_TURN = 180


@dataclass(frozen=True)
class Region:
    """A part of the simulator's blur; what it does not name is free.

    Attributes:
        kinds: of blur.
        lengths: shortest and longest blur length in pixels.
        directions: of `linear` blur, k for those from k to k + 1 of 180 degrees.
    """

    kinds: frozenset[str]
    lengths: tuple[float, float]
    directions: frozenset[int]

    @classmethod
    def of(cls, domain: Domain, mirrored: bool = False, turned: bool = False) -> 'Region':
        """The region that a domain draws from.

        Args:
            mirrored: pictures are flipped at random, which turns direction a into -a.
            turned: they are transposed at random, which turns it into 90 degrees - a.
        """
        low, high = (math.floor(domain.direction[0]), math.ceil(domain.direction[1]))
        found = {degree % HALF_TURN for degree in range(low, max(high, low + 1))}
        if mirrored:
            found |= {-1 - degree + HALF_TURN for degree in found}
        if turned:
            found |= {(89 - degree) % HALF_TURN for degree in found}
        return cls(frozenset(kind for kind, weight in domain.kinds.items() if weight > 0), domain.blur_length, frozenset(found))

    def meets(self, other: 'Region') -> bool:
        """Whether both hold some blur in common; a length at which one ends and the other starts is drawn with chance 0."""
        kinds = self.kinds & other.kinds
        low, high = max(self.lengths[0], other.lengths[0]), min(self.lengths[1], other.lengths[1])
        single = self.lengths[0] == self.lengths[1] or other.lengths[0] == other.lengths[1]
        if not kinds or low > high or low == high and not single:
            return False
        return kinds != {DIRECTED} or bool(self.directions & other.directions)

    def __str__(self) -> str:
        directions = len(self.directions)
        turned = f' in {directions} of 180 degrees' if DIRECTED in self.kinds and directions < HALF_TURN else ''
        return f'{"/".join(sorted(self.kinds))} of {self.lengths[0]:g} to {self.lengths[1]:g} px{turned}'


class Part(NamedTuple):
    """A section of the study: of which data, where it stands, and its region or, of pictures on disk, their path."""

    data: str
    place: str
    blur: Region | str


def check_disjoint(study: StudyOptions) -> None:
    """Refuse a study in which a domain's region or set is part of another domain or of pretraining data, or real pairs are.

    So the tested regions are cut from pretraining: each of its sections lies outside of all of them. Two sections are apart
    where they share no kind of blur, no blur length or, of linear blur, no direction, with what flips of training pictures make
    of it. That is said of whole pictures: in parts of them a nearly straight camera path, an object's motion or the side of a
    zoom may be blurred as in a domain. In options/study/small.yml that is so of about 15 % of the pixels of `narrow` and 2 % of
    those of `diverse` (within a domain's lengths and directions, and five times as long as wide).

    Raises:
        UserError: names both sections and what each of them draws.
    """
    tested = [Part(name, f'real_pairs:{name}', pairs.dataroot_lq) for name, pairs in study.real_pairs.items()]
    tested += [part for name in study.domains for part in _parts(study, name)]
    others = [part for name in study.pretraining for part in _parts(study, name)]
    for index, one in enumerate(tested):
        for other in [*tested[index + 1:], *others]:
            if one.data != other.data and _meet(one.blur, other.blur):
                raise UserError(f'{other.place}: {other.blur} overlaps with {one.place}, {one.blur}; domains and pretraining '
                                'must share no kind of blur, or no blur length, or, of linear blur, no direction after flips '
                                '(samples:use_hflip, use_rot); or no set of pictures')


def _meet(one: Region | str, other: Region | str) -> bool:
    return one.meets(other) if isinstance(one, Region) and isinstance(other, Region) else one == other


def _parts(study: StudyOptions, name: str) -> Iterator[Part]:
    place = f'{"domains" if name in study.domains else "pretraining"}:{name}'
    flips = {key: study.samples[key] for key in ('use_hflip', 'use_rot') if key in study.samples}
    for section in train_sections(study, name):
        own = {key: value for key, value in section.items() if key != 'weight'}
        yield Part(name, f'{place}:train', blur_of({**own, **flips}, f'{place}:train', 'train'))
    if name in study.domains:
        yield Part(name, f'{place}:test', blur_of(test_section(study, name), f'{place}:test', 'val'))


def blur_of(section: Section, place: str, phase: str) -> Region | str:
    """The region of a simulated set, or the path of the blurry pictures of another."""
    if section['type'] != SIMULATED:
        return str(section.get('dataroot_lq'))
    options = SimulatedBlurDataset.read_options({'gt_size': 16, **section, 'phase': phase}, place)
    flipped = phase == 'train'
    return Region.of(resolve_domain(options, place), flipped and (options.use_hflip or options.use_rot),
                     flipped and options.use_rot)
