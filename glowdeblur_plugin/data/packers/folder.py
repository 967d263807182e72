"""Your own pictures: two folders of pairs with equal names, or blurry or sharp ones alone."""

from pathlib import Path

from glowdeblur_plugin.data.packers.engine import Packed, pack_plans
from glowdeblur_plugin.data.packers.plan import Entry, SplitPlan, checked_split, clean_key
from glowdeblur_plugin.data.packers.settings import PackSettings
from glowdeblur_plugin.data.packers.trees import picture_files
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError

SET, VERSION = 'folder', 1


def pack_folder(gt: Path | None, out: Path, lq: Path | None = None, split: str = 'train', progress: Progress = silent,
                settings: PackSettings = PackSettings()) -> list[Packed]:
    """Pack `out`/<split>_gt.lmdb and `out`/<split>_lq.lmdb, or one of them, from folders searched through their sub-folders.

    Pairs are matched by the path below their folder without its suffix; keys are that path made clean by `clean_key`. Which of
    them show one scene is not known here: they may be frames of videos.

    Raises:
        UserError: no folder is given, or as `pack_plans` does.
    """
    folders = {side: folder for side, folder in (('lq', lq), ('gt', gt)) if folder is not None}
    if not folders:
        raise UserError('pack folder: give --lq, --gt or both')
    files = {side: _pictures(folder, side) for side, folder in folders.items()}
    names = sorted({name for found in files.values() for name in found})
    entries = [Entry(clean_key(name), {side: (folder / files[side].get(name, _other(files, name)),)
                                       for side, folder in folders.items()}) for name in names]
    return pack_plans([SplitPlan(SET, VERSION, checked_split(split), entries)], out, settings, progress)


def _pictures(folder: Path, side: str) -> dict[str, str]:
    if folder.suffix == '.lmdb':
        raise UserError(f'--{side}: {folder} is a packed set already; give a folder of pictures')
    return picture_files(folder, f'--{side}')


def _other(files: dict[str, dict[str, str]], name: str) -> str:
    """How the picture is called on the other side."""
    return next(found[name] for found in files.values() if name in found)
