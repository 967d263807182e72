"""Option files explain themselves, and what they promise about the data holds."""

import re
from pathlib import Path

import pytest
import yaml

from glowdeblur_plugin.data.simulate.domains import DOMAINS

FOLDER = Path(__file__).parent.parent / 'options'
OPTIONS = sorted(FOLDER.rglob('*.yml'))
# Smaller side of the smallest picture, where it is published; None where it is not or varies.
SMALLEST_SIDE = {'realblur_j': None, 'bsd': 480, 'rsblur': 1200, 'gsblur': 256, 'lsdir': None}


@pytest.mark.parametrize('path', OPTIONS, ids=lambda path: path.stem)
def test_every_line_with_a_value_is_explained(path: Path) -> None:
    bare = [line for line in path.read_text().splitlines() if re.match(r'\s*\w+:\s+[^#\s]', line) and ' # ' not in line]
    assert not bare


@pytest.mark.parametrize('name', ['bpp', 'finetune'])
def test_crops_fit_the_sets_or_small_pictures_are_left_out(name: str) -> None:
    train = yaml.safe_load((FOLDER / f'{name}.yml').read_text())['datasets']['train']
    assert train['gt_size'] % 32 == 0
    for part in train['parts'].values():
        smallest = SMALLEST_SIDE[part['dataroot_gt'].split('/')[1]]
        if smallest is None or smallest == SMALLEST_SIDE['gsblur']:
            assert train['skip_small']
        else:
            assert smallest >= train['gt_size']


def test_quickstart_validates_on_the_promised_blur() -> None:
    """Every kind in it moves the whole picture by at least 5 pixels, with noise of at most 1/255."""
    val = yaml.safe_load((FOLDER / 'quickstart.yml').read_text())['datasets']['val']
    assert set(DOMAINS[val['domain']].kinds) <= {'shake', 'linear'}
    assert val['blur_length'][0] >= 5 and DOMAINS[val['domain']].noise[1] <= 1
