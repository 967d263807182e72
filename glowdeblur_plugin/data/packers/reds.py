"""REDS: averaged and interpolated high-speed frames, with and without compression."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet, pair
from glowdeblur_plugin.data.packers.trees import file_names, find_folder, folder_names
from glowdeblur_plugin.errors import UserError

COUNTS = {'train': 24000, 'val': 3000, 'val300': 300}
FIRST_REGROUPED_CLIP = 240


@dataclass(frozen=True, kw_only=True)
class Reds(PublicSet):
    """REDS (Nah et al., CVPR workshops 2019): train 24000 (240 clips of 100), val 3000 (30 of 100) and val300, 1280x720.

    Tree: `{train,val}_{sharp,blur,blur_comp,blur_jpeg}/<clip 000..>/<frame 00000000..>.png` (the blur_jpeg side: .jpg), each
    zip perhaps inside further folders (seungjunnah.github.io: Datasets/reds.md; README.md of BrehmiumPwr/deblurring_ntire2020).
    `blur_comp` is MPEG, `blur_jpeg` JPEG compressed (NTIRE 2021, track 2). val300 is every tenth frame of val, 9, 19 .. 99
    (docs/REDS.md of NAFNet, which takes blur_jpeg for it). Keys are <train|val>_<clip>_<frame>: clip numbers repeat.
    Some tools move val into train as clips 240 to 269; such a train folder is refused.
    """

    name: ClassVar[str] = 'reds'
    title: ClassVar[str] = 'REDS'

    variant: Literal['blur', 'blur_comp', 'blur_jpeg'] = field(default='blur', metadata={
        'help': 'blur alone, with MPEG or with JPEG compression'})

    def counts(self) -> dict[str, int | None]:
        return dict(COUNTS)

    def entries(self, root: Path, split: str) -> list[Entry]:
        part = 'train' if split == 'train' else 'val'
        blurry, sharp = (find_folder(root, f'{part}_{side}', '[0-9][0-9][0-9]') for side in (self.variant, 'sharp'))
        found = []
        for clip in sorted({*folder_names(blurry), *folder_names(sharp)}):
            if part == 'train' and clip.isdecimal() and int(clip) >= FIRST_REGROUPED_CLIP:
                raise UserError(f'--root: {sharp} holds clip {clip}; clips from {FIRST_REGROUPED_CLIP} on are validation clips '
                                'that a tool has moved there, take them out of train_sharp and of the blurry side')
            found += self._clip(blurry / clip, sharp / clip, f'{part}_{clip}')
        return [entry for entry in found if split != 'val300' or entry.key.endswith('9')]

    def _clip(self, blurry: Path, sharp: Path, key: str) -> list[Entry]:
        lq, gt = file_names(blurry), file_names(sharp)
        suffix = '.jpg' if self.variant == 'blur_jpeg' else '.png'
        return [pair(f'{key}_{stem}', blurry / lq.get(stem, stem + suffix), sharp / gt.get(stem, f'{stem}.png'))
                for stem in sorted({*lq, *gt})]
