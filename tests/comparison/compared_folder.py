"""What a comparison leaves behind, made of photographs."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage import data

from glowdeblur_plugin.comparison.page import write_page
from glowdeblur_plugin.comparison.tables import write_tables

ODD = 'a <b>&"c" 100%#1'
MANY = [f'p#{index}%' for index in range(9)]
HASH = '0123456789abcdef' * 4
LABELS = {'blurry': 'Blurry', 'half': 'Half <i> & "|\\', 'most_of-it': 'Most_of-it 90 %', 'drawn': 'Drawn', 'codec': 'Codec'}


def write_png(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.round(picture[..., ::-1]).clip(0, 255).astype(np.uint8))


def restored(method: str, sharp: np.ndarray, blurry: np.ndarray, order: int) -> np.ndarray:
    """Somewhere between blurry and sharp, nearer to sharp for some pictures of a set than for others."""
    share = {'blurry': 0.0, 'half': 0.5, 'most_of-it': 0.8, 'drawn': 0.6, 'codec': 0.95}[method] * (1 - 0.03 * (4 * order % 9))
    return share * sharp + (1 - share) * blurry


def summary_data() -> dict[str, Any]:
    """`summary.json` with a best and a second, a tie, a spread, a published figure, a failed picture and a metric that cannot
    run; the numbers are made up."""
    methods = {name: {'label': label, 'kind': name if name in ('blurry', 'codec') else 'network', 'weights': None,
                      'weights_sha256': None, 'option': None, 'seeds': [], 'device': 'CPU', 'seconds_per_picture': None}
               for name, label in LABELS.items()}
    methods['most_of-it'] |= {'weights': 'nets/most_of.pth', 'weights_sha256': HASH, 'seconds_per_picture': 0.25}
    methods['drawn']['seeds'] = [0, 1, 2]
    return {
        'name': 'Street & <shop>', 'created': '2026-01-02T03:04:05+00:00', 'code_version': '9.8.7', 'git': 'abc1234',
        'torch': '2.9', 'device': 'CPU', 'methods': methods, 'notes': ['Made-up numbers & <notes>'],
        'metrics': {'psnr': {'label': 'PSNR', 'better': 'higher', 'digits': 2},
                    'ssim-2d': {'label': 'SSIM', 'better': 'higher', 'digits': 3},
                    'ssim-3d': {'label': 'SSIM', 'better': 'higher', 'digits': 3},
                    'lpips': {'label': 'LPIPS', 'better': 'lower', 'digits': 3}},
        'sets': {'large': {'label': 'Large_set', 'pictures': 3, 'protocol': 'rgb-u8', 'crop_border': 0, 'with_truth': True,
                           'metrics': ['psnr', 'ssim-2d', 'ssim-3d', 'lpips'], 'names': [ODD, 'cat', 'cup']},
                 'many': {'label': 'Many', 'pictures': 9, 'protocol': 'realblur-aligned', 'crop_border': 4, 'with_truth': True,
                          'metrics': ['psnr'], 'names': MANY}},
        'cells': list(summary_cells()),
    }


def summary_cells() -> Iterator[dict[str, Any]]:
    """Its cells."""
    empty = {'mean': None, 'spread': None, 'low': None, 'high': None, 'count': 3, 'failed': [], 'why': None, 'rank': None,
             'published': None, 'published_source': None}
    for index, method in enumerate(LABELS):
        cell = {**empty, 'set': 'large', 'method': method}
        psnr = {'mean': 25.125 + index, 'spread': 0.0371 if method == 'drawn' else None,
                'rank': {'most_of-it': 'best', 'half': 'second'}.get(method)}
        if method == 'half':
            psnr |= {'low': -1.25, 'high': -0.5, 'count': 2, 'failed': [{'picture': ODD, 'why': 'no alignment found'}]}
        if method == 'most_of-it':
            psnr |= {'published': 33.69, 'published_source': 'Someone et al. 2022, table 6'}
        yield {**cell, 'metric': 'psnr', **psnr}
        yield {**cell, 'metric': 'ssim-2d', 'mean': 0.7 + index / 100}
        yield {**cell, 'metric': 'ssim-3d', 'mean': 0.8 + index / 100}
        yield {**cell, 'metric': 'lpips', 'count': 0, 'why': 'weights are missing: put alex.pth into ~/models_dir'}
        yield {**cell, 'set': 'many', 'metric': 'psnr', 'mean': 20.0 + index, 'count': 9}


def make_compared(folder: Path) -> None:
    """Fill a folder as `glowdeblur compare` leaves it, tables and page included: set `large` of three pictures of 288x240
    pixels, of which `half` failed on one, and set `many` of nine of 48x40. Values are the true PSNR, except that the three
    seeds of `drawn` have it less 1, itself and plus 1."""
    rows, found = [], summary_data()
    photographs = {ODD: data.astronaut()[:240, :288], 'cat': data.chelsea()[:240, :288], 'cup': data.coffee()[60:300, 150:438]}
    photographs |= {name: data.astronaut()[40 * index:40 * index + 40, 200:248] for index, name in enumerate(MANY)}
    for set_name, record in found['sets'].items():
        for order, name in enumerate(record['names']):
            sharp = photographs[name].astype(np.float64)
            blurry = cv2.GaussianBlur(sharp, (0, 0), 1.5 + 0.3 * order)
            write_png(folder / 'pictures' / set_name / 'sharp' / f'{name}.png', sharp)
            for method in LABELS:
                if (method, name) == ('half', ODD):
                    rows.append([set_name, method, '', name, 'psnr', '', 'no alignment found'])
                    continue
                picture = restored(method, sharp, blurry, order)
                write_png(folder / 'pictures' / set_name / method / f'{name}.png', picture)
                value = 10 * np.log10(255 ** 2 / np.mean((picture - sharp) ** 2))
                for seed in found['methods'][method]['seeds'] or ['']:
                    rows.append([set_name, method, seed, name, 'psnr', value + (seed - 1 if seed != '' else 0), ''])
    with (folder / 'per_picture.csv').open('w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows([['set', 'method', 'seed', 'picture', 'metric', 'value', 'failure'], *rows])
    (folder / 'summary.json').write_text(json.dumps(found))
    write_tables(folder)
    write_page(folder)
