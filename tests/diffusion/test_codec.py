"""The nano codec: bounds that the quickstart relies on, and its algebra."""

import json

import pytest
import torch

from glowdeblur_plugin.data.photographs import training_photographs, validation_photographs
from glowdeblur_plugin.diffusion.autoencoder_codec import AutoencoderCodec
from glowdeblur_plugin.diffusion.block_dct_codec import BLOCK, BlockDCTCodec, BlockDCTConfig, dct_basis, lowest_frequencies
from glowdeblur_plugin.errors import UserError
from tiny_parts import tiny_autoencoder

TRAINING = ('astronaut', 'rocket', 'motorcycle_left', 'motorcycle_right')
VALIDATION = ('coffee', 'chelsea')
PHOTOGRAPHS = {**training_photographs(), **validation_photographs()}


def _picture(name: str) -> torch.Tensor:
    photograph = torch.from_numpy(PHOTOGRAPHS[name].copy()).permute(2, 0, 1)[None].float() / 255
    height, width = (length // BLOCK * BLOCK for length in photograph.shape[-2:])
    return photograph[..., :height, :width]


@pytest.mark.parametrize('name', TRAINING + VALIDATION)
def test_round_trip_of_every_colour_photograph_is_at_least_28_db(name: str) -> None:
    codec, picture = BlockDCTCodec(), _picture(name)
    again = (codec.decode(codec.encode(picture)).clamp(0, 1) * 255).round() / 255
    assert -10 * torch.log10((again - picture).square().mean()).item() >= 28


def test_latent_is_an_orthonormal_transform_of_ycbcr() -> None:
    """With all 64 coefficients of each colour and no standardisation the codec loses nothing, and a basis picture is one
    coefficient."""
    count = 3 * 64
    codec = BlockDCTCodec(BlockDCTConfig((64, 64, 64), (0.0,) * count, (1.0,) * count)).double()
    picture = torch.rand(1, 3, 16, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(codec.decode(codec.encode(picture)), picture, atol=1e-5)
    position = 17
    basis = dct_basis(lowest_frequencies(64)[position]) / 10
    latent = codec.encode((basis.expand(1, 3, 8, 8) + 1) / 2)[0, :, 0, 0]
    expected = torch.zeros(count, dtype=torch.float64)
    expected[position] = 0.1
    assert torch.allclose(latent, expected, atol=1e-6)


def test_training_latents_are_standardised() -> None:
    codec = BlockDCTCodec()
    latents = torch.cat([codec.encode(_picture(name)).flatten(2) for name in TRAINING], dim=2)
    assert latents.mean(dim=(0, 2)).abs().max() < 0.35
    assert latents.std(dim=(0, 2)).log().abs().max() < 0.35


def test_latent_has_at_most_32_channels_at_an_eighth() -> None:
    codec = BlockDCTCodec()
    assert codec.encode(torch.zeros(1, 3, 16, 24)).shape == (1, codec.latent_channels, 2, 3)
    assert codec.latent_channels <= 32


@pytest.mark.parametrize('shift', [None, 0.3])
def test_autoencoder_codec_applies_scaling_factor_and_shift_of_the_saved_config(tmp_path, shift: float | None) -> None:
    tiny = tiny_autoencoder(tmp_path, stages=2)
    config = json.loads((tmp_path / 'config.json').read_text())
    (tmp_path / 'config.json').write_text(json.dumps({**config, 'scaling_factor': 0.25, 'shift_factor': shift}))
    codec, picture = AutoencoderCodec.from_pretrained(str(tmp_path)), torch.rand(1, 3, 8, 8)
    assert (codec.latent_channels, codec.compression) == (4, 2)
    with torch.no_grad():
        raw = tiny.encode(picture * 2 - 1).latent
        latent = 0.25 * (raw - (shift or 0))
        assert torch.allclose(codec.encode(picture), latent, atol=1e-6)
        assert torch.allclose(codec.decode(latent), (tiny.decode(raw).sample + 1) / 2, atol=1e-5)


def test_missing_autoencoder_is_named(tmp_path) -> None:
    with pytest.raises(UserError, match='network_g:codec: no AutoencoderDC in .*nowhere.: there is no such folder'):
        AutoencoderCodec.from_pretrained(str(tmp_path / 'nowhere'))
