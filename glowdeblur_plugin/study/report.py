"""What a study leaves in its folder: tables as Markdown, CSV and JSON, the heat map, the verdict."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from glowdeblur_plugin.drawing import encode_png
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.study.analysis import Cell, Correlation, Difference, cells, correlations, differences, trained_on
from glowdeblur_plugin.study.evaluation import BLURRY
from glowdeblur_plugin.study.heat_map import heat_map
from glowdeblur_plugin.study.options import StudyOptions
from glowdeblur_plugin.study.results import Results
from glowdeblur_plugin.study.sections import SIMULATED, train_sections
from glowdeblur_plugin.study.verdict import verdict

PHASES = ('A row of several phases has the whole learning-rate schedule and a new optimizer in each, which starts from the '
          'moving average of the one before. Against a row of one phase it differs in that too; rows with the same phases '
          'differ in their data alone.')
REGIONS = ('No kind of blur with its length and direction is in two domains, or in a domain and in pretraining, taken over the '
           'whole picture. Parts of it may look alike: nearly straight camera paths, moving objects, the sides of a zoom.')
FILES = ('report.md', 'matrix.csv', 'per_picture.csv', 'summary.json', 'heat_map.png')


@dataclass(frozen=True)
class Report:
    """All that is said of a study; `verdict` is a list of sentences."""

    study: StudyOptions
    results: Results
    cells: dict[tuple[str, str], Cell]
    differences: list[Difference]
    diversity: dict[str, float]
    correlations: list[Correlation]
    verdict: list[str]


def make_report(study: StudyOptions, results: Results, diversity: dict[str, float]) -> Report:
    """Analyse the figures; `diversity` as `row_diversities` gives it."""
    pairs = dict.fromkeys([study.bpp, *study.comparisons])
    by_pair = {pair: differences(study, results, *pair) for pair in pairs}
    return Report(study, results, cells(study, results), [entry for found in by_pair.values() for entry in found], diversity,
                  correlations(study, results, diversity), verdict(study, results, by_pair[study.bpp]))


def write_report(report: Report, folder: Path) -> None:
    """Write `FILES` into `folder`."""
    study, sets = report.study, list(report.results.pictures)
    seeds = ', '.join(map(str, report.results.seeds))
    title = f'{study.name}: {study.train["total_iter"]:.0f} iterations a row, seeds {seeds}'
    write_atomically(folder / 'report.md', as_markdown(report))
    write_atomically(folder / 'matrix.csv', _csv(_matrix(report)))
    write_atomically(folder / 'per_picture.csv', _csv(_pictures(report)))
    write_atomically(folder / 'summary.json', as_json(report))
    write_atomically(folder / 'heat_map.png', encode_png(heat_map(list(study.rows), sets, report.cells, title)))


def as_markdown(report: Report) -> str:
    """The verdict and all tables."""
    study, results, sets = report.study, report.results, list(report.results.pictures)
    plan = [[row, ', then '.join(f'{phase.share:.0%} {" + ".join(phase.data)}' for phase in phases),
             f'{report.diversity[row]:.1f}'] for row, phases in study.rows.items()]
    blurry = [f'{results.blurry[name][:, 0].mean():.2f} / {results.blurry[name][:, 1].mean():.3f}' for name in sets]
    found = report.cells
    lines = [f'# {study.name}', '', *report.verdict, '',
             f'{study.train["total_iter"]:.0f} iterations a row, seeds {", ".join(map(str, results.seeds))}. Figures are of '
             '8-bit RGB, means over pictures and seeds; ± is the standard deviation of the means of several seeds.', '',
             '## Rows', '', *_table(['row', 'trained on', f'kinds of blur in {study.diversity_pictures} pictures'], plan), '',
             *_cautions(study),
             '## PSNR in dB / SSIM', '',
             *_table(['row', *sets], [[BLURRY, *blurry], *_rows(report, _psnr)]), '',
             '## PSNR gain over the blurry pictures in dB', '',
             *_table(['row', *sets], _rows(report, lambda cell: f'{cell.gain:+z.2f}')), '',
             '## Gap to the network trained on the domain alone, in dB', '',
             *_table(['row', *study.domains],
                     [[row, *(f'{found[row, name].gap:+z.2f}' for name in study.domains)] for row in study.rows]), '',
             '## Differences of rows in dB, 95 % intervals over scenes and seeds', '',
             'All blurs of one sharp picture, in all domains, are one scene; real pairs are each their own.', '',
             *_table(['rows', 'on', 'scenes', 'difference', 'interval', 'by seed'],
                     [[f'{entry.row} - {entry.other}', entry.on, str(entry.scenes), f'{entry.mean:+z.2f}',
                       f'{entry.low:+z.2f} to {entry.high:+z.2f}', ', '.join(f'{value:+z.2f}' for value in entry.by_seed)]
                      for entry in report.differences]), '',
             '## Diversity of the training data and generalisation, rank correlation over rows', '',
             'Generalisation is the mean gain over the blurry pictures on test sets that a row is not trained on: on other sets '
             'for each row, and on the same only on real pairs. The rows are few and share data, so this is a hint and no test.',
             '',
             *_table(['gain on', 'rows', "Spearman's rho"],
                     [[entry.gain_on, str(entry.rows), f'{entry.value:+z.2f}'] for entry in report.correlations])]
    return '\n'.join(lines) + '\n'


def _cautions(study: StudyOptions) -> Iterator[str]:
    """What tables of this study do not show, each with an empty line."""
    if any(len(phases) > 1 for phases in study.rows.values()):
        yield from (PHASES, '')
    if any(section['type'] == SIMULATED for name in study.domains for section in train_sections(study, name)):
        yield from (REGIONS, '')


def as_json(report: Report) -> str:
    """All numbers as text of JSON."""
    study, results = report.study, report.results
    return json.dumps({
        'name': study.name, 'smoke': study.smoke, 'iterations': study.train['total_iter'], 'seeds': results.seeds,
        'verdict': report.verdict,
        'rows': {row: {'trained_on': sorted(trained_on(study, row)), 'kinds_of_blur': report.diversity[row],
                       'phases': [asdict(phase) for phase in phases]} for row, phases in study.rows.items()},
        'blurry': {name: {'pictures': len(table), 'psnr': table[:, 0].mean(), 'ssim': table[:, 1].mean()}
                   for name, table in results.blurry.items()},
        'cells': [{'row': row, 'set': name, **asdict(cell)} for (row, name), cell in report.cells.items()],
        'differences': [asdict(entry) for entry in report.differences],
        'correlations': [{**asdict(entry), 'value': None if math.isnan(entry.value) else entry.value}
                         for entry in report.correlations]}, indent=2) + '\n'


def _rows(report: Report, text: Callable[[Cell], str]) -> list[list[str]]:
    return [[row, *(text(report.cells[row, name]) for name in report.results.pictures)] for row in report.study.rows]


def _psnr(cell: Cell) -> str:
    spread = '' if cell.spread is None else f' ± {cell.spread:.2f}'
    return f'{cell.psnr:.2f}{spread} / {cell.ssim:.3f}'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f'| {" | ".join(row)} |' for row in (head, ['---'] * len(head), *rows)]


def _matrix(report: Report) -> Iterator[Mapping[str, object]]:
    for (row, name), cell in report.cells.items():
        yield {'row': row, 'set': name, **asdict(cell)}


def _pictures(report: Report) -> Iterator[Mapping[str, object]]:
    results = report.results
    for name, pictures in results.pictures.items():
        for picture, (psnr, ssim) in zip(pictures, results.blurry[name].tolist(), strict=True):
            yield {'row': BLURRY, 'seed': '', 'set': name, 'picture': picture, 'psnr': psnr, 'ssim': ssim}
    for (row, name), figures in results.restored.items():
        for picture, by_seed in zip(results.pictures[name], figures.tolist(), strict=True):
            for seed, (psnr, ssim) in zip(results.seeds, by_seed, strict=True):
                yield {'row': row, 'seed': seed, 'set': name, 'picture': picture, 'psnr': psnr, 'ssim': ssim}


def _csv(rows: Iterator[Mapping[str, object]]) -> str:
    text, table = io.StringIO(), list(rows)
    writer = csv.DictWriter(text, list(table[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()
