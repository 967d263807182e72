"""Sets that come with lists of pairs: `sharp blurry` in each line, below one folder."""

import re
from collections.abc import Callable
from pathlib import Path

from glowdeblur_plugin.data.packers.plan import Entry, pair
from glowdeblur_plugin.data.packers.trees import find_file, read_list
from glowdeblur_plugin.errors import UserError


def listed_pairs(root: Path, name: str, line: re.Pattern[str], key: Callable[[re.Match[str]], str],
                 base: Callable[[str], Path]) -> list[Entry]:
    """The pairs of a released list; trailing blanks and a missing last newline do no harm.

    Args:
        name: of the list, at or below `root`.
        line: matches `<sharp> <blurry>`, both as the list has them.
        key: of a matching line.
        base: from the first folder of the listed paths to the folder that holds it.

    Raises:
        UserError: no such list, or a line of another form, such as one with the blurry picture first.
    """
    file = find_file(root, name)
    if file is None:
        raise UserError(f"--root: the list {name} is not in {root} or below it; it is released with the set's code")
    entries, folders = [], {}
    for sharp, blurry in read_list(file, 2):
        match = line.fullmatch(f'{sharp} {blurry}')
        if match is None:
            raise UserError(f"{file}: '{sharp} {blurry}' is no line of this list, which names the sharp picture first: "
                            f'{line.pattern}')
        first = sharp.split('/')[0]
        if first not in folders:
            folders[first] = base(first)
        entries.append(pair(key(match), folders[first] / blurry, folders[first] / sharp))
    return entries
