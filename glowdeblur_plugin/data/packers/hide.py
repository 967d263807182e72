"""HIDE: people in motion."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet, clean_key, pair
from glowdeblur_plugin.data.packers.trees import file_names, find_folder, read_list

COUNTS = {'train': 6397, 'test': 2025}
FOLDERS = {'train': ('train',), 'test': ('test/test-close-ups', 'test/test-long-shot')}


@dataclass(frozen=True, kw_only=True)
class Hide(PublicSet):
    """HIDE (Shen et al., ICCV 2019): train 6397 and test 2025, of these 8422 1304 long shots and 7118 close-ups.

    Counts: README.md of joanshen0508/HA_deblur. Tree, as third-party loaders read it (the authors show none):
    `GT/*.png`, `train/*.png`, `test/test-close-ups/*.png`, `test/test-long-shot/*.png`; `train.txt` and `test.txt`, one name a
    line, are used where they are there, so that missing pictures are named. The sharp picture has the blurry one's name,
    in some copies without the `.MP4` before the suffix; keys have '_' for that dot. Names are `<number>from<video>`: a video is
    taken for a scene.
    """

    name: ClassVar[str] = 'hide'
    title: ClassVar[str] = 'HIDE'
    scene: ClassVar[str] = '(?<=from)[^_]+'

    def counts(self) -> dict[str, int | None]:
        return dict(COUNTS)

    def entries(self, root: Path, split: str) -> list[Entry]:
        sharp = find_folder(root, 'GT', '*.png')
        folders = [sharp.parent / name for name in FOLDERS[split]]
        blurry = [folder / name for folder in folders for name in file_names(folder).values()]
        listing = sharp.parent / f'{split}.txt'
        if listing.is_file():
            listed = {Path(row[0]).name for row in read_list(listing, 1)}
            missing = listed - {file.name for file in blurry}
            blurry = [*(file for file in blurry if file.name in listed), *(folders[0] / name for name in missing)]
        there = set(file_names(sharp).values())
        return [pair(clean_key(file.stem), file, sharp / _sharp_name(file.name, there))
                for file in sorted(blurry, key=lambda file: (file.name, file))]


def _sharp_name(name: str, there: set[str]) -> str:
    without = name.replace('.MP4.', '.')
    return without if name not in there and without in there else name
