"""What is tested is not in what others train on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.plan import BlurPlan, draw_plan
from glowdeblur_plugin.data.simulated_blur_dataset import SimulatedBlurDataset, resolve_domain
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.option_file import read_option_file
from glowdeblur_plugin.study.options import StudyOptions, read_study
from glowdeblur_plugin.study.regions import Region, check_disjoint
from glowdeblur_plugin.study.sections import train_sections

OPTIONS = Path(__file__).parent.parent.parent / 'options' / 'study'


def region(kinds: str, low: float, high: float, start: float = 0, end: float = 180, **flips: bool) -> Region:
    """A region of kinds given as text with blanks."""
    return Region.of(Domain(dict.fromkeys(kinds.split(), 1.0), (low, high), (0, 0), direction=(start, end)), **flips)


@pytest.mark.parametrize('one, other, meet', [
    (region('linear shake', 2, 8), region('shake', 7, 9), True),
    (region('linear shake', 2, 8), region('zoom defocus', 2, 8), False),
    (region('shake', 2, 8), region('shake', 8, 9), False),
    (region('shake', 8, 8), region('shake', 8, 9), True),
    (region('linear', 2, 8, -20, 20), region('linear', 2, 8, 20, 160), False),
    (region('linear', 2, 8, -20, 20), region('linear', 2, 8, 150, 161), True),
    (region('linear shake', 2, 8, -20, 20), region('linear shake', 2, 8, 20, 160), True),
    (region('linear', 2, 8, 10, 20), region('linear', 2, 8, 160, 170), False),
    (region('linear', 2, 8, 10, 20, mirrored=True), region('linear', 2, 8, 160, 170), True),
    (region('linear', 2, 8, 10, 20), region('linear', 2, 8, 70, 80, turned=True), True),
    (region('linear', 2, 8, 10, 20, mirrored=True, turned=True), region('linear', 2, 8, 100, 110), True),
    (region('linear', 2, 8, 10, 20, mirrored=True, turned=True), region('linear', 2, 8, 110, 150), False),
])
def test_regions_meet(one: Region, other: Region, meet: bool) -> None:
    assert one.meets(other) is meet and other.meets(one) is meet


def test_an_overlap_is_refused(section: dict[str, Any]) -> None:
    check_disjoint(read_study(section))
    section['pretraining']['diverse']['train'][1]['blur_length'] = [4, 6.5]
    with pytest.raises(UserError, match='pretraining:diverse:train: linear of 4 to 6.5 px overlaps with domains:long:train, '
                                        'linear of 6 to 8 px'):
        check_disjoint(read_study(section))


def test_a_packed_set_is_not_in_two_places(section: dict[str, Any]) -> None:
    packed = {'type': 'PairedLMDBDataset', 'dataroot_lq': 'gopro_lq.lmdb', 'dataroot_gt': 'gopro_gt.lmdb'}
    section['domains']['short'] = {'train': packed, 'test': {**packed, 'dataroot_lq': 'test_lq.lmdb'}}
    check_disjoint(read_study(section))
    section['real_pairs'] = {'street': {key: packed[key] for key in ('dataroot_lq', 'dataroot_gt')}}
    with pytest.raises(UserError, match='domains:short:train: gopro_lq.lmdb overlaps with real_pairs:street'):
        check_disjoint(read_study(section))
    section['real_pairs'] = {}
    section['pretraining']['diverse']['train'] = {**packed, 'dataroot_lq': 'test_lq.lmdb'}
    with pytest.raises(UserError, match='pretraining:diverse:train: test_lq.lmdb overlaps with domains:short:test'):
        check_disjoint(read_study(section))


def domains_of(study: StudyOptions, name: str) -> list[Domain]:
    """What the training sections of some data draw from."""
    own = [{key: value for key, value in found.items() if key != 'weight'} for found in train_sections(study, name)]
    return [resolve_domain(SimulatedBlurDataset.read_options({**found, 'phase': 'val'}, name), name) for found in own]


def lies_in(plan: BlurPlan, domain: Domain) -> bool:
    """Whether a drawn blur is one of the domain's, its direction in training pictures taken from its motion, either way up."""
    if domain.kinds.get(plan.kind, 0) == 0 or not domain.blur_length[0] < plan.length < domain.blur_length[1]:
        return False
    x, y = plan.background[-1][:2, 2] - plan.background[0][:2, 2]
    angles = np.degrees(np.arctan2(np.array([y, -y]), x))
    low, high = domain.direction
    return plan.kind != 'linear' or bool((((angles - low) % 180) < high - low).any())


@pytest.mark.parametrize('file', ['small.yml', 'smoke.yml'])
def test_no_blur_of_pretraining_is_a_tested_one(file: str) -> None:
    study = read_study(read_option_file(str(OPTIONS / file)))
    check_disjoint(study)
    rng, tested = np.random.default_rng(0), {name: domains_of(study, name)[0] for name in study.domains}
    for name, domain in tested.items():
        for _ in range(15):
            plan = draw_plan(domain, 40, 40, rng)
            assert [other for other in tested if lies_in(plan, tested[other])] == [name]
    for name in study.pretraining:
        for domain in domains_of(study, name):
            assert not any(lies_in(draw_plan(domain, 40, 40, rng), other) for _ in range(25) for other in tested.values())
