"""RSBlur: real blur with the sharp frames that it is the mean of."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet, pair
from glowdeblur_plugin.data.packers.released_lists import listed_pairs
from glowdeblur_plugin.data.packers.trees import find_folder

COUNTS = {'real': {'train': 8878, 'val': 1120, 'test': 3360}, 'synthetic': {'train': 8878}}
BLURRY = {'real': r'real_blur/real_blur\.\w+', 'synthetic': r'(?:oracle_)?avg65_img/avg_blur\.\w+'}
LISTS = {'real': 'RSBlur_real_{}.txt', 'synthetic': 'RSBlur_syn_{}.txt'}


@dataclass(frozen=True, kw_only=True)
class RsBlur(PublicSet):
    """RSBlur (Rim et al., ECCV 2022): real blur, train 8878, val 1120 and test 3360; synthetic blur of the same sharp pictures,
    train 8878.

    Tree: `RSBlur/<0001>/<000001>/{real_blur/real_blur.png, avg65_img/avg_blur.png, gt/gt_sharp.png}` (README.md of
    rimchang/RSBlur); lists `RSBlur_real_{train,val,test}.txt` and `RSBlur_syn_train.txt`, sharp picture first, from its
    datalist/RSBlur/, put below the root; an early RSBlur_syn_train.txt has `oracle_avg65_img` where the tree has `avg65_img`.
    All file names are equal and the numbers of pictures repeat: keys are <folder>_<number>. The lists divide a folder in blocks
    of about twenty numbers, perhaps its scenes; a whole folder is taken for one, which is surer. The synthetic side lacks noise,
    saturation and the camera's processing. The "additional" set is no real training data (README.md) and is read by no option.
    """

    name: ClassVar[str] = 'rsblur'
    title: ClassVar[str] = 'RSBlur'

    blur: Literal['real', 'synthetic'] = field(default='real', metadata={'help': 'captured, or the mean of sharp frames'})

    def counts(self) -> dict[str, int | None]:
        return dict(COUNTS[self.blur])

    def entries(self, root: Path, split: str) -> list[Entry]:
        line = re.compile(rf'RSBlur/(\d+)/(\d+)/gt/gt_sharp\.\w+ RSBlur/\1/\2/{BLURRY[self.blur]}')
        listed = listed_pairs(root, LISTS[self.blur].format(split), line, lambda match: f'{match[1]}_{match[2]}',
                              lambda folder: find_folder(root, folder, '[0-9]*/[0-9]*/gt').parent)
        return [_as_in_tree(entry) for entry in listed]


def _as_in_tree(entry: Entry) -> Entry:
    (blurry,), (sharp,) = entry.files['lq'], entry.files['gt']
    renamed = blurry.parents[1] / blurry.parent.name.removeprefix('oracle_') / blurry.name
    return entry if renamed == blurry or blurry.exists() else pair(entry.key, renamed, sharp)
