"""Miniature trees of published sets, laid out after their public descriptions; every picture has pixels of its own."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image

from glowdeblur_plugin.data.packers.bsd import Bsd
from glowdeblur_plugin.data.packers.dvd import TEST_VIDEOS, Dvd
from glowdeblur_plugin.data.packers.gopro import GoPro
from glowdeblur_plugin.data.packers.gsblur import GsBlur
from glowdeblur_plugin.data.packers.hide import Hide
from glowdeblur_plugin.data.packers.lsdir import Lsdir
from glowdeblur_plugin.data.packers.plan import PublicSet
from glowdeblur_plugin.data.packers.realblur import RealBlur
from glowdeblur_plugin.data.packers.reds import Reds
from glowdeblur_plugin.data.packers.rsblur import RsBlur
from glowdeblur_plugin.data.packers.rwbi import Rwbi

HEIGHT, WIDTH = 24, 32


@dataclass
class Miniature:
    """A tree and what packing it should give.

    Attributes:
        packer: with its options.
        expected: split to key to side to file.
        counts: published number of pictures of every split.
    """

    root: Path
    packer: PublicSet
    counts: dict[str, int | None]
    expected: dict[str, dict[str, dict[str, Path]]] = field(default_factory=dict)

    def picture(self, path: str, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
        """Write a picture of `size` (height, width) below the root, smooth so that JPEG keeps it apart from others."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        colours = np.random.default_rng(zlib.crc32(path.encode())).integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((size[1], size[0])).save(file)
        return file

    def expect(self, split: str, key: str, **paths: str) -> None:
        """Write the files of a key and expect them; keywords are sides."""
        files = {side: self.picture(path) for side, path in paths.items()}
        self.expected.setdefault(split, {})[key] = files

    def write(self, path: str, text: str) -> None:
        """Write a text file below the root."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    @property
    def files(self) -> list[Path]:
        """All files that are expected, pairs side by side."""
        return [file for keys in self.expected.values() for sides in keys.values() for file in sides.values()]


def gopro(root: Path, blur: str = 'blur_gamma') -> Miniature:
    """The same file number in two sequences, and both kinds of blur."""
    tree = Miniature(root, GoPro(blur=blur), {'train': 2103, 'test': 1111})
    other = {'blur': 'blur_gamma', 'blur_gamma': 'blur'}[blur]
    for split, sequence in (('train', 'GOPR0372_07_00'), ('train', 'GOPR0374_11_01'), ('test', 'GOPR0384_11_00')):
        for number in ('000047', '000048'):
            folder = f'GOPRO_Large/{split}/{sequence}'
            tree.expect(split, f'{sequence}_{number}', lq=f'{folder}/{blur}/{number}.png', gt=f'{folder}/sharp/{number}.png')
            tree.picture(f'{folder}/{other}/{number}.png')
    return tree


def hide(root: Path) -> Miniature:
    """Doubled folder, two test folders, a sharp picture with and one without `.MP4`, a list whose last line is not ended."""
    tree = Miniature(root, Hide(), {'train': 6397, 'test': 2025})
    top = 'HIDE_dataset/HIDE_dataset'
    tree.expect('train', '1fromGOPR0001', lq=f'{top}/train/1fromGOPR0001.png', gt=f'{top}/GT/1fromGOPR0001.png')
    tree.expect('train', '2fromGOPR0002_MP4', lq=f'{top}/train/2fromGOPR0002.MP4.png', gt=f'{top}/GT/2fromGOPR0002.MP4.png')
    near, far = f'{top}/test/test-close-ups', f'{top}/test/test-long-shot'
    tree.expect('test', '3fromGOPR0003_MP4', lq=f'{near}/3fromGOPR0003.MP4.png', gt=f'{top}/GT/3fromGOPR0003.png')
    tree.expect('test', '4fromGOPR0004', lq=f'{far}/4fromGOPR0004.png', gt=f'{top}/GT/4fromGOPR0004.png')
    tree.expect('train', '5fromGOPR0001_MP4', lq=f'{top}/train/5fromGOPR0001.MP4.png', gt=f'{top}/GT/5fromGOPR0001.png')
    tree.write(f'{top}/train.txt', '1fromGOPR0001.png\n2fromGOPR0002.MP4.png\n5fromGOPR0001.MP4.png')
    return tree


def reds(root: Path, variant: str = 'blur_jpeg') -> Miniature:
    """Equal clips in both splits, one zip nested, a side whose name begins like another's, JPEG against PNG."""
    tree = Miniature(root, Reds(variant=variant), {'train': 24000, 'val': 3000, 'val300': 300})
    suffix = 'jpg' if variant == 'blur_jpeg' else 'png'
    for split in ('train', 'val'):
        for clip in ('000', '001'):
            for frame in ('00000008', '00000009', '00000010', '00000019'):
                paths = {'lq': f'{split}_{variant}/{split}/{split}_{variant}/{clip}/{frame}.{suffix}',
                         'gt': f'{split}_sharp/{clip}/{frame}.png'}
                tree.expect(split, f'{split}_{clip}_{frame}', **paths)
                if split == 'val' and frame.endswith('9'):
                    tree.expect('val300', f'val_{clip}_{frame}', **paths)
                if variant != 'blur':
                    tree.picture(f'{split}_blur/{clip}/{frame}.png')
    return tree


def realblur(root: Path, variant: str = 'J') -> Miniature:
    """Lists with trailing blanks and no last newline; a picture that no list names."""
    tree = Miniature(root, RealBlur(variant=variant), {'train': 3758, 'test': 980})
    top = {'J': 'RealBlur-J_ECC_IMCORR_centroid_itensity_ref', 'R': 'RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref'}[variant]
    for split, scenes in (('train', ('scene001', 'scene002')), ('test', ('scene230',))):
        lines = []
        for scene in scenes:
            for number in (7, 20):
                paths = {'lq': f'{top}/{scene}/blur/blur_{number}.png', 'gt': f'{top}/{scene}/gt/gt_{number}.png'}
                tree.expect(split, f'{variant.lower()}_{scene}_{number}', **paths)
                lines.append(f'{paths["gt"]} {paths["lq"]} ')
            for side in ('gt', 'blur'):
                tree.picture(f'{top}/{scene}/{side}/{side}_1.png')
        tree.write(f'RealBlur_{variant}_{split}_list.txt', '\n'.join(lines))
    return tree


def bsd(root: Path, exposure: str = 'all') -> Miniature:
    """Clip numbers that repeat between exposures, RAW folders, and a split that is packed on demand."""
    chosen = ('1ms8ms', '2ms16ms', '3ms24ms') if exposure == 'all' else (exposure,)
    tree = Miniature(root, Bsd(exposure=exposure), {'train': 6000 * len(chosen), 'test': 3000 * len(chosen), 'valid': None})
    for setting in ('1ms8ms', '2ms16ms', '3ms24ms'):
        for split in ('train', 'valid', 'test'):
            for clip, frame in (('012', '00000000'), ('012', '00000001'), ('013', '00000000')):
                folder = f'BSD/BSD_{setting}/{split}/{clip}'
                paths = {'lq': f'{folder}/Blur/RGB/{frame}.png', 'gt': f'{folder}/Sharp/RGB/{frame}.png'}
                if split != 'valid' and setting in chosen:
                    tree.expect(split, f'{setting}_{split}_{clip}_{frame}', **paths)
                tree.picture(f'{folder}/Blur/RAW/{frame}.tiff')
    return tree


def rsblur(root: Path, blur: str = 'real') -> Miniature:
    """Equal file names, scene numbers that repeat, both blurry sides, and the list of the additional set."""
    counts = {'real': {'train': 8878, 'val': 1120, 'test': 3360}, 'synthetic': {'train': 8878}}[blur]
    tree = Miniature(root, RsBlur(blur=blur), counts)
    side = {'real': 'real_blur/real_blur.png', 'synthetic': 'avg65_img/avg_blur.png'}[blur]
    listed_side = {'real': side, 'synthetic': f'oracle_{side}'}[blur]
    name = {'real': 'RSBlur_real', 'synthetic': 'RSBlur_syn'}[blur]
    for split, folder in zip(counts, ('0001', '0002', '0001'), strict=False):
        scenes = [f'RSBlur/{folder}/{split == "test":d}0000{number}' for number in (1, 2)]
        scenes += ['RSBlur/0003/000001'] if split == 'train' else []
        for scene in scenes:
            tree.expect(split, '_'.join(scene.split('/')[1:]), lq=f'{scene}/{side}', gt=f'{scene}/gt/gt_sharp.png')
        lines = [f'{scene}/gt/gt_sharp.png {scene}/{listed_side}\n' for scene in scenes]
        tree.write(f'datalist/RSBlur/{name}_{split}.txt', ''.join(lines))
    additional = 'RSBlur/0014/000258'
    tree.write(f'datalist/RSBlur/{name}_additional_train.txt', f'{additional}/gt/gt_sharp.png {additional}/{side}\n')
    return tree


def gsblur(root: Path) -> Miniature:
    """Dots in names, failed scenes, an empty folder of the renderer."""
    tree = Miniature(root, GsBlur(), {'train': None})
    for name in ('12_03_r2_0.5_0', '12_03_r2_0.5_1', '7_00_r4_1.0_0'):
        tree.expect('train', f'part_{name.replace(".", "_")}', lq=f'part/input_noise/{name}.png', gt=f'part/target/{name}.png')
        tree.picture(f'part/failed/input_noise/{name}.png')
    (root / 'part/input').mkdir()
    return tree


def dvd(root: Path) -> Miniature:
    """All ten test videos and two others; JPEG on both sides."""
    tree = Miniature(root, Dvd(), {'train': None, 'test': None})
    for video in (*TEST_VIDEOS, 'IMG_0001', '720p_240fps_1'):
        folder = f'DeepVideoDeblurring_Dataset/quantitative_datasets/{video}'
        split = 'test' if video in TEST_VIDEOS else 'train'
        tree.expect(split, f'{video}_00000', lq=f'{folder}/input/00000.jpg', gt=f'{folder}/GT/00000.jpg')
    return tree


def rwbi(root: Path) -> Miniature:
    """Pictures at two depths."""
    tree = Miniature(root, Rwbi(), {'test': None})
    tree.expect('test', 'seq_01_0001', lq='seq.01/0001.jpg')
    tree.expect('test', 'top', lq='top.png')
    return tree


def lsdir(root: Path) -> Miniature:
    """Numbers that repeat in validation, whose smaller copies are not packed; a list with a prefix that the tree lacks."""
    tree = Miniature(root, Lsdir(), {'train': 84991, 'val': 250})
    names = ('0001000/0000001', '0001000/0000002', '0002000/0001001')
    for name in names:
        tree.expect('train', f'train_{name[-7:]}', gt=f'{name}.png')
    tree.expect('val', 'val_0000001', gt='val1/HR/val/0000001.png')
    tree.picture('val1/X2/val/0000001.png')
    tree.write('train.json', json.dumps([{'path': f'HR/train/{name}.png'} for name in names]))
    return tree


BUILDERS: dict[str, Callable[[Path], Miniature]] = {
    'gopro_gamma': gopro,
    'gopro_linear': lambda root: gopro(root, 'blur'),
    'hide': hide,
    'reds_jpeg': reds,
    'reds': lambda root: reds(root, 'blur'),
    'reds_comp': lambda root: reds(root, 'blur_comp'),
    'realblur_j': realblur,
    'realblur_r': lambda root: realblur(root, 'R'),
    'bsd': bsd,
    'bsd_one_exposure': lambda root: bsd(root, '2ms16ms'),
    'rsblur_real': rsblur,
    'rsblur_synthetic': lambda root: rsblur(root, 'synthetic'),
    'gsblur': gsblur,
    'dvd': dvd,
    'rwbi': rwbi,
    'lsdir': lsdir,
}


def content(path: Path) -> dict[str, object]:
    """All that a packed set says, to compare two of them."""
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        records = {bytes(key).decode(): bytes(data) for key, data in transaction.cursor()}
    texts = {name: (path / name).read_text() for name in ('meta_info.txt', 'manifest.json', 'checksums.txt')}
    return {'records': records, **texts}


def pixels(file: Path) -> np.ndarray:
    """A picture file as uint8 RGB, read by Pillow."""
    return np.asarray(Image.open(file).convert('RGB'))
