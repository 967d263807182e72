"""GS-Blur: rendered blur of reconstructed scenes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet, clean_key, pair
from glowdeblur_plugin.data.packers.trees import picture_files
from glowdeblur_plugin.errors import UserError

FAILED = 'failed'


@dataclass(frozen=True, kw_only=True)
class GsBlur(PublicSet):
    """GS-Blur (Lee et al., NeurIPS 2024): one split, about 156000 pictures; no official split and no count are published.

    No tree is published either. The renderer (render_blurred.py of dongwoohhh/GS-Blur) writes `input_noise/` and `target/` with
    equal file names `<scene>_<view>_r<2|3|4>_<scale>_<repeat>.png`: so every picture below a folder `input_noise` is paired
    with the one whose path has `target` in its place; the names of the two folders are options. Folders `failed` are left out.
    Keys are the paths without that folder; their last part begins with the scene, of which there are many pictures, also with
    `_dy` in their names. Equal scenes of two folders are taken for one.
    """

    name: ClassVar[str] = 'gsblur'
    title: ClassVar[str] = 'GS-Blur'
    scene: ClassVar[str] = r'[^_]+(?=(?:_dy)?_\d{2,}(?:_dy)?_r[234]_)'

    blurry: str = field(default='input_noise', metadata={'help': 'name of the folders of blurry pictures'})
    sharp: str = field(default='target', metadata={'help': 'name of the folders of sharp pictures'})

    def __post_init__(self) -> None:
        if self.blurry == self.sharp:
            raise UserError(f'--blurry and --sharp: expected two names of folders, found {self.sharp!r} for both')

    def counts(self) -> dict[str, int | None]:
        return {'train': None}

    def entries(self, root: Path, split: str) -> list[Entry]:
        sides = {'lq': self.blurry, 'gt': self.sharp}
        found: dict[str, dict[tuple[Path, Path], str]] = {side: {} for side in sides}
        for stem, file in picture_files(root, '--root').items():
            parts = Path(stem).parts
            for side, folder in sides.items():
                if folder in parts[:-1] and FAILED not in parts:
                    place = parts.index(folder)
                    found[side][Path(*parts[:place]), Path(*parts[place + 1:])] = file
        if not found['lq']:
            raise UserError(f"--root: no picture in a folder '{self.blurry}' below {root}; "
                            'name the folders with --blurry and --sharp')
        entries = []
        for before, after in sorted({*found['lq'], *found['gt']}):
            lq, gt = (root / found[side].get((before, after), before / folder / f'{after}.png')
                      for side, folder in sides.items())
            entries.append(pair(clean_key((before / after).as_posix()), lq, gt))
        return entries
