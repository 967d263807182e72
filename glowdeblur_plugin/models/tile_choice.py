"""Whether a picture is restored whole or in tiles, chosen from the memory that is free."""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import torch
from basicsr.utils import get_root_logger
from torch import nn

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.diffusion.tiling import tile_count
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.dry_run import DryRun, LiveBytes
from glowdeblur_plugin.models.text_guidance import guided_velocity
from glowdeblur_plugin.models.tiled_network import TiledGLOWDeblur, TiledNetwork
from glowdeblur_plugin.options import Between
from glowdeblur_plugin.resources import free_bytes

GIB = 2**30
# What is left goes to the libraries' working memory and to what allocators cannot use. Our choice.
USED_SHARE = 0.8
# Bytes for each pixel of the whole picture beside what a tile takes; measured on the CPU: 37 for restoring, 151 with PSNR and
# SSIM, 245 with a full report.
KEPT_BYTES = 250
# Multiple of the two sizes that are counted, where the network takes any.
LEAST_MULTIPLE = 8


@dataclass(kw_only=True)
class TileSettings:
    """How large pictures are restored.

    Attributes:
        tile: `auto` restores a picture whole where memory is free for it and else in the largest tiles for which it is, `none`
            always whole; a number is the side of square tiles in pixels, for all pictures that are larger.
        tile_overlap: pixels that neighbouring tiles share at least.
    """

    tile: Literal['auto', 'none'] | Annotated[int, Between(1)] = 'auto'
    tile_overlap: Annotated[int, Between(0)] = 128


class MemoryNeed(NamedTuple):
    """Bytes that restoring takes beside the weights: `fixed` + `per_pixel` times the area in pixels."""

    fixed: float
    per_pixel: float

    def bytes(self, height: int, width: int) -> float:
        """For a picture or tile of that size."""
        return self.fixed + self.per_pixel * height * width


class TileChoice:
    """Fits a network to pictures by `TileSettings`.

    Free memory is looked at once, at the first picture, so that all pictures of a run are treated alike.

    Args:
        net: GLOWDeblur, or a network that maps pictures to pictures.
        prefix: of the settings' names in messages.

    Raises:
        UserError: sides that are no multiples of the network's, or tiles smaller than two overlaps.
    """

    def __init__(self, settings: TileSettings, net: nn.Module, prefix: str = 'val:') -> None:
        self.settings, self.multiple, self.prefix = settings, getattr(net, 'size_multiple', 1), prefix
        self._check('tile_overlap', settings.tile_overlap, 0)
        self.smallest = max(2 * settings.tile_overlap, self.multiple)
        if isinstance(settings.tile, int):
            self._check('tile', settings.tile, self.smallest)
            if settings.tile < self.smallest:
                raise UserError(f'{self.prefix}tile: {settings.tile} is less than two overlaps; use at least {self.smallest}, '
                                'or a smaller tile_overlap')
        self._free: int | None = None
        self._need: MemoryNeed | None = None
        self._told: set[str] = set()

    def _check(self, key: str, value: int, least: int) -> None:
        if value % self.multiple:
            near = [side for side in (value // self.multiple * self.multiple, -(-value // self.multiple) * self.multiple)
                    if side >= least] or [least]
            raise UserError(f'{self.prefix}{key}: {value} is not a multiple of {self.multiple}, which this network needs; use '
                            + ' or '.join(map(str, near)))

    def fit(self, net: nn.Module, height: int, width: int) -> nn.Module | TiledNetwork:
        """What restores a picture of that size: the network itself, or one that works in tiles.

        Call it in the mode of precision in which the network will run.

        Raises:
            UserError: not even the smallest tiles fit into the free memory.
        """
        tile, area = self.settings.tile, tuple(-(-side // self.multiple) * self.multiple for side in (height, width))
        if tile == 'none' or max(area) <= self.smallest:
            return net
        sides = self._sides(net, *area) if tile == 'auto' else tuple(min(tile, side) for side in area)
        if sides == area:
            return net
        overlap = self.settings.tile_overlap
        return (TiledGLOWDeblur(net, sides, overlap) if isinstance(net, GLOWDeblur)
                else TiledNetwork(net, sides, overlap, self.multiple))

    def _sides(self, net: nn.Module, height: int, width: int) -> tuple[int, int]:
        """Height and width of the tiles, or of the picture itself where it fits."""
        device = next(net.parameters()).device
        if self._need is None:
            self._need, self._free = memory_need(net), free_bytes(device)
        need, left = self._need, USED_SHARE * self._free - KEPT_BYTES * height * width
        sides = range(max(height, width), self.smallest - 1, -self.multiple)
        side = next((side for side in sides if need.bytes(min(side, height), min(side, width)) <= left), None)
        whole = f'{width}x{height} whole needs {_gib(need.bytes(height, width) + KEPT_BYTES * height * width)}'
        free = f'{_gib(self._free)} are free on {device}, of which {USED_SHARE:.0%} are used'
        if side is None:
            least = need.bytes(*(min(self.smallest, side) for side in (height, width))) + KEPT_BYTES * height * width
            raise UserError(f'{self.prefix}tile: {width}x{height} needs {_gib(least)} even in tiles of {self.smallest} pixels, '
                            f'and {free}; free some, or use a smaller tile_overlap or smaller pictures')
        even = tuple(self._even(length, side) for length in (height, width))
        if even == (height, width):
            self._tell('whole', f'Pictures are restored whole: {whole}, {free}')
        else:
            self._tell('tiles', f'Pictures are restored in tiles of {even[1]}x{even[0]} that share '
                       f'{self.settings.tile_overlap} pixels: {whole}, {free}')
        return even

    def _even(self, length: int, side: int) -> int:
        """The smallest side of as many tiles as sides of `side` take along `length`."""
        overlap = self.settings.tile_overlap
        count = tile_count(length, side, overlap)
        return -(-(length + (count - 1) * overlap) // (count * self.multiple)) * self.multiple

    def _tell(self, kind: str, line: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            get_root_logger().info(line)


def memory_need(net: nn.Module) -> MemoryNeed:
    """Bytes that the network's tensors take at one time while a picture is restored, with guidance where it reads texts.

    Counted on shapes alone at two sizes: every part takes memory proportional to the area, and some that does not depend on it.
    """
    multiple = max(getattr(net, 'size_multiple', 1), LEAST_MULTIPLE)
    sides = 8 * multiple, 16 * multiple
    small, large = (_live_bytes(net, side, side) for side in sides)
    per_pixel = (large - small) / (sides[1]**2 - sides[0]**2)
    return MemoryNeed(small - per_pixel * sides[0]**2, per_pixel)


def _live_bytes(net: nn.Module, height: int, width: int) -> int:
    """The most that lives at one time while a picture of that size is restored, beside the weights but with the copies of them
    that autocast keeps."""
    device = next(net.parameters()).device
    torch.clear_autocast_cache()
    with torch.no_grad(), torch.compiler.set_stance('force_eager'), DryRun(allow_non_fake_inputs=True), LiveBytes() as live:
        if isinstance(net, GLOWDeblur):
            _restore_once(net, height, width, device)
        else:
            net(torch.empty(1, 3, height, width, device=device))
    torch.clear_autocast_cache()  # of copies without values
    return live.peak


def _restore_once(net: GLOWDeblur, height: int, width: int, device: torch.device) -> None:
    """Condition, one guided step and decoding."""
    condition, texts = net.condition(torch.empty(1, 3, height, width, device=device)), {}
    if net.semantic != 'none':
        texts = {'text': torch.empty(1, net.text_length, net.null_text.shape[-1], device=device),
                 'text_mask': torch.ones(1, net.text_length, dtype=torch.bool, device=device)}
    velocity = guided_velocity(net, condition, **texts, guidance=2.0)
    net.decode(velocity(torch.empty_like(condition.aligned), torch.empty(1, device=device)))


def _gib(size: float) -> str:
    return f'{size / GIB:.2f} GiB'
