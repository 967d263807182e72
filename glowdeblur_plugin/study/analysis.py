"""What the figures of a study say: gains, gaps to the network of the domain, differences and how sure they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glowdeblur_plugin.report.audit import rank_correlation
from glowdeblur_plugin.report.bootstrap import paired_interval
from glowdeblur_plugin.study.options import StudyOptions
from glowdeblur_plugin.study.results import Results
from glowdeblur_plugin.study.sections import scene_of

LEAST_GAIN = 1.0
DOMAINS, REAL = 'all domains', 'all real pairs'


@dataclass(frozen=True)
class Cell:
    """A row on a test set; means over pictures and seeds.

    Attributes:
        psnr, ssim: in dB, and up to 1.
        spread: standard deviation over the seeds of the mean PSNR in dB; None for one seed.
        gain: PSNR over that of the blurry pictures.
        gap: PSNR over that of the network trained on this domain alone; None on real pairs.
        trained: whether the row is trained on this domain, among others.
    """

    psnr: float
    ssim: float
    spread: float | None
    gain: float
    gap: float | None
    trained: bool


@dataclass(frozen=True)
class Difference:
    """PSNR of one row less that of another in dB on one test set or several, with its 95 % interval over scenes and seeds.

    Attributes:
        by_seed: mean of each seed.
        scenes: how many the pictures show, see `sections.scene_of`.
    """

    row: str
    other: str
    on: str
    mean: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    scenes: int


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation over rows of the diversity of what they are trained on and a gain; nan if it has none."""

    gain_on: str
    rows: int
    value: float


def trained_on(study: StudyOptions, row: str) -> set[str]:
    """Names of all data that the row is trained on."""
    return {name for phase in study.rows[row] for name in phase.data}


def row_of_domain(study: StudyOptions, domain: str) -> str:
    """The first row that is trained on this domain alone."""
    return next(row for row in study.rows if trained_on(study, row) == {domain})


def cells(study: StudyOptions, results: Results) -> dict[tuple[str, str], Cell]:
    """The matrix: row, test set -> cell."""
    found = {}
    for (row, name), figures in results.restored.items():
        by_seed = figures[..., 0].mean(axis=0)
        psnr = float(by_seed.mean())
        gap = psnr - float(results.psnr(row_of_domain(study, name), name).mean()) if name in study.domains else None
        spread = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None
        found[row, name] = Cell(psnr, float(figures[..., 1].mean()), spread, results.gain(row, name), gap,
                                name in trained_on(study, row))
    return found


def too_weak(study: StudyOptions, results: Results) -> dict[str, float]:
    """Domains whose own network gains less than 1 dB -> its gain; while there are any, the study is underpowered."""
    gains = {domain: results.gain(row_of_domain(study, domain), domain) for domain in study.domains}
    return {domain: gain for domain, gain in gains.items() if gain < LEAST_GAIN}


def differences(study: StudyOptions, results: Results, row: str, other: str) -> list[Difference]:
    """Differences of two rows on every test set, on the pictures of all domains, and on those of all real pairs."""
    groups = {name: [name] for name in results.pictures} | {DOMAINS: list(study.domains)}
    if study.real_pairs:
        groups[REAL] = list(study.real_pairs)
    found = []
    for on, names in groups.items():
        table = np.concatenate([results.psnr(row, name) - results.psnr(other, name) for name in names])
        scenes = [scene_of(study, name, picture) for name in names for picture in results.pictures[name]]
        found.append(Difference(row, other, on, float(table.mean()), *paired_interval(table, scenes=scenes),
                                tuple(table.mean(axis=0).tolist()), len(set(scenes))))
    return found


def generalisation(study: StudyOptions, results: Results, row: str, names: Sequence[str]) -> float | None:
    """Mean gain in dB over those of the test sets `names` that the row is not trained on; None where there are none."""
    unseen = [results.gain(row, name) for name in names if name not in trained_on(study, row)]
    return float(np.mean(unseen)) if unseen else None


def correlations(study: StudyOptions, results: Results, diversity: Mapping[str, float]) -> list[Correlation]:
    """Rank correlation of diversity and generalisation, on all test sets that a row is not trained on and on real pairs alone.

    Rows that are trained on all of them are left out.

    Args:
        diversity: row -> kinds of blur in what it is trained on, all counted on equally many pictures.
    """
    found = []
    for label, names in (('test sets not trained on', list(results.pictures)), ('real pairs', list(study.real_pairs))):
        gains = {row: generalisation(study, results, row, names) for row in study.rows}
        rows = [row for row, gain in gains.items() if gain is not None]
        if len(rows) > 1:
            value = rank_correlation(np.array([diversity[row] for row in rows]), np.array([gains[row] for row in rows]))
            found.append(Correlation(label, len(rows), value))
    return found
