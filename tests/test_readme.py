"""The README's links lead somewhere and its commands name files that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / 'README.md').read_text(encoding='utf-8')


def test_relative_links_exist() -> None:
    links = [link for link in re.findall(r'\]\(([^)]+)\)', TEXT) if not link.startswith('http')]
    assert links and all((ROOT / link).exists() for link in links)


def test_option_files_in_commands_exist() -> None:
    named = set(re.findall(r'options/[\w/]+\.yml', TEXT))
    assert {'options/quickstart.yml', 'options/bpp.yml', 'options/finetune.yml', 'options/test.yml'} <= named
    assert all((ROOT / path).is_file() for path in named)


def test_no_place_is_left_to_fill_in() -> None:
    assert not re.search(r'QUICKSTART_|TODO|TBD', TEXT)
