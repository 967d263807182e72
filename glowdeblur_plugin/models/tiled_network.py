"""Networks on pictures that are too large for the device: every part in feathered tiles; of GLOWDeblur one global latent."""

from typing import Any

from torch import Tensor, nn

from glowdeblur_plugin.archs.glowdeblur_arch import Condition, GLOWDeblur
from glowdeblur_plugin.diffusion.tiling import TileGrid, map_tiles, tile_grid


class TiledNetwork:
    """Stands in for a network that maps pictures to pictures, tile by tile. All else is the network's own.

    A network that looks no further than a quarter of the overlap gives what it gives in one piece.

    Args:
        net: in eval mode.
        tile: height and width of a tile in pixels, multiples of `multiple`.
        overlap: pixels that neighbours share at least, another multiple of it, less than both.
        multiple: of which the sides of the network's pictures must be.
    """

    def __init__(self, net: nn.Module, tile: tuple[int, int], overlap: int, multiple: int) -> None:
        self.net, self.tile, self.overlap, self.multiple = net, tile, overlap, multiple

    def __getattr__(self, name: str) -> Any:
        return getattr(self.net, name)

    def __call__(self, picture: Tensor) -> Tensor:
        """The network's pictures (N, C, H, W) of pictures (N, C, H, W), H and W multiples of `multiple`."""
        return map_tiles(lambda tile: (self.net(tile), ), self._grid(picture, 1), picture)[0]

    def _grid(self, part: Tensor, cell: int) -> TileGrid:
        block = self.multiple
        height, width = (length * cell // block for length in part.shape[-2:])
        return tile_grid((height, width), (self.tile[0] // block, self.tile[1] // block), self.overlap // block)


class TiledGLOWDeblur(TiledNetwork):
    """Stands in for a GLOWDeblur when pictures are restored: `condition`, `encode`, `velocity` and `decode` run tile by tile,
    each blended before the next begins.

    Solver, noise and guidance so see one latent of the whole picture. Backbone, autoencoder and pre-reconstruction look at all
    that they are given (linear attention, channel attention), so a tile differs from the same place of the whole picture in
    tone and contrast, and the overlap leads from one to the next; what is local is as in the whole picture.
    """

    def __init__(self, net: GLOWDeblur, tile: tuple[int, int], overlap: int) -> None:
        super().__init__(net, tile, overlap, net.size_multiple)

    def condition(self, lq: Tensor) -> Condition:
        """See `GLOWDeblur.condition`."""
        return Condition(*map_tiles(lambda tile: _parts(self.net.condition(tile)), self._grid(lq, 1), lq))

    def encode(self, picture: Tensor) -> Tensor:
        """See `GLOWDeblur.encode`."""
        return map_tiles(lambda tile: (self.net.encode(tile), ), self._grid(picture, 1), picture)[0]

    def velocity(self, noised: Tensor, sigma: Tensor, condition: Condition, *text: Any, **settings: Any) -> Tensor:
        """See `GLOWDeblur.velocity`."""
        def of_tile(noised: Tensor, *known: Tensor) -> tuple[Tensor]:
            return (self.net.velocity(noised, sigma, Condition(*known), *text, **settings), )

        return map_tiles(of_tile, self._grid(noised, self.net.compression), noised, *_parts(condition))[0]

    def decode(self, latent: Tensor) -> Tensor:
        """See `GLOWDeblur.decode`."""
        return map_tiles(lambda tile: (self.net.decode(tile), ), self._grid(latent, self.net.compression), latent)[0]


def _parts(condition: Condition) -> tuple[Tensor, ...]:
    return condition.prereconstruction, condition.aligned, condition.motion, condition.motion_map
