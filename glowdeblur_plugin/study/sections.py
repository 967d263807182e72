"""Sections of data sets, filled up with what the study says for all."""

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.study.options import Section, StudyOptions

SIMULATED, PAIRED = 'SimulatedBlurDataset', 'PairedLMDBDataset'


def train_sections(study: StudyOptions, name: str) -> list[Section]:
    """The training sections of a domain or of pretraining data, each with its `type` and `weight`, the weights' sum 1.

    Raises:
        UserError: none is given, or weights that are not positive numbers.
    """
    data = study.domains.get(name) or study.pretraining[name]
    given = data.train if isinstance(data.train, list) else [data.train]
    weights = [section.get('weight', 1.0) for section in given]
    if not weights or not all(isinstance(weight, (int, float)) and weight > 0 for weight in weights):
        raise UserError(f'{name}:train: needs sections with weights above 0, found {weights}')
    return [{**_filled(section, study, study.sharp_train, 'sharp_train'), 'weight': weight / sum(weights)}
            for section, weight in zip(given, weights)]


def test_section(study: StudyOptions, name: str) -> Section:
    """The test section of a domain or of real pairs."""
    if name in study.real_pairs:
        pairs = study.real_pairs[name]
        return {'type': PAIRED, 'dataroot_lq': pairs.dataroot_lq, 'dataroot_gt': pairs.dataroot_gt}
    own, train = study.domains[name].test, study.domains[name].train
    if own.get('type', SIMULATED) == SIMULATED and not isinstance(train, list) and train.get('type', SIMULATED) == SIMULATED:
        own = {**{key: value for key, value in train.items() if key not in ('dataroot_gt', 'weight')}, **own}
    filled = _filled(own, study, study.sharp_test, 'sharp_test')
    return {'draws_per_picture': study.test_draws, **filled} if filled['type'] == SIMULATED else filled


def scene_of(study: StudyOptions, name: str, picture: str) -> tuple[str, str]:
    """The scene on a picture of a test set, as its sharp set and name there: the blurs of one sharp picture share it, in all
    test sets that are made of it. Pairs on disk are each their own."""
    section = test_section(study, name)
    if section['type'] != SIMULATED:
        return str(section.get('dataroot_lq')), picture
    return section['dataroot_gt'], picture.rpartition('_')[0] if section['draws_per_picture'] > 1 else picture


def _filled(section: Section, study: StudyOptions, sharp: str | None, option: str) -> Section:
    if section.get('type', SIMULATED) != SIMULATED:
        return dict(section)
    if sharp is None and 'dataroot_gt' not in section:
        raise UserError(f"option file: key '{option}' is missing (sharp pictures, a packed set or a folder)")
    return {'type': SIMULATED, 'dataroot_gt': sharp, **study.simulator, **section}
