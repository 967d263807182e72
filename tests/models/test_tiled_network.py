"""Restoring in tiles: as in one piece where everything is local, without seams where it is not."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from diffusers import AutoencoderDC
from skimage import data
from torch import Tensor, nn

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.diffusion.autoencoder_codec import AutoencoderCodec
from glowdeblur_plugin.diffusion.tiling import tile_grid
from glowdeblur_plugin.models.glowdeblur_evaluation import RestorationSettings, evaluate, restore
from glowdeblur_plugin.models.seeds import picture_generator
from glowdeblur_plugin.models.tiled_network import TiledGLOWDeblur

PHOTOGRAPHS = ('astronaut', 'coffee', 'chelsea', 'rocket')


def _photograph(name: str, height: int = 256, width: int = 384) -> Tensor:
    return torch.from_numpy(getattr(data, name)()[:height, :width].copy()).permute(2, 0, 1)[None] / 255


class _LocalBackbone(nn.Module):
    """Stands in for SANA's transformer: sees 3 positions to each side, the level and the mean text."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.config = backbone.config
        channels = backbone.patch_embed.proj.in_channels
        self.layers = nn.Sequential(nn.Conv2d(channels, 24, 5, padding=2), nn.Tanh(), nn.Conv2d(24, 24, 3, padding=1))
        self.text = nn.Linear(self.config.caption_channels, 24)

    def forward(self, inputs: Tensor, encoder_hidden_states: Tensor, timestep: Tensor, **_: Any) -> tuple[Tensor]:
        text = self.text(encoder_hidden_states.mean(dim=1)) + timestep[:, None] / 1000
        return (self.layers(inputs) + text[..., None, None], )


class _LocalGLOWDeblur(GLOWDeblur):
    """Hands texts to its backbone as they are."""

    def text_context(self, text: Tensor | None = None, text_mask: Tensor | None = None) -> Tensor | None:
        return text


@pytest.fixture(scope='module')
def local_net() -> GLOWDeblur:
    """A nano network without anything global: a local backbone; new NAFBlocks and a new motion estimator pass on what they
    get."""
    torch.manual_seed(0)
    net = _LocalGLOWDeblur('nano', target='around').eval()
    nn.init.normal_(net.alignment.residual.weight, std=0.02)
    nn.init.normal_(net.null_text)
    net.backbone = _LocalBackbone(net.backbone).eval()
    return net


@pytest.fixture(scope='module')
def global_net() -> GLOWDeblur:
    """A nano network in which everything says something, channel attention and linear attention too, and the noise little, so
    that pictures are smooth and seams would show."""
    torch.manual_seed(0)
    net = GLOWDeblur('nano', target='around').eval()
    net.target.residual_variance.fill_(0.03)
    for name, parameter in net.prereconstruction.named_parameters():
        if 'scale_' in name:
            nn.init.normal_(parameter, std=0.3)
    of_latent, of_condition = net.backbone.patch_embed.proj.weight.split([net.latent_channels, net.latent_channels + 3], dim=1)
    of_latent.data.mul_(0.02)
    for parameter, deviation in ((net.backbone.proj_out.weight, 1.0), (net.motion.head.weight, 0.3),
                                 (net.prereconstruction.head.weight, 0.02), (of_condition.data, 0.05)):
        nn.init.normal_(parameter, std=deviation)
    return net


def _restored(net: GLOWDeblur | TiledGLOWDeblur, lq: Tensor, first: int = 0, **settings: Any) -> Tensor:
    generators = [picture_generator(3, first + index) for index in range(len(lq))]
    return restore(net, net.condition(lq), generators, **{'steps': 3, **settings})


@torch.no_grad()
@pytest.mark.parametrize('settings', [{}, {'guidance': 2.0}, {'solver': 'dpm', 'steps': 4}, {'start': 0.5}, {'solver': 'scm'}])
def test_a_local_network_restores_in_tiles_as_in_one_piece(local_net: GLOWDeblur, settings: dict[str, Any]) -> None:
    """The backbone sees 3 latents to each side at each of its steps, and a quarter of 96 pixels are 3: what the steps see
    together reaches further than an overlap, but each step's velocity is blended before the next."""
    lq = torch.cat([_photograph('astronaut'), _photograph('coffee')])
    if 'guidance' in settings:
        settings = {**settings, 'text': torch.randn(2, 4, 32, generator=torch.Generator().manual_seed(5))}
    whole = _restored(local_net, lq, **settings)
    assert torch.allclose(_restored(TiledGLOWDeblur(local_net, (192, 208), 96), lq, **settings), whole, atol=2e-5)
    assert (_restored(TiledGLOWDeblur(local_net, (192, 208), 16), lq, **settings) - whole).abs().max() > 1e-3


@torch.no_grad()
def test_one_tile_is_the_whole_bit_for_bit(global_net: GLOWDeblur) -> None:
    lq = _photograph('coffee', 61, 90)
    batch, settings = {'lq': lq, 'gt': lq.flip(-1)}, RestorationSettings(steps=2, warm_steps=1, colour='wavelet')
    whole, tiled = (evaluate(net, batch, picture_generator(3, 0), settings, full=True)
                    for net in (global_net, TiledGLOWDeblur(global_net, (96, 256), 32)))
    assert all(torch.equal(torch.as_tensor(tiled[name]), torch.as_tensor(whole[name])) for name in whole | tiled)


@torch.no_grad()
@pytest.mark.parametrize('size', [(1, 1), (1, 70), (15, 17), (67, 130)])
def test_pictures_of_any_size(local_net: GLOWDeblur, size: tuple[int, int]) -> None:
    """Restored in tiles as whole, and as the picture mirrored by hand, or repeated where there is too little to mirror."""
    lq = _photograph('chelsea', *size)
    settings, tiled = RestorationSettings(steps=2), TiledGLOWDeblur(local_net, (112, 112), 96)
    whole, pieces = (evaluate(net, {'lq': lq}, picture_generator(3, 0), settings, full=False)['restored']
                     for net in (local_net, tiled))
    assert whole.shape == lq.shape
    extended = _mirrored if all(-length % 16 < length for length in size) else _repeated
    rows, columns = ([extended(index, length) for index in range(-(-length // 16) * 16)] for length in size)
    by_hand = _restored(local_net, lq[..., rows, :][..., columns], steps=2)
    assert torch.allclose(whole, by_hand[..., :size[0], :size[1]].clamp(0, 1), atol=1e-6)
    assert torch.allclose(pieces, whole, atol=2e-5)


def _mirrored(index: int, length: int) -> int:
    return index if index < length else 2 * (length - 1) - index


def _repeated(index: int, length: int) -> int:
    return min(index, length - 1)


@torch.no_grad()
def test_in_tiles_too_a_picture_does_not_depend_on_its_batch(global_net: GLOWDeblur) -> None:
    lq = torch.cat([_photograph(name, 96, 160) for name in PHOTOGRAPHS[:3]])
    tiled = TiledGLOWDeblur(global_net, (64, 96), 32)
    apart = torch.cat([_restored(tiled, lq[index:index + 1], index) for index in range(3)])
    assert torch.allclose(_restored(tiled, lq), apart, atol=5e-5)


def _autoencoder() -> AutoencoderCodec:
    """A random 8x autoencoder of DC-AE's blocks, attention on its two lower levels, encoder and decoder."""
    torch.manual_seed(0)
    blocks, widths, ones = ('ResBlock', ) * 2 + ('EfficientViTBlock', ) * 2, (16, ) * 4, (1, ) * 4
    scales = ((), (), (5, ), (5, ))
    return AutoencoderCodec(AutoencoderDC(
        latent_channels=8, encoder_block_types=blocks, decoder_block_types=blocks, encoder_block_out_channels=widths,
        decoder_block_out_channels=widths, encoder_layers_per_block=ones, decoder_layers_per_block=ones,
        encoder_qkv_multiscales=scales, decoder_qkv_multiscales=scales, attention_head_dim=8, downsample_block_type='Conv',
        upsample_block_type='interpolate', scaling_factor=0.4).eval())


@pytest.fixture(scope='module', params=['nano', 'autoencoder'])
def way(request: pytest.FixtureRequest, global_net: GLOWDeblur) -> tuple[nn.Module, Callable[[Any, Tensor], Tensor]]:
    """A network that is global and how a photograph goes through it: restoring, or an autoencoder there and back."""
    if request.param == 'nano':
        return global_net, partial(_restored, steps=2)
    codec = _autoencoder()
    codec.size_multiple = codec.compression
    return codec, lambda net, picture: net.decode(net.encode(picture))


@torch.no_grad()
def test_seams_do_not_show(way: tuple[Any, Callable[[Any, Tensor], Tensor]]) -> None:
    """The 95th percentile of the gradient across the borders of latent cells, in the overlaps against elsewhere: at most 1.05,
    also relative to the whole pictures; without an overlap it is above."""
    net, run = way
    ratios: dict[int, tuple[float, float]] = {}
    wholes = [run(net, _photograph(name)) for name in PHOTOGRAPHS[:2]]
    for overlap in (0, 64):
        tiled = TiledGLOWDeblur(net, (128, 128), overlap)
        pictures = [run(tiled, _photograph(name)) for name in PHOTOGRAPHS[:2]]
        ratios[overlap] = _border_ratio(pictures, overlap), _border_ratio(wholes, overlap)
    without, whole = ratios[0]
    assert without > 1.05 and without / whole > 1.05
    tiled, whole = ratios[64]
    assert tiled <= 1.05 and tiled / whole <= 1.05


def _border_ratio(pictures: list[Tensor], overlap: int, tile: int = 128, cell: int = 8) -> float:
    near, away = [], []
    for picture in pictures:
        height, width = picture.shape[-2:]
        grid = tile_grid((height // 16, width // 16), (tile // 16, tile // 16), overlap // 16)
        for axis, starts, length in ((-2, grid.tops, height), (-1, grid.lefts, width)):
            gradient = picture.diff(dim=axis).abs().mean(dim=1)
            inside = set(_shared(starts, tile))
            for places, borders in ((near, inside), (away, set(range(cell, length, cell)) - inside)):
                places.append(gradient.index_select(axis, torch.tensor(sorted(borders)) - 1).flatten())
    return float(torch.cat(near).quantile(0.95) / torch.cat(away).quantile(0.95))


def _shared(starts: tuple[int, ...], tile: int, block: int = 16, cell: int = 8) -> Iterator[int]:
    """The borders of latent cells that lie in overlaps, their ends included."""
    for start, following in pairwise(starts):
        yield from range(following * block, start * block + tile + 1, cell)
