"""DVD: averaged high-speed frames of hand-held videos."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from glowdeblur_plugin.data.packers.plan import Entry, PublicSet, clean_key, pair
from glowdeblur_plugin.data.packers.trees import file_names, find_folder, folder_names, read_list
from glowdeblur_plugin.errors import UserError

TEST_VIDEOS = ('720p_240fps_2', 'IMG_0003', 'IMG_0021', 'IMG_0030', 'IMG_0031', 'IMG_0032', 'IMG_0033', 'IMG_0037', 'IMG_0039',
               'IMG_0049')


@dataclass(frozen=True, kw_only=True)
class Dvd(PublicSet):
    """Deep Video Deblurring (Su et al., CVPR 2017): 71 videos, 61 for training and 10 for testing; no counts are published.

    Tree, as third-party loaders read it: `quantitative_datasets/<video>/{input,GT}/NNNNN.jpg`, equal names. The ten test videos
    are those that the authors name in issue 2 of shuochsu/DeepVideoDeblurring; --test-list gives others. Keys are
    <video>_<frame>.
    """

    name: ClassVar[str] = 'dvd'
    title: ClassVar[str] = 'DVD (DeepVideoDeblurring)'

    test_list: Path | None = field(default=None, metadata={
        'help': 'file with one test video a line, instead of the published ten'})

    def counts(self) -> dict[str, int | None]:
        return {'train': None, 'test': None}

    def details(self) -> dict[str, Any]:
        return {'test_videos': list(self._test_videos())}

    def _test_videos(self) -> tuple[str, ...]:
        return TEST_VIDEOS if self.test_list is None else tuple(row[0] for row in read_list(self.test_list, 1))

    def entries(self, root: Path, split: str) -> list[Entry]:
        folder = find_folder(root, 'quantitative_datasets', '*/GT')
        videos, test = folder_names(folder), self._test_videos()
        missing = sorted(set(test) - set(videos))
        if missing and split == 'test':
            raise UserError(f'--root: {folder} lacks the test videos {", ".join(missing)}; --test-list gives others')
        found = []
        for video in videos:
            if (video in test) == (split == 'test'):
                blurry, sharp = (folder / video / side for side in ('input', 'GT'))
                names = {**file_names(blurry), **file_names(sharp)}
                found += [pair(clean_key(f'{video}_{stem}'), blurry / name, sharp / name)
                          for stem, name in sorted(names.items())]
        return found
