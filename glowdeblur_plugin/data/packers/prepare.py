"""The sample sets that an option file can ask for: packed before a run when they are not there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from glowdeblur_plugin.data.packers.photograph_pairs import pack_photograph_pairs
from glowdeblur_plugin.data.packers.photographs import pack_photographs
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.options import read_section

PACKERS: dict[str, Callable[[Path, Progress], bool]] = {
    'photographs': pack_photographs,
    'photograph_pairs': pack_photograph_pairs,
}


@dataclass(kw_only=True)
class PrepareOptions:
    """Keys of the `prepare` section of an option file.

    Attributes:
        set: which sample set to pack before the run, a key of `PACKERS`.
        out: folder that the packed sets go into.
    """

    set: Literal[tuple(PACKERS)]
    out: str


def prepare(section: Mapping[str, Any], root: Path, progress: Progress = silent) -> bool:
    """Pack what the `prepare` section asks for; sets that are there in the packer's present version are left alone.

    Args:
        section: `{set: photographs, out: datasets_lmdb/quickstart}`; a relative `out` is taken against `root`.

    Returns:
        True when something was packed.

    Raises:
        UserError: wrong option; a source photograph is missing; a set cannot be written.
    """
    options = read_section(PrepareOptions, section, 'prepare')
    return PACKERS[options.set](root / options.out, progress)
