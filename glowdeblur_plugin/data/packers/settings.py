"""How a set is packed, whatever its source."""

import re
from dataclasses import dataclass
from typing import Any, Self

from glowdeblur_plugin.data.encodings import Encoding
from glowdeblur_plugin.data.packers.crop import Crop
from glowdeblur_plugin.data.workers import usable_cores
from glowdeblur_plugin.errors import UserError


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `of` shares of a set, counted from 1: every `of`-th picture."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read '2/8'.

        Raises:
            UserError: another form, or a number outside 1 to `of`.
        """
        match = re.fullmatch(r'(\d+)/(\d+)', text)
        shard = cls(int(match[1]), int(match[2])) if match else None
        if shard is None or not 1 <= shard.number <= shard.of:
            raise UserError(f'--shard: expected i/n with i from 1 to n, such as 2/8, found {text!r}')
        return shard

    def __str__(self) -> str:
        return f'{self.number}-of-{self.of}'


@dataclass(frozen=True, kw_only=True)
class PackSettings:
    """Options that all sets share.

    Attributes:
        workers: processes that decode and encode; by default the cores that this process may run on.
    """

    encoding: Encoding = 'png'
    crop: Crop | None = None
    shard: Shard | None = None
    workers: int | None = None

    @classmethod
    def parse(cls, *, encoding: Encoding, crop: int | None, step: int | None, shard: str | None, workers: int | None) -> Self:
        """Read the options of the command line; `step` is half of `crop` when it is not given.

        Raises:
            UserError: values outside their range, or a step without a crop.
        """
        if workers is not None and workers < 1:
            raise UserError(f'--workers: expected at least 1, found {workers}')
        if crop is None and step is not None:
            raise UserError('--step: needs --crop, the size of the sub-images in pixels')
        if crop is not None and crop < 2:
            raise UserError(f'--crop: expected at least 2 pixels, found {crop}')
        if crop is not None and step is not None and not 1 <= step <= crop:
            raise UserError(f'--step: expected 1 to {crop} pixels, so that no part of a picture is left out, found {step}')
        cut = None if crop is None else Crop(crop, crop // 2 if step is None else step)
        return cls(encoding=encoding, crop=cut, shard=None if shard is None else Shard.parse(shard), workers=workers)

    @property
    def processes(self) -> int:
        """Number of worker processes."""
        return usable_cores() if self.workers is None else self.workers

    def file_name(self, split: str, side: str) -> str:
        """Name of the packed set of one side."""
        return f'{split}_{side}.shard-{self.shard}.lmdb' if self.shard else f'{split}_{side}.lmdb'

    def details(self) -> dict[str, Any]:
        """What the manifest keeps of the settings."""
        kept = {'crop': self.crop.size, 'step': self.crop.step} if self.crop else {}
        return {**kept, 'shard': str(self.shard)} if self.shard else kept
