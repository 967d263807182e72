"""RealBlur: pairs from two cameras behind a beam splitter."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet
from glowdeblur_plugin.data.packers.released_lists import listed_pairs
from glowdeblur_plugin.data.packers.trees import find_folder

COUNTS = {'train': 3758, 'test': 980}


@dataclass(frozen=True, kw_only=True)
class RealBlur(PublicSet):
    """RealBlur-J (camera JPEG) or RealBlur-R (from raw), Rim et al., ECCV 2020: train 3758 (182 scenes), test 980 (50 scenes).

    Tree: `RealBlur-J_ECC_IMCORR_centroid_itensity_ref/sceneNNN/{blur/blur_<k>.png,gt/gt_<k>.png}` (R:
    `RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref`; the spelling is the released one) and beside it
    `RealBlur_{J,R}_{train,test}_list.txt`, sharp picture first (link_file.sh of rimchang/RealBlur; counts from datalist/ of
    rimchang/SRN-Deblur). Only the lists are followed: the tree holds pictures of another test set. Keys are
    <j|r>_<scene>_<k>, so that the sides of J and R cannot be mixed; scene244 and scene244_reflect are one scene.
    """

    name: ClassVar[str] = 'realblur'
    title: ClassVar[str] = 'RealBlur-J or -R'
    scene: ClassVar[str] = '^[jr]_scene[^_]+'

    variant: Literal['J', 'R'] = field(default='J', metadata={'help': 'pictures of the camera or from raw'})

    def counts(self) -> dict[str, int | None]:
        return dict(COUNTS)

    def entries(self, root: Path, split: str) -> list[Entry]:
        line = re.compile(rf'(RealBlur-{self.variant}_[^/ ]+)/(scene[^/ ]+)/gt/gt_(\d+)\.\w+ \1/\2/blur/blur_\3\.\w+')
        return listed_pairs(root, f'RealBlur_{self.variant}_{split}_list.txt', line,
                            lambda match: f'{self.variant.lower()}_{match[2]}_{match[3]}',
                            lambda folder: find_folder(root, folder, 'scene*').parent)
