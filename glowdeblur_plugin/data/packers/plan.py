"""What is to be packed: the pictures of a split under their keys, before anything is read."""

import dataclasses
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from glowdeblur_plugin.data.simulate.camera import Response
from glowdeblur_plugin.errors import UserError

NOT_IN_KEYS = re.compile(r'[^A-Za-z0-9_\-]')
BEFORE_LAST_PART = '^.+(?=_[^_]+$)'
SPLIT_NAME = re.compile(r'[A-Za-z0-9_\-]+')


@dataclass(frozen=True)
class Entry:
    """One picture, or one pair.

    Attributes:
        key: under which both sides are packed.
        files: side, `lq` or `gt`, to its file; to several where consecutive frames are averaged.
    """

    key: str
    files: dict[str, tuple[Path, ...]]


def pair(key: str, lq: Path, gt: Path) -> Entry:
    """The entry of a blurry and a sharp file."""
    return Entry(key, {'lq': (lq,), 'gt': (gt,)})


def clean_key(name: str) -> str:
    """`name` with '_' for every character other than letters, digits, '_' and '-': BasicSR cuts keys at a dot."""
    return NOT_IN_KEYS.sub('_', name)


def checked_split(name: str) -> str:
    """`name` as it is, when sets can be called by it.

    Raises:
        UserError: it is empty or has other characters than letters, digits, '_' and '-'.
    """
    if SPLIT_NAME.fullmatch(name) is None:
        raise UserError(f"--split: expected letters, digits, '_' and '-', such as train, found {name!r}")
    return name


@dataclass(frozen=True)
class SplitPlan:
    """All of one split.

    Attributes:
        set_name, set_version: of the source set; the version rises when its packer's output changes.
        entries: all with the same sides, in the order of packing.
        expected: number of pictures in the published split; None where it is not known.
        details: options of the source set, such as its variant; they go into the manifest.
        response: through which frames to average were taken, see `simulate.high_speed.average_frames`.
    """

    set_name: str
    set_version: int
    split: str
    entries: list[Entry]
    expected: int | None = None
    details: dict[str, Any] = field(default_factory=dict)
    response: Response | None = None

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides of every entry."""
        return tuple(self.entries[0].files) if self.entries else ()


@dataclass(frozen=True, kw_only=True)
class PublicSet(ABC):
    """A published set; a subclass says where its pictures lie. The fields of a subclass are the set's options.

    Attributes:
        name, version: see `SplitPlan`.
        title: what the command line says about it.
        on_demand: splits that are packed only when they are named.
        scene: regular expression for the part of a key that is equal in pictures of one scene, `$` standing where the key ends;
            None where keys do not say. It goes into the manifest, for `split_unpaired`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    on_demand: ClassVar[tuple[str, ...]] = ()
    scene: ClassVar[str | None] = BEFORE_LAST_PART

    @abstractmethod
    def counts(self) -> dict[str, int | None]:
        """Split to the published number of pictures, None where none is published."""

    @abstractmethod
    def entries(self, root: Path, split: str) -> list[Entry]:
        """The pictures of a split below `root`, where the archives were unpacked; the files need not be there.

        Raises:
            UserError: the split's folder or list is not there, or a list has another form.
        """

    def plans(self, root: Path, splits: Iterable[str] | None = None) -> list[SplitPlan]:
        """Plans of `splits`, by default of all but those `on_demand`.

        Raises:
            UserError: `root` is no folder, the set has no such split, or as `entries` does.
        """
        if not os.path.isdir(root):
            raise UserError(f'--root: {root} is not a folder; give the one that the archives of {self.name} were unpacked into')
        counts = self.counts()
        chosen = [split for split in counts if split not in self.on_demand] if splits is None else list(dict.fromkeys(splits))
        for split in chosen:
            if split not in counts:
                raise UserError(f'--split: {self.name} has no split {split!r} with these options, it has {", ".join(counts)}')
        details = self.details() | ({} if self.scene is None else {'scene': self.scene})
        return [SplitPlan(self.name, self.version, split, self.entries(root, split), counts[split], details)
                for split in chosen]

    def details(self) -> dict[str, Any]:
        """The options, as the manifest keeps them."""
        return dataclasses.asdict(self)
