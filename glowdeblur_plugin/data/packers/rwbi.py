"""RWBI: blurry photographs without sharp ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet, clean_key
from glowdeblur_plugin.data.packers.trees import picture_files


@dataclass(frozen=True, kw_only=True)
class Rwbi(PublicSet):
    """RWBI (Zhang et al., CVPR 2020, "Deblurring by Realistic Blurring"): blurry pictures alone, one split.

    Neither tree nor count is published (README.md of HDCVLab/Deblurring-by-Realistic-Blurring; about 3112 pictures of 22
    sequences), so all pictures at and below the root are packed. Keys are their paths.
    """

    name: ClassVar[str] = 'rwbi'
    title: ClassVar[str] = 'RWBI, blurry pictures alone'
    scene: ClassVar[None] = None

    def counts(self) -> dict[str, int | None]:
        return {'test': None}

    def entries(self, root: Path, split: str) -> list[Entry]:
        return [Entry(clean_key(stem), {'lq': (root / file,)}) for stem, file in picture_files(root, '--root').items()]
