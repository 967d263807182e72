"""Latents encoded once: a training step with them is that without, and no step takes those of another codec."""

from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor
from torch.utils.data import default_collate

from glowdeblur_plugin import cli
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur, build_codec
from glowdeblur_plugin.archs.sana_backbone import VARIANTS
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.data.side_data import LatentSource
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from glowdeblur_plugin.models.latent_cache import check_latents, write_latents
from tiny_parts import SHAPE, tiny_autoencoder
from toy_model import toy_options, train
from toy_run import write_options

SMALL = {'type': 'PreReconstruction', 'width': 4, 'encoder_blocks': [1], 'middle_blocks': 1, 'decoder_blocks': [1]}
SIDE, COUNT = 64, 7
CPU = torch.device('cpu')


@pytest.fixture
def crops(tmp_path: Path) -> dict[str, Any]:
    """The section of a training set of seven crops of a photograph, packed in `tmp_path`."""
    picture = data.astronaut()
    for side in ('lq', 'gt'):
        with LmdbWriter(tmp_path / f'train_{side}.lmdb', 'crops') as writer:
            for index in range(COUNT):
                crop = picture[40 * index:40 * index + SIDE, 200:200 + SIDE]
                writer.put(f'crop-{index}', crop if side == 'gt' else crop // 2)
    roots = {f'dataroot_{kind}': str(tmp_path / f'train_{kind}.lmdb') for kind in ('lq', 'gt', 'latent')}
    return {'name': 'crops', 'type': 'PairedLMDBDataset', **roots, 'gt_size': SIDE, 'use_hflip': False, 'use_rot': False}


def _write(crops: dict[str, Any], **settings: Any) -> bool:
    pictures = LmdbSource(Path(crops['dataroot_gt']))
    arguments = {'codec': build_codec('nano', None), 'device': CPU, 'batch_size': 3, **settings}
    return write_latents(pictures=pictures, out=Path(crops['dataroot_latent']), **arguments)


def _contents(root: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(root).iterdir() if path.name not in ('data.mdb', 'lock.mdb')}


def test_latents_are_the_codecs_to_half_precision(crops: dict[str, Any]) -> None:
    assert _write(crops) and not _write(crops)
    codec, source = build_codec('nano', None), LatentSource(crops['dataroot_latent'])
    pictures = LmdbSource(Path(crops['dataroot_gt']))
    for key in pictures.sizes:
        picture = torch.from_numpy(pictures.read(key)).permute(2, 0, 1)[None] / 255
        expected = codec.held.encode(picture)[0]
        error = (torch.from_numpy(source.read(key)) - expected).abs()
        assert (error <= expected.abs() * 2**-11 + 2**-24).all() and expected.std() > 0.1


def test_interrupted_work_goes_on_to_the_same_set(crops: dict[str, Any], tmp_path: Path) -> None:
    def interrupt(task: str, done: int, total: int) -> None:
        if done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _write(crops, progress=interrupt)
    assert not Path(crops['dataroot_latent']).exists()
    seen = []
    assert _write(crops, progress=lambda task, done, total: seen.append((done, total)))
    assert seen == [(0, COUNT - 3), (3, COUNT - 3), (4, COUNT - 3)]
    whole = {**crops, 'dataroot_latent': str(tmp_path / 'whole.lmdb')}
    assert _write(whole)
    first, second = (_contents(section['dataroot_latent']) for section in (crops, whole))
    assert first == second and first.keys() == {'checksums.txt', 'manifest.json', 'meta_info.txt'}


def _options(folder: Path, crops: dict[str, Any], **network: Any) -> dict[str, Any]:
    section = {'type': 'GLOWDeblur', 'variant': 'nano', 'prereconstruction': SMALL, **network}
    return {**toy_options(folder), 'model_type': 'GLOWDeblurModel', 'network_g': section, 'val': {},
            'datasets': {'train': crops}}


def test_a_step_with_latents_is_the_step_without(crops: dict[str, Any], tmp_path: Path) -> None:
    _write(crops)
    weights: list[dict[str, Tensor]] = []
    losses = []
    for section in (crops, {key: value for key, value in crops.items() if key != 'dataroot_latent'}):
        dataset = PairedLMDBDataset({**section, 'phase': 'train'})
        model = GLOWDeblurModel(_options(tmp_path, section))
        torch.nn.init.normal_(model.net_g.backbone.proj_out.weight, std=0.1, generator=torch.Generator().manual_seed(1))
        train(model, default_collate([dataset[0], dataset[1]]))
        weights.append({name: value.clone() for name, value in model.net_g.state_dict().items()})
        losses.append(model.get_current_log())
    for name in ('l_flow', 'l_align'):
        assert losses[0][name] == pytest.approx(losses[1][name], rel=1e-4) and losses[0][name] != losses[1][name]
    assert losses[0]['l_pixel'] == losses[1]['l_pixel']
    difference = torch.cat([(weights[0][name] - weights[1][name]).flatten() for name in weights[0]])
    assert (difference.abs() > 1e-3).float().mean() < 1e-3


def test_only_unknown_latents_are_encoded() -> None:
    """Also in their own order: the sharp picture of a known latent is not looked at."""
    net = GLOWDeblur('nano', prereconstruction=SMALL)
    gt = torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    expected = net.encode(gt)
    known = torch.tensor([True, False, True, False])
    given = torch.where(known.view(4, 1, 1, 1), expected, torch.zeros(()))
    hidden = torch.where(known.view(4, 1, 1, 1), torch.full((), float('nan')), gt)
    assert torch.allclose(net.sharp_latent(hidden, given, known), expected, atol=1e-6)
    assert torch.equal(net.sharp_latent(torch.full_like(gt, float('nan')), given, torch.ones(4, dtype=torch.bool)), given)
    assert torch.equal(net.sharp_latent(gt), expected)
    assert torch.equal(net(gt / 2, hidden, latent=given, latent_known=known)['latent'], net.sharp_latent(hidden, given, known))


def test_latents_of_another_codec_are_refused(crops: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, 's600m', SHAPE)
    for seed, name in enumerate(('vae', 'other')):
        tiny_autoencoder(tmp_path / name, seed, stages=6)
    codec, other = (build_codec('s600m', str(tmp_path / name)) for name in ('vae', 'other'))
    _write(crops, codec=codec)
    check_latents(codec, {'train': crops})
    message = (rf"datasets:train:parts:real:dataroot_latent: '.*train_latent.lmdb' was made with codec '{tmp_path}/vae' \(sha256 "
               rf".*\), the network's is '{tmp_path}/other' \(sha256 .*\); make it again with glowdeblur latents")
    with pytest.raises(UserError, match=f'^{message}'):
        check_latents(other, {'train': {'parts': {'real': crops}}})
    with pytest.raises(UserError, match="dataroot_latent: .* was made with codec .*, the network's is 'BlockDCTCodec'"):
        GLOWDeblurModel(_options(tmp_path, crops))
    with pytest.raises(UserError, match='train_latent.lmdb: is there already and differs .sha256 is'):
        _write(crops, codec=other)
    (tmp_path / 'vae').rename(tmp_path / 'moved')
    moved = build_codec('s600m', str(tmp_path / 'moved'))
    check_latents(moved, {'train': crops})
    assert not _write(crops, codec=moved)
    moved.held.scaling_factor = 0.5
    with pytest.raises(UserError, match=r"\(scaling_factor 0.4\), the network's is .* \(scaling_factor 0.5\)"):
        check_latents(moved, {'train': crops})


def test_pictures_that_the_codec_cannot_take(crops: dict[str, Any], tmp_path: Path) -> None:
    tiny_autoencoder(tmp_path / 'vae', stages=8)
    with pytest.raises(UserError, match='train_gt.lmdb: its pictures are 64x64, the codec needs multiples of 128'):
        _write(crops, codec=build_codec('s600m', str(tmp_path / 'vae')))


@pytest.mark.parametrize('mixture', [False, True])
def test_the_command_encodes_the_sets_of_an_option_file(crops: dict[str, Any], tmp_path: Path, mixture: bool,
                                                        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    crops = {key: Path(value).name if key.startswith('dataroot') else value for key, value in crops.items()}
    train_section = {**crops, 'batch_size_per_gpu': 2, 'num_worker_per_gpu': 0}
    if mixture:
        roots = {key: train_section.pop(key) for key in list(crops) if key.startswith('dataroot')}
        part = {'type': train_section['type'], 'weight': 1, **roots}
        bare = {key: value for key, value in part.items() if key != 'dataroot_latent'}
        train_section |= {'type': 'BPPMixtureDataset', 'parts': {'real': part, 'bare': bare}}
    file = write_options(tmp_path / 'o.yml', {
        'name': 'toy', 'model_type': 'GLOWDeblurModel', 'num_gpu': 0, 'network_g': {'type': 'GLOWDeblur'}, 'path': {},
        'datasets': {'train': train_section},
        'train': {'total_iter': 2, 'optim_g': {'lr': 1e-3}},
        'logger': {'print_freq': 1, 'save_checkpoint_freq': 2, 'use_tb_logger': False}})
    for expected in ('train_latent.lmdb\n', 'train_latent.lmdb is there already\n'):
        assert cli.main(['latents', '-opt', str(file), '--batch', '4']) == 0
        assert capsys.readouterr().out.endswith(expected)
    dataset = PairedLMDBDataset({**crops, 'phase': 'train'})
    net, sample = GLOWDeblur('nano'), dataset[2]
    assert torch.allclose(sample['latent'], net.encode(sample['gt'][None])[0], rtol=2**-11, atol=1e-6)
    changes = [f'datasets:train:{"parts:real:" if mixture else ""}dataroot_latent=~']
    assert cli.main(['latents', '-opt', str(file), '--force_yml', *changes]) == 2
    assert 'that name a dataroot_latent, there is none' in capsys.readouterr().err
