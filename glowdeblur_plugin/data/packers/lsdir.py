"""LSDIR: sharp photographs."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet
from glowdeblur_plugin.data.packers.trees import file_names, find_file, find_folder, folder_names
from glowdeblur_plugin.errors import UserError

COUNTS = {'train': 84991, 'val': 250}
FIRST_FOLDER = '0001000'
LISTING = 'train.json'


@dataclass(frozen=True, kw_only=True)
class Lsdir(PublicSet):
    """LSDIR (Li et al., CVPR workshops 2023): sharp pictures, train 84991 and val 250.

    Tree after unpacking all shards into one folder: `0001000/0000001.png .. 0085000/0084991.png`, a folder named by its last
    number, and `val1/HR/val/0000001.png ..` (loader LsdirHR of deepinv). Where `train.json` of ofsoundof/LSDIR lies below the
    root, its paths are followed, so that missing pictures are named; its `HR/train/` is no part of the shards' tree. Keys are
    <train|val>_<number>: the numbers repeat.
    """

    name: ClassVar[str] = 'lsdir'
    title: ClassVar[str] = 'LSDIR, sharp pictures alone'
    scene: ClassVar[str] = '^.+(?=$)'

    def counts(self) -> dict[str, int | None]:
        return dict(COUNTS)

    def entries(self, root: Path, split: str) -> list[Entry]:
        if split == 'val':
            files = _in_folder(find_folder(root, 'HR', 'val/[0-9]*.png') / 'val')
        else:
            folder = find_folder(root, FIRST_FOLDER, '[0-9]*.png').parent
            listing = find_file(root, LISTING)
            files = _listed(listing, folder) if listing else _in_shards(folder)
        return [Entry(f'{split}_{file.stem}', {'gt': (file,)}) for file in files]


def _in_folder(folder: Path) -> list[Path]:
    return [folder / name for name in file_names(folder).values()]


def _in_shards(folder: Path) -> list[Path]:
    numbered = (name for name in folder_names(folder) if re.fullmatch(r'\d{7}', name))
    return [file for name in numbered for file in _in_folder(folder / name)]


def _listed(listing: Path, folder: Path) -> list[Path]:
    try:
        paths = [Path(entry['path']) for entry in json.loads(listing.read_text(encoding='utf-8'))]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f'{listing}: is not the list of LSDIR, [{{"path": "HR/train/0001000/0000001.png"}}, ..] '
                        f'({type(error).__name__}: {error})') from None
    return [folder / path.parent.name / path.name for path in paths]
