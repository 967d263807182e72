"""A restorer knows its network by the weights, and gives what that network gives."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from skimage import data
from spandrel.architectures.NAFNet import NAFNet as AuthorsNAFNet
from spandrel_extra_arches.architectures.Restormer import Restormer as AuthorsRestormer
from torch import nn

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.nafnet_arch import NAFNet
from glowdeblur_plugin.archs.pre_reconstruction_arch import PreReconstruction
from glowdeblur_plugin.diffusion.colour import correct_colour
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.inference.restorer import Restorer
from glowdeblur_plugin.models.checkpoints import save_network_files
from glowdeblur_plugin.models.glowdeblur_evaluation import restore, through_codec

SMALL = {'width': 8, 'encoder_blocks': [1], 'middle_blocks': 1, 'decoder_blocks': [1], 'patch': 2}


@pytest.fixture(scope='module')
def picture() -> np.ndarray:
    """A photograph whose sides are no multiples of anything."""
    return np.float32(data.astronaut()[60:133, 180:289]) / 255


def shaken(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with random weights everywhere, also where training starts at zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.05 * torch.randn(value.shape, generator=generator))
    return network.eval()


def saved(folder: Path, network: nn.Module, kind: str, **arguments: Any) -> Path:
    """Files as a training run leaves them: `params` are those of a fresh start, `params_ema` the network's."""
    start = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    save_network_files(folder, 'net_g_latest', {'params': start, 'params_ema': network.state_dict()},
                       {'model_type': 'RestorationModel', 'network_g': {'type': kind, **arguments}, 'weights': 'params_ema'})
    return folder / 'net_g_latest.pth'


def run(network: nn.Module, picture: np.ndarray, multiple: int) -> np.ndarray:
    """The network on the picture, mirrored up to a multiple, straight from its definition."""
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((0, -height % multiple), (0, -width % multiple), (0, 0)), 'reflect')
    with torch.no_grad():
        result = network(torch.from_numpy(padded.transpose(2, 0, 1))[None])[0].permute(1, 2, 0).clamp(0, 1)
    return result[:height, :width].numpy()


@pytest.mark.parametrize('kind', ['NAFNet', 'Restormer'])
@pytest.mark.parametrize('wrap', [lambda state: {'params': state},
                                  lambda state: {f'module.{name}': value for name, value in state.items()}])
def test_authors_files_are_known_by_their_names_and_shapes(tmp_path: Path, picture: np.ndarray, kind: str, wrap: Any) -> None:
    torch.manual_seed(0)
    network, multiple = {
        'NAFNet': lambda: (AuthorsNAFNet(width=4, middle_blk_num=2, enc_blk_nums=[1, 2], dec_blk_nums=[1, 1]), 4),
        'Restormer': lambda: (AuthorsRestormer(dim=8, num_blocks=[1, 1, 2, 1], heads=[1, 2, 2, 4], num_refinement_blocks=1,
                                               ffn_expansion_factor=2, LayerNorm_type='BiasFree'), 8),
    }[kind]()
    path = tmp_path / 'authors.pth'
    torch.save(wrap(shaken(network).state_dict()), path)
    restorer = Restorer.from_weights(path, device='cpu')
    np.testing.assert_allclose(restorer.restore(picture), run(network, picture, multiple), atol=1e-5)
    assert (restorer.name, restorer.samples) == (kind, False) and restorer.through_codec(picture) is None
    assert restorer.weights_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_our_files_are_known_by_the_json_beside_them(tmp_path: Path, picture: np.ndarray, suffix: str) -> None:
    network = shaken(PreReconstruction(**SMALL))
    path = saved(tmp_path, network, 'PreReconstruction', **SMALL).with_suffix(suffix)
    restored = Restorer.from_weights(str(path), device='cpu').restore(picture)
    np.testing.assert_allclose(restored, run(network, picture, network.size_multiple), atol=1e-6)
    assert np.abs(restored - picture).max() > 0.01


def test_glowdeblur_samples_by_its_seed_and_the_option_file(tmp_path: Path, picture: np.ndarray) -> None:
    """Steps and colour are the file's where the caller names none; the codec's round trip is the network's."""
    torch.manual_seed(0)
    network = shaken(GLOWDeblur('nano', target='around'))
    path, options = saved(tmp_path, network, 'GLOWDeblur', variant='nano', target='around'), tmp_path / 'test.yml'
    options.write_text(yaml.safe_dump({'network_g': {'type': 'GLOWDeblur', 'variant': 'nano', 'target': 'around'},
                                       'val': {'steps': 2, 'colour': 'wavelet', 'metrics': {}}}))
    padded = torch.from_numpy(np.pad(picture, ((0, 7), (0, 3), (0, 0)), 'reflect').transpose(2, 0, 1))[None]
    with torch.no_grad():
        condition = network.condition(padded)
        plain = restore(network, condition, [torch.Generator().manual_seed(7)], 3)
        two = restore(network, condition, [torch.Generator().manual_seed(7)], 2)
        wanted = [plain.clamp(0, 1), correct_colour(two, condition.prereconstruction).clamp(0, 1),
                  through_codec(network, padded).clamp(0, 1)]
    found = [Restorer.from_weights(path, device='cpu', steps=3).restore(picture, seed=7),
             Restorer.from_weights(str(path), str(options), device='cpu').restore(picture, seed=7),
             Restorer.from_weights(path, device='cpu').through_codec(picture)]
    for one, other in zip(found, wanted):
        np.testing.assert_allclose(one, other[0, :, :73, :109].permute(1, 2, 0).numpy(), atol=1e-5)
    restorer = Restorer.from_weights(path, device='cpu', steps=1)
    assert restorer.samples and np.abs(restorer.restore(picture, 1) - restorer.restore(picture, 2)).max() > 0.01


def test_tiles_give_what_a_local_network_gives_in_one_piece(tmp_path: Path, picture: np.ndarray) -> None:
    """A NAFNet of one level whose attention, which looks at the whole, is held sees 6 pixels to each side, less than the
    quarter of an overlap of 32."""
    network = shaken(AuthorsNAFNet(width=4, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1]))
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    results = []
    for size in ('none', 64):
        restorer = Restorer.from_weights(tmp_path / 'a.pth', device='cpu', tile=size, tile_overlap=32)
        pools = [module for module in restorer.network.modules() if isinstance(module, nn.AdaptiveAvgPool2d)]
        for module in pools:
            module.register_forward_hook(lambda module, given, pooled: torch.ones_like(pooled))
        results.append(restorer.restore(picture))
    assert len(pools) == 3 and np.abs(results[0] - picture).max() > 0.01
    np.testing.assert_allclose(*results, atol=1e-6)


def test_local_pooling_is_asked_for_by_the_caller(tmp_path: Path) -> None:
    """It shows in pictures larger than 1.5 times the training size of 256."""
    sizes = {'width': 2, 'middle_blk_num': 1, 'enc_blk_nums': [1], 'dec_blk_nums': [1]}
    torch.save(shaken(AuthorsNAFNet(**sizes)).state_dict(), tmp_path / 'a.pth')
    large = np.float32(data.astronaut()[:400, :400]) / 255
    plain, local = (Restorer.from_weights(tmp_path / 'a.pth', device='cpu', tlc=tlc) for tlc in (None, True))
    wanted = NAFNet(**sizes, tlc=True).eval()
    wanted.load_state_dict(plain.network.state_dict())
    np.testing.assert_allclose(local.restore(large), run(wanted, large, 2), atol=1e-6)
    assert np.abs(local.restore(large) - plain.restore(large)).max() > 1e-5


def test_half_precision_is_near_full_precision_and_not_equal(tmp_path: Path, picture: np.ndarray) -> None:
    path = saved(tmp_path, shaken(PreReconstruction(**SMALL)), 'PreReconstruction', **SMALL)
    full, half = (Restorer.from_weights(path, device='cpu', precision=name).restore(picture) for name in ('fp32', 'bf16'))
    assert 1e-5 < np.abs(full - half).mean() < 5e-3


def test_what_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    network = PreReconstruction(**SMALL)
    path = saved(tmp_path, network, 'PreReconstruction', **SMALL)
    alone = tmp_path / 'alone.pth'
    torch.save({'params': network.state_dict()}, alone)
    other = tmp_path / 'other.yml'
    other.write_text(yaml.safe_dump({'network_g': {'type': 'PreReconstruction', **SMALL, 'width': 4}}))
    empty = tmp_path / 'empty.yml'
    empty.write_text('name: x\n')
    grey = tmp_path / 'grey.pth'
    torch.save(AuthorsNAFNet(img_channel=1, width=4, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1]).state_dict(), grey)
    for message, arguments, settings in (
        (r"alone.pth': no 'alone.json' beside it .* neither a NAFNet nor a Restormer", (alone, ), {}),
        (r'is not one of this PreReconstruction, keys differ', (path, other), {}),
        (r"empty.yml: no section 'network_g'", (path, empty), {}),
        (r'grey.pth.: a NAFNet for 1 channels; pictures have 3', (grey, ), {}),
        (r"checkpoint '.*none.pth' does not exist", (tmp_path / 'none.pth', ), {}),
        (r'^steps: is for networks that sample, and PreReconstruction gives one picture', (path, ), {'steps': 4}),
        (r'^guidance: has no part in restoring photographs', (path, ), {'guidance': 3.0}),
        (r'^precision: fp16 is for networks such as NAFNet on CUDA, found PreReconstruction on cpu', (path, ),
         {'precision': 'fp16'}),
        (r"^device: 'gpu' cannot be used", (path, ), {'device': 'gpu'}),
        (r"^device: 'meta' cannot be used", (path, ), {'device': 'meta'}),
        (r"^precision: 'half' is not one of fp32, bf16, fp16", (path, ), {'precision': 'half'}),
        (r'^tile: 248 is less than two overlaps', (path, ), {'tile': 248}),
        (r"^tlc: is for NAFNet, and '.*' is a PreReconstruction; leave it out", (path, ), {'tlc': True}),
        (r"checkpoint '.*empty.yml' is not a file of torch.save", (empty, ), {}),
        (r"checkpoint '.*' is no file", (tmp_path, ), {}),
    ):
        with pytest.raises(UserError, match=message) as caught:
            Restorer.from_weights(*arguments, **{'device': 'cpu', **settings})
        assert '\n' not in str(caught.value)
    (tmp_path / 'net_g_latest.json').write_text(json.dumps({'iteration': 3}))
    with pytest.raises(UserError, match="net_g_latest.json: no section 'network_g'"):
        Restorer.from_weights(path)


def test_only_pictures_go_in_and_come_out(tmp_path: Path, picture: np.ndarray) -> None:
    path = saved(tmp_path, shaken(PreReconstruction(**SMALL)), 'PreReconstruction', **SMALL)
    restorer = Restorer.from_weights(path, device='cpu')
    np.testing.assert_array_equal(restorer.restore(picture.astype(np.float64)), restorer.restore(picture))
    for message, given in ((r'expected a float RGB picture \(H, W, 3\), found uint8 \(73, 109, 3\)', np.uint8(picture * 255)),
                           (r'expected a float RGB picture \(H, W, 3\), found float32 \(73, 109\)', picture[..., 0]),
                           (r'expected levels in \[0, 1\], found 0.0 to 251', picture * 255)):
        with pytest.raises(UserError, match=message):
            restorer.restore(given)
    with torch.no_grad():
        next(restorer.network.parameters()).fill_(torch.nan)
    with pytest.raises(UserError, match='100.00% of its values are not numbers'):
        restorer.restore(picture)
