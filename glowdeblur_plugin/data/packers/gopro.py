"""GoPro: averaged high-speed frames."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet, pair
from glowdeblur_plugin.data.packers.trees import file_names, find_folder, folder_names

COUNTS = {'train': 2103, 'test': 1111}


@dataclass(frozen=True, kw_only=True)
class GoPro(PublicSet):
    """GOPRO_Large (Nah, Kim and Lee, CVPR 2017): train 2103 (22 sequences) and test 1111 (11), 1280x720.

    Tree: `{train,test}/GOPRxxxx_yy_zz/{blur,blur_gamma,sharp}/NNNNNN.png`, equal names on all sides; the split is by folder
    (README.md and issues 22, 27, 59 and 60 of SeungjunNah/DeepDeblur_release; src/data/gopro_large.py of DeepDeblur-PyTorch).
    `blur` is a plain mean of the frames, `blur_gamma` one through gamma 2.2; scores on the two must not be mixed. File numbers
    repeat between sequences: keys are <sequence>_<number>. Sequences GOPRxxxx_yy_zz of one recording GOPRxxxx are taken for one
    scene, which is surer.
    """

    name: ClassVar[str] = 'gopro'
    title: ClassVar[str] = 'GoPro (GOPRO_Large)'
    scene: ClassVar[str] = '^[^_]+'

    blur: Literal['blur', 'blur_gamma'] = field(default='blur', metadata={
        'help': 'plain mean of frames, as most papers use it, or the mean through gamma 2.2'})

    def counts(self) -> dict[str, int | None]:
        return dict(COUNTS)

    def entries(self, root: Path, split: str) -> list[Entry]:
        folder = find_folder(root, split, 'GOPR*/sharp')
        found = []
        for sequence in folder_names(folder):
            blurry, sharp = (folder / sequence / side for side in (self.blur, 'sharp'))
            names = {**file_names(blurry), **file_names(sharp)}
            found += [pair(f'{sequence}_{stem}', blurry / name, sharp / name) for stem, name in sorted(names.items())]
        return found
