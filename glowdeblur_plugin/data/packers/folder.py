"""Your own pictures: a folder of sharp ones, or two folders of pairs with equal names."""

import re
from contextlib import ExitStack
from pathlib import Path

from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.picture_source import FolderSource, PictureSource, check_pairs, open_source
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.errors import UserError

SET, VERSION = 'folder', 1
NOT_IN_KEYS = re.compile(r'[^A-Za-z0-9_\-]')
FILES_NAMED = 3


def pack_folder(gt: Path, out: Path, lq: Path | None = None, split: str = 'train',
                progress: Progress = silent) -> list[Path]:
    """Pack `out`/<split>_gt.lmdb and, with `lq`, `out`/<split>_lq.lmdb from folders searched through their sub-folders.

    Pairs are matched by the path below their folder without its suffix. Keys are that path with every character other than
    letters, digits, '_' and '-' replaced by '_'. Names and the sizes in the headers are checked before anything is written;
    pictures that turn out to be damaged are named together, and nothing is published then.

    Args:
        progress: called while headers are checked, and again while pictures are packed.

    Returns:
        The packed sets.

    Raises:
        UserError: unpaired names, sizes that differ, two names with one key, damaged pictures, or a set that is there already.
    """
    folders = {'gt': gt} if lq is None else {'lq': lq, 'gt': gt}
    targets = {side: out / f'{split}_{side}.lmdb' for side in folders}
    if all(target.exists() for target in targets.values()):
        raise UserError(f'{targets["gt"]}: is there already; delete it to pack it again')
    sources = {side: _open(folder, f'--{side}', progress) for side, folder in folders.items()}
    if lq is not None:
        check_pairs(sources['lq'], sources['gt'], 'pack folder')
    keys = _clean_keys(sources['gt'])
    with ExitStack() as stack:
        writers = {side: stack.enter_context(LmdbWriter(target, SET, VERSION)) for side, target in targets.items()}
        _write(sources, writers, keys, progress)
    return list(targets.values())


def _open(folder: Path, option: str, progress: Progress) -> PictureSource:
    source = open_source(folder, option, progress=progress)
    if not isinstance(source, FolderSource):
        raise UserError(f'{option}: {folder} is a packed set already; give a folder of pictures')
    return source


def _clean_keys(source: PictureSource) -> dict[str, str]:
    """Name in the source -> key in the packed set."""
    names: dict[str, str] = {}
    for name in source.sizes:
        key = NOT_IN_KEYS.sub('_', name)
        if key in names:
            raise UserError(f"{source.root}: {names[key]} and {name} would both get the key '{key}'; rename one")
        names[key] = name
    return {name: key for key, name in names.items()}


def _write(sources: dict[str, PictureSource], writers: dict[str, LmdbWriter], keys: dict[str, str], progress: Progress) -> None:
    damaged, done, total = [], 0, len(keys) * len(sources)
    progress('packed', done, total)
    for name, key in keys.items():
        for side, source in sources.items():
            try:
                writers[side].put(key, source.read(name))
            except UserError as error:
                damaged.append(str(error))
            done += 1
            progress('packed', done, total)
    if damaged:
        more = f' (and {len(damaged) - FILES_NAMED} more)' if len(damaged) > FILES_NAMED else ''
        raise UserError(f'{len(damaged)} pictures are damaged, nothing was packed: {"; ".join(damaged[:FILES_NAMED])}{more}')
