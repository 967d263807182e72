"""Commands that the page of data sets and the option files give are such that can be given."""

import argparse
import re
import shlex
from pathlib import Path

import pytest
import yaml

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.packers.public_sets import PUBLIC_SETS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / 'datasets_lmdb/README.md').read_text(encoding='utf-8')
FILES = [yaml.safe_load(path.read_text(encoding='utf-8')) for path in sorted((ROOT / 'options').rglob('*.yml'))]
SECTIONS = [section for file in FILES for key in ('datasets', 'sets') for section in file.get(key, {}).values()]
PARTS = [part for section in SECTIONS for part in (section, *section.get('parts', {}).values())
         if part.get('made_by', '').startswith('glowdeblur pack')]


def parse(command: str) -> argparse.Namespace:
    return cli._parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize('command', re.findall(r'^    (glowdeblur .+)$', PAGE, re.MULTILINE))
def test_commands_on_the_page_can_be_given(command):
    assert callable(parse(command).run)


def test_every_published_set_is_on_the_page_with_its_counts():
    for name, packer in PUBLIC_SETS.items():
        row = next(line for line in PAGE.splitlines() if line.startswith('|') and f'`pack {name}`' in line)
        assert all(f'{split} {count}' in row for split, count in packer().counts().items() if count is not None)


@pytest.mark.parametrize('part', PARTS, ids=lambda part: part.get('dataroot_lq', part.get('dataroot_gt')))
def test_option_files_name_the_command_that_makes_their_set(part):
    options = parse(part['made_by'])
    for root in (Path(part[key]) for key in ('dataroot_lq', 'dataroot_gt') if key in part):
        split = root.name.rsplit('_', 1)[0]
        assert root.parent == options.out
        assert split in (options.split or options.packer().counts())
