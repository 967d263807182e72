"""How many kinds of blur a row's training data covers."""

from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.report.audit import covered
from glowdeblur_plugin.report.blur_record import SetRecord, common_origin, measure_set
from glowdeblur_plugin.report.blur_set import BlurSet, SimulatedBlur, open_set
from glowdeblur_plugin.report.diversity import expected_diversity
from glowdeblur_plugin.study.analysis import trained_on
from glowdeblur_plugin.study.options import Section, StudyOptions
from glowdeblur_plugin.study.sections import SIMULATED, train_sections


def row_diversities(study: StudyOptions, progress: Progress = silent) -> dict[str, float]:
    """Row -> kinds of blur that `diversity_pictures` pictures of its training data cover on average, see `report.diversity`.

    Of each domain and each pretraining data as many pictures are measured, in shares of their sections' weights; the motion is
    the best that is known of all of them: the true one of simulated blur.

    Raises:
        UserError: data that cannot be opened or has fewer pictures.
    """
    names = dict.fromkeys(name for row in study.rows for phase in study.rows[row] for name in phase.data)
    records = {name: _measure(study, name, progress) for name in names}
    origin = common_origin([record for parts in records.values() for record in parts])
    kinds = {name: [picture for record in parts for picture in covered(record, origin)] for name, parts in records.items()}
    return {row: expected_diversity([picture for name in sorted(trained_on(study, row)) for picture in kinds[name]],
                                    min(map(len, kinds.values()))) for row in study.rows}


def _measure(study: StudyOptions, name: str, progress: Progress) -> list[SetRecord]:
    records = []
    for section in train_sections(study, name):
        count = max(1, round(section['weight'] * study.diversity_pictures))
        records.append(measure_set(_open(section, name, count, progress), count, progress=progress))
    return records


def _open(section: Section, name: str, count: int, progress: Progress) -> BlurSet:
    if section['type'] != SIMULATED:
        return open_set(section['dataroot_lq'], count, progress, name)
    return SimulatedBlur(name, {key: value for key, value in section.items() if key not in ('type', 'weight')}, count)
