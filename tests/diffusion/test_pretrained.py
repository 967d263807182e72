"""Folders, hub ids and sub-folders are told apart."""

from pathlib import Path

import pytest

from glowdeblur_plugin.diffusion.pretrained import split_source


@pytest.mark.parametrize(('source', 'expected'), [
    ('org/repository', ('org/repository', None)),
    ('org/repository/transformer', ('org/repository', 'transformer')),
    ('org/repository/a/b', ('org/repository', 'a/b')),
    ('./weights/sana/transformer', ('./weights/sana/transformer', None)),
])
def test_hub_ids(source: str, expected: tuple[str, str | None]) -> None:
    assert split_source(source) == expected


def test_a_folder_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'weights' / 'sana' / 'transformer').mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert split_source('weights/sana/transformer') == ('weights/sana/transformer', None)
    assert split_source(str(tmp_path / 'missing' / 'here')) == (str(tmp_path / 'missing' / 'here'), None)
