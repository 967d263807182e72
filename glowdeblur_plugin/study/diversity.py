"""How many kinds of blur a row's training data covers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import comb, prod

from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.report.audit import covered
from glowdeblur_plugin.report.blur_record import SetRecord, common_origin, measure_set
from glowdeblur_plugin.report.blur_set import BlurSet, SimulatedBlur, open_set
from glowdeblur_plugin.report.diversity import Kinds
from glowdeblur_plugin.study.options import Section, StudyOptions
from glowdeblur_plugin.study.sections import SIMULATED, train_sections


def row_diversities(study: StudyOptions, progress: Progress = silent) -> dict[str, float]:
    """Row -> kinds of blur that `diversity_pictures` pictures cover on average, drawn from its data by its phases' shares.

    Of each data as many pictures are measured, in shares of their sections' weights; the motion is the best that is known of
    all of them: the true one of simulated blur.

    Raises:
        UserError: data that cannot be opened or has fewer pictures.
    """
    shares = {row: data_shares(study, row) for row in study.rows}
    sections = [(name, section) for name in dict.fromkeys(name for row in shares.values() for name in row)
                for section in train_sections(study, name)]
    records: dict[str, list[SetRecord]] = {}
    for done, (name, section) in enumerate(sections):
        progress('training sets whose blur is counted', done, len(sections))
        count = max(1, round(section['weight'] * study.diversity_pictures))
        records.setdefault(name, []).append(measure_set(_open(section, name, count), count))
    progress('training sets whose blur is counted', len(sections), len(sections))
    origin = common_origin([record for parts in records.values() for record in parts])
    kinds = {name: [picture for record in parts for picture in covered(record, origin)] for name, parts in records.items()}
    return {row: mixed_diversity(kinds, of, min(map(len, kinds.values()))) for row, of in shares.items()}


def data_shares(study: StudyOptions, row: str) -> dict[str, float]:
    """Name of the data -> its share of the row's training crops."""
    shares: Counter[str] = Counter()
    for phase in study.rows[row]:
        for name in phase.data:
            shares[name] += phase.share / len(phase.data)
    return dict(shares)


def mixed_diversity(kinds: Mapping[str, Sequence[Kinds]], shares: Mapping[str, float], count: int) -> float:
    """Mean number of kinds of blur in `count` pictures of which each data gives its share, rounded: rarefaction as in
    `report.diversity.expected_diversity`, with the chances that a kind is missing multiplied over the data.

    Args:
        kinds: name of the data -> kinds of blur of each of its pictures, at least `count` of them.
        shares: of those data that are drawn from.
    """
    shown = {name: Counter(kind for picture in kinds[name] for kind in picture) for name in shares}
    total = 0.0
    for kind in set().union(*shown.values()):
        missing = prod(_missing(len(kinds[name]), shown[name][kind], round(share * count)) for name, share in shares.items())
        total += 1 - missing
    return total


def _missing(total: int, showing: int, drawn: int) -> float:
    """Chance that none of `drawn` from `total` pictures is one of the `showing`."""
    return comb(total - showing, drawn) / comb(total, drawn)


def _open(section: Section, name: str, count: int) -> BlurSet:
    if section['type'] != SIMULATED:
        return open_set(section['dataroot_lq'], count, option=name)
    return SimulatedBlur(name, {key: value for key, value in section.items() if key not in ('type', 'weight')}, count)
