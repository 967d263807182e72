"""The figures of a study: what every row's networks make of every test picture."""

from dataclasses import dataclass

import numpy as np

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.study.evaluation import BLURRY, Evaluation, Score
from glowdeblur_plugin.study.options import StudyOptions
from glowdeblur_plugin.study.trainings import training_of


@dataclass(frozen=True)
class Results:
    """Complete seeds alone: those with figures of every row on every test set.

    Attributes:
        seeds: the complete ones.
        pictures: test set -> names of its pictures.
        blurry: test set -> figures of the blurry pictures, (pictures, 2): PSNR in dB and SSIM.
        restored: row, test set -> figures of the restored pictures, (pictures, seeds, 2).
    """

    seeds: tuple[int, ...]
    pictures: dict[str, list[str]]
    blurry: dict[str, np.ndarray]
    restored: dict[tuple[str, str], np.ndarray]

    def psnr(self, row: str, name: str) -> np.ndarray:
        """PSNR in dB of a row on a test set, (pictures, seeds)."""
        return self.restored[row, name][..., 0]

    def gain(self, row: str, name: str) -> float:
        """Mean PSNR over the blurry pictures' in dB."""
        return float((self.psnr(row, name) - self.blurry[name][:, None, 0]).mean())


def read_results(study: StudyOptions, evaluation: Evaluation) -> Results:
    """Read what has been measured.

    Raises:
        UserError: no seed is complete, or two files of one test set have other pictures.
    """
    seeds = tuple(seed for seed in study.seeds
                  if not any(evaluation.missing(training_of(study, row, seed).name) for row in study.rows))
    if not seeds:
        raise UserError(f'{evaluation.folder}: no seed has all rows yet; run the study without --report')
    blurry = evaluation.read(BLURRY)
    tables = {(row, seed): evaluation.read(training_of(study, row, seed).name) for row in study.rows for seed in seeds}
    for (row, seed), table in tables.items():
        for name, scores in table.items():
            if scores.keys() != blurry[name].keys():
                raise UserError(f'{evaluation.folder}: {training_of(study, row, seed).name} and {BLURRY} have other pictures '
                                f'of {name}; remove both folders, and they are measured anew')
    return Results(
        seeds, {name: sorted(scores) for name, scores in blurry.items()},
        {name: _array(scores) for name, scores in blurry.items()},
        {(row, name): np.stack([_array(tables[row, seed][name]) for seed in seeds], axis=1)
         for row in study.rows for name in blurry})


def _array(scores: dict[str, Score]) -> np.ndarray:
    return np.array([scores[picture] for picture in sorted(scores)], np.float64)
