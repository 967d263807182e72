"""Tiles: that they cover, that their weights sum to one, and that what is local comes out as in one piece."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from glowdeblur_plugin.diffusion.tiling import TileGrid, map_tiles, tile_grid, tile_weights

CPU = torch.device('cpu')
CASES = [((7, 23), (3, 5), 1), ((8, 9), (4, 4), 2), ((31, 12), (10, 12), 4), ((17, 17), (16, 16), 8), ((40, 3), (8, 8), 3),
         ((12, 20), (4, 6), 0), ((25, 25), (12, 12), 6), ((5, 4), (8, 8), 4)]


@pytest.mark.parametrize('area, tile, overlap', CASES)
def test_the_fewest_tiles_that_cover_with_the_overlap(area: tuple[int, int], tile: tuple[int, int], overlap: int) -> None:
    grid = tile_grid(area, tile, overlap)
    for length, side, starts, asked in zip(area, grid.tile, (grid.tops, grid.lefts), tile):
        assert side == min(asked, length)
        assert starts[0] == 0 and starts[-1] + side == length
        assert all(start + side - following >= overlap for start, following in pairwise(starts))
        fewer = len(starts) - 1
        assert fewer == 0 or fewer * side - (fewer - 1) * overlap < length


@pytest.mark.parametrize('cell', [1, 2, 8])
@pytest.mark.parametrize('area, tile, overlap', CASES)
def test_weights_sum_to_one_everywhere(area: tuple[int, int], tile: tuple[int, int], overlap: int, cell: int) -> None:
    grid = tile_grid(area, tile, overlap)
    down, across = tile_weights(grid, cell, CPU)
    total = torch.zeros(area[0] * cell, area[1] * cell)
    for top, rows in zip(grid.tops, down):
        for left, columns in zip(grid.lefts, across):
            total[cell * top:cell * (top + grid.tile[0]), cell * left:cell * (left + grid.tile[1])] += rows[:, None] * columns
    assert torch.allclose(total, torch.ones_like(total), atol=1e-6)
    assert down.min() >= 0 and across.min() >= 0


def test_the_ramp_has_its_closed_form() -> None:
    """Two tiles of 12 that share 8: nothing, nothing, then eighths in steps of two, then all."""
    (first, second), _ = tile_weights(TileGrid((16, 12), (0, 4), (0, ), (12, 12)), 1, CPU)
    ramp = torch.tensor([0, 0, 1, 3, 5, 7, 8, 8]) / 8
    assert torch.allclose(second, torch.cat([ramp, torch.ones(4)]))
    assert torch.allclose(first, torch.cat([torch.ones(4), 1 - ramp]))


@pytest.mark.parametrize('area, tile, overlap', CASES)
def test_parts_of_all_resolutions_come_back(area: tuple[int, int], tile: tuple[int, int], overlap: int) -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(2, channels, cell * area[0], cell * area[1], generator=generator)
             for channels, cell in ((3, 4), (5, 2), (1, 1))]
    wholes = map_tiles(lambda *tiles: tiles[::-1], tile_grid(area, tile, overlap), *parts)
    assert all(torch.allclose(whole, part, atol=1e-5) for whole, part in zip(wholes, parts[::-1], strict=True))


def _local(channels: int, layers: int) -> nn.Sequential:
    """Convolutions that see `layers` positions to each side."""
    torch.manual_seed(0)
    return nn.Sequential(*[part for _ in range(layers) for part in (nn.Conv2d(channels, channels, 3, padding=1), nn.Tanh())])


@torch.no_grad()
@pytest.mark.parametrize('area, tile', [((11, 14), (6, 6)), ((24, 9), (7, 12)), ((9, 22), (9, 5))])
def test_what_reaches_a_quarter_of_the_overlap_is_as_in_one_piece(area: tuple[int, int], tile: tuple[int, int]) -> None:
    """An overlap of 4 blocks of 3 positions: 3 positions are left out at each edge."""
    part = torch.randn(1, 4, 3 * area[0], 3 * area[1], generator=torch.Generator().manual_seed(1))

    def error(layers: int, overlap: int) -> float:
        network = _local(4, layers)
        whole, = map_tiles(lambda piece: (network(piece), ), tile_grid(area, tile, overlap), part)
        return float((whole - network(part)).abs().max())

    assert error(3, 4) < 1e-6
    assert error(3, 1) > 1e-3 and error(5, 4) > 1e-4


def test_one_tile_is_the_function_itself() -> None:
    part, calls = torch.randn(2, 3, 12, 20), []

    def function(piece: Tensor) -> tuple[Tensor]:
        calls.append(piece)
        return (piece.double().sin(), )

    whole, = map_tiles(function, tile_grid((3, 5), (8, 8), 2), part)
    assert len(calls) == 1 and calls[0] is part
    assert torch.equal(whole, part.double().sin())


def test_parts_that_do_not_fit_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match='25x20 positions'):
        map_tiles(lambda piece: (piece, ), tile_grid((12, 10), (4, 4), 1), torch.zeros(1, 1, 25, 20))
