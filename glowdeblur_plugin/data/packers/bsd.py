"""BSD: videos through a beam splitter, short and long exposure at once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet, pair
from glowdeblur_plugin.data.packers.trees import file_names, find_folder, folder_names
from glowdeblur_plugin.errors import UserError

EXPOSURES = ('1ms8ms', '2ms16ms', '3ms24ms')
COUNTS_AN_EXPOSURE = {'train': 6000, 'test': 3000}


@dataclass(frozen=True, kw_only=True)
class Bsd(PublicSet):
    """BSD (Zhong et al., ECCV 2020), not the BSD500 photographs: for each exposure train 6000 (60 clips of 100) and test 3000
    (20 of 150), 640x480.

    Tree: `BSD/BSD_{1ms8ms,2ms16ms,3ms24ms}/{train,valid,test}/<clip>/{Blur,Sharp}/RGB/NNNNNNNN.png` (data/BSD.py of
    zzh-tech/ESTRNN; counts from datalist/ of rimchang/RSBlur). The RAW folders beside RGB are left out. The size of `valid` is
    not published; it is packed when named. An older archive has test clips of 100 frames (ESTRNN issue 10). Keys are
    <exposure>_<split>_<clip>_<frame>: clip numbers repeat between exposures, and clips of one number are taken for one scene.
    """

    name: ClassVar[str] = 'bsd'
    title: ClassVar[str] = 'BSD, the beam-splitter videos'
    scene: ClassVar[str] = '(?<=_)[^_]+(?=_[^_]+$)'
    on_demand: ClassVar[tuple[str, ...]] = ('valid',)

    exposure: Literal['all', '1ms8ms', '2ms16ms', '3ms24ms'] = field(default='all', metadata={
        'help': 'exposure of the sharp and the blurry side'})

    def counts(self) -> dict[str, int | None]:
        counts = {split: count * len(self._exposures) for split, count in COUNTS_AN_EXPOSURE.items()}
        return {**counts, 'valid': None}

    @property
    def _exposures(self) -> tuple[str, ...]:
        return EXPOSURES if self.exposure == 'all' else (self.exposure,)

    def entries(self, root: Path, split: str) -> list[Entry]:
        found = []
        for exposure in self._exposures:
            folder = find_folder(root, f'BSD_{exposure}', '*') / split
            if not folder.is_dir():
                raise UserError(f'--root: {folder} does not exist')
            for clip in folder_names(folder):
                blurry, sharp = (folder / clip / side / 'RGB' for side in ('Blur', 'Sharp'))
                names = {**file_names(blurry), **file_names(sharp)}
                found += [pair(f'{exposure}_{split}_{clip}_{stem}', blurry / name, sharp / name)
                          for stem, name in sorted(names.items())]
        return found
