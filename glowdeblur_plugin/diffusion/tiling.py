"""Large pictures and latents in overlapping tiles whose results are feathered into each other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class TileGrid:
    """Tiles of one size that cover an area; all numbers count blocks, the smallest squares that every part of a network can
    take.

    So one grid cuts pictures, latents and motion maps alike: their sides are whole multiples of the area's.

    Attributes:
        area: height and width.
        tops, lefts: where the tiles begin; each top goes with each left.
        tile: height and width of a tile.
    """

    area: tuple[int, int]
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    tile: tuple[int, int]

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)


def tile_grid(area: tuple[int, int], tile: tuple[int, int], overlap: int) -> TileGrid:
    """The fewest tiles of `tile` blocks that cover `area` with neighbours sharing at least `overlap` blocks, spread evenly; an
    area smaller than a tile makes the tiles smaller."""
    tile = (min(tile[0], area[0]), min(tile[1], area[1]))
    tops, lefts = (_starts(length, side, overlap) for length, side in zip(area, tile))
    return TileGrid(area, tops, lefts, tile)


def tile_count(length: int, side: int, overlap: int) -> int:
    """How many tiles of `side` cover `length` where neighbours share at least `overlap`, which is less than `side`."""
    return max(1, -(-(length - overlap) // (side - overlap)))


def _starts(length: int, side: int, overlap: int) -> tuple[int, ...]:
    count = tile_count(length, side, min(overlap, side - 1))
    return tuple(index * (length - side) // max(count - 1, 1) for index in range(count))


def map_tiles(function: Callable[..., Sequence[Tensor]], grid: TileGrid, *parts: Tensor) -> tuple[Tensor, ...]:
    """Apply `function` tile by tile and blend what it gives.

    Where tiles overlap, their results are added with weights that sum to 1, products of a weight for each axis: 0 in the
    quarter of an overlap at a tile's edge, where it knows too little of what is around it, and a straight ramp to 1 over the
    next two quarters (our choice). So whatever reaches no further than a quarter of the overlap comes out as if computed in one
    piece. A velocity blended so at every step moves one global latent (MultiDiffusion, Bar-Tal et al. 2023, there with equal
    weights).

    Args:
        function: takes the tiles (N, C, h, w) of all `parts` and gives tensors (M, C', h', w'), each of a whole number of
            positions a block.
        parts: (N, C, H, W), each of a whole number of positions a block of the grid's area.

    Returns:
        For each tensor that `function` gives the whole (M, C', H', W'), float32; with a single tile what `function` gives.
    """
    if len(grid) == 1:
        return tuple(function(*parts))
    wholes: list[Tensor] = []
    for row, column, pieces in _pieces(function, grid, parts):
        if not wholes:
            wholes = [piece.new_zeros(*piece.shape[:2], *(length * _cell(piece, grid.tile) for length in grid.area),
                                      dtype=torch.float32) for piece in pieces]
        for whole, piece in zip(wholes, pieces):
            down, across = tile_weights(grid, _cell(piece, grid.tile), piece.device)
            weighted = piece.float() * (down[row, :, None] * across[column])
            _cut(whole, grid, row, column).add_(weighted)
    return tuple(wholes)


def _pieces(function: Callable[..., Sequence[Tensor]], grid: TileGrid,
            parts: Sequence[Tensor]) -> Iterator[tuple[int, int, Sequence[Tensor]]]:
    for row in range(len(grid.tops)):
        for column in range(len(grid.lefts)):
            yield row, column, function(*(_cut(part, grid, row, column) for part in parts))


def _cut(part: Tensor, grid: TileGrid, row: int, column: int) -> Tensor:
    cell = _cell(part, grid.area)
    (top, left), (height, width) = (grid.tops[row], grid.lefts[column]), grid.tile
    return part[..., cell * top:cell * (top + height), cell * left:cell * (left + width)]


def _cell(part: Tensor, blocks: tuple[int, int]) -> int:
    """Positions along the side of a block."""
    cell = part.shape[-2] // blocks[0]
    if part.shape[-2:] != (cell * blocks[0], cell * blocks[1]):
        raise ValueError(f'{part.shape[-2]}x{part.shape[-1]} positions are no whole number for each of {blocks[0]}x{blocks[1]} '
                         'blocks')
    return cell


@lru_cache(maxsize=64)
def tile_weights(grid: TileGrid, cell: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Weights along the vertical (tops, positions of a tile) and the horizontal axis (lefts, positions of a tile), float32, of
    results with `cell` positions a block; a position has the product of both. They are kept, so that sampling need not wait for
    the device."""
    with torch.inference_mode(False):
        return tuple(_axis_weights(length, starts, side, cell).to(device)
                     for length, starts, side in zip(grid.area, (grid.tops, grid.lefts), grid.tile))


def _axis_weights(length: int, starts: tuple[int, ...], side: int, cell: int) -> Tensor:
    weights = torch.ones(len(starts), side * cell, dtype=torch.float64)
    for index, (before, after) in enumerate(zip(starts, starts[1:])):
        shared = (before + side - after) * cell
        if shared:
            ramp = (2 * (torch.arange(shared, dtype=torch.float64) + 0.5) / shared - 0.5).clamp(0, 1)
            weights[index, -shared:] *= 1 - ramp
            weights[index + 1, :shared] *= ramp
    total = torch.zeros(length * cell, dtype=torch.float64)
    for start, row in zip(starts, weights):
        total[start * cell:(start + side) * cell] += row
    return torch.stack([row / total[start * cell:(start + side) * cell] for start, row in zip(starts, weights)]).float()
