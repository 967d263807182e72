"""PreReconstruction trained alone, and GLOWDeblur started from it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data
from torch.nn import functional as F

from glowdeblur_plugin.archs.blocks import use_channels_last
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from glowdeblur_plugin.models.restoration_model import RestorationModel
from toy_model import resume, toy_options, train
from toy_run import Options, Runs, write_options

PARTS: dict[str, dict[str, Any]] = {
    'PreReconstruction': {'width': 8, 'encoder_blocks': [1], 'middle_blocks': 1, 'decoder_blocks': [1], 'patch': 2},
    'NAFNet': {'width': 4, 'enc_blk_nums': [1, 1], 'middle_blk_num': 1, 'dec_blk_nums': [1, 1]},
    'Restormer': {'dim': 8, 'num_blocks': [1, 1, 1, 1], 'heads': [1, 2, 4, 8], 'num_refinement_blocks': 1},
}
LOSSES = {'pixel_opt': {'type': 'L1Loss'}, 'frequency_opt': {'type': 'FrequencyL1Loss', 'loss_weight': 0.1}}


def _batch() -> dict[str, Any]:
    gt = torch.from_numpy(data.astronaut()[40:72, 190:222].copy()).permute(2, 0, 1)[None].float() / 255
    return {'gt': gt, 'lq': 0.4 * F.avg_pool2d(gt, 5, 1, 2), 'lq_path': ['astronaut']}


def _alone(folder: Path, part: dict[str, Any], steps: int = 3) -> RestorationModel:
    """The part, trained and saved as `models/net_g_latest.pth` of `folder`."""
    folder.mkdir()
    options = toy_options(folder, total_iter=steps, ema_decay=0.5, **LOSSES)
    model = RestorationModel({**options, 'model_type': 'RestorationModel', 'network_g': part})
    train(model, *[_batch()] * steps)
    model.save(-1, -1)
    return model


def _options(folder: Path, network: dict[str, Any], **path: Any) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    options = toy_options(folder)
    return {**options, 'model_type': 'GLOWDeblurModel', 'network_g': {'type': 'GLOWDeblur', **network}, 'val': {},
            'path': {**options['path'], **{key: str(value) for key, value in path.items()}}}


def test_alone_it_learns_from_the_sum_of_both_losses(tmp_path) -> None:
    options = toy_options(tmp_path, total_iter=40, optim_g={'lr': 0.004}, **LOSSES)
    model = RestorationModel({**options, 'model_type': 'RestorationModel',
                              'network_g': {'type': 'PreReconstruction', **PARTS['PreReconstruction']}})
    batch = _batch()
    train(model, batch)
    log, error = model.get_current_log(), batch['lq'] - batch['gt']
    spectrum = torch.view_as_real(torch.fft.fft2(error.double(), norm='ortho')).abs()
    half = spectrum[..., :error.shape[-1] // 2 + 1, :].mean().item()
    assert log['l_pix'] == pytest.approx(error.abs().mean().item(), rel=1e-5)
    assert log['l_frequency'] == pytest.approx(0.1 * half, rel=1e-4)
    assert log['l_total'] == pytest.approx(log['l_pix'] + log['l_frequency'], rel=1e-6)
    train(model, *[batch] * 39)
    with torch.inference_mode():
        restored = model.net_g(batch['lq'])
    assert (restored - batch['gt']).abs().mean() < 0.5 * error.abs().mean()


@pytest.mark.parametrize('name', PARTS)
def test_a_warm_start_gives_the_same_picture_bit_for_bit(tmp_path, name: str) -> None:
    part = {'type': name, **PARTS[name]}
    alone = _alone(tmp_path / 'alone', part)
    weights = tmp_path / 'alone' / 'models' / 'net_g_latest.pth'
    model = GLOWDeblurModel(
        _options(tmp_path / 'whole', {'prereconstruction': part}, pretrain_network_prereconstruction=weights))
    net = model.bare_net.eval()
    picture = torch.rand(1, 3, net.size_multiple, net.size_multiple)
    with torch.inference_mode():
        use_channels_last(alone.net_g_ema)  # as all of GLOWDeblur is; the other layout rounds otherwise
        expected = alone.net_g_ema(picture)
        assert torch.equal(net.condition(picture).prereconstruction, expected)
        assert torch.equal(net.condition(picture).aligned, net.encode(expected))
        assert not torch.equal(alone.net_g.eval()(picture), expected)


def test_the_nano_variants_own_part_starts_from_the_sizes_of_the_option_file(tmp_path) -> None:
    import yaml
    file = Path(__file__).parents[2] / 'options' / 'prereconstruction.yml'
    alone = _alone(tmp_path / 'alone', yaml.safe_load(file.read_text())['network_g'], steps=1)
    weights = tmp_path / 'alone' / 'models' / 'net_g_latest.safetensors'
    model = GLOWDeblurModel(_options(tmp_path / 'whole', {'variant': 'nano'}, pretrain_network_prereconstruction=weights))
    mine = model.bare_net.prereconstruction.state_dict()
    assert all(torch.equal(value, mine[key]) for key, value in alone.net_g_ema.state_dict().items())


def test_weights_of_other_sizes_are_refused_in_one_line(tmp_path) -> None:
    _alone(tmp_path / 'alone', {'type': 'PreReconstruction', **PARTS['PreReconstruction']}, steps=1)
    weights = tmp_path / 'alone' / 'models' / 'net_g_latest.pth'
    with pytest.raises(UserError, match=f"checkpoint '{weights}' is not one of this PreReconstruction, keys differ"):
        GLOWDeblurModel(_options(tmp_path / 'whole', {}, pretrain_network_prereconstruction=weights))


def test_a_part_beside_the_whole_network_is_refused(tmp_path) -> None:
    torch.save({'params': GLOWDeblur().state_dict()}, tmp_path / 'whole.pth')
    with pytest.raises(UserError, match='prereconstruction: pretrain_network_g holds this part too; leave one out'):
        GLOWDeblurModel(_options(tmp_path / 'whole', {}, pretrain_network_prereconstruction='part.pth',
                                 pretrain_network_g=tmp_path / 'whole.pth'))


def test_a_resumed_run_keeps_what_it_has_learnt(tmp_path) -> None:
    part = {'type': 'PreReconstruction', **PARTS['PreReconstruction']}
    _alone(tmp_path / 'alone', part, steps=1)
    weights = tmp_path / 'alone' / 'models' / 'net_g_latest.pth'
    options = _options(tmp_path / 'whole', {'prereconstruction': part}, pretrain_network_prereconstruction=weights)
    model = GLOWDeblurModel(options)
    train(model, _batch())
    model.save(0, 1)
    weights.unlink()
    resumed = GLOWDeblurModel(resume(options, 1)[0])
    mine, then = resumed.bare_net.state_dict(), model.bare_net.state_dict()
    assert all(torch.equal(mine[key], value) for key, value in then.items())


@pytest.mark.parametrize('align', ['dcae', 'conv'])
@pytest.mark.parametrize('name', PARTS)
def test_a_step_with_all_losses_trains_each_part_in_bf16_too(tmp_path, name: str, align: str) -> None:
    options = _options(tmp_path, {'align': align, 'prereconstruction': {'type': name, **PARTS[name]}})
    model = GLOWDeblurModel({**options, 'train': {**options['train'], 'precision': 'bf16'}})
    before = {key: value.clone() for key, value in model.bare_net.state_dict().items()}
    train(model, *[_batch()] * 2)
    moved = {key for key, value in model.bare_net.state_dict().items() if not torch.equal(value, before[key])}
    assert {'prereconstruction', 'alignment', 'backbone'} <= {key.split('.')[0] for key in moved}
    assert {'l_pixel', 'l_frequency', 'l_align', 'l_motion', 'l_flow'} <= set(model.get_current_log())


def test_two_runs_by_their_option_files(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    """The part alone, then the whole network from it with a rate of zero, whose part then has its averaged weights."""
    part = {'type': 'PreReconstruction', **PARTS['PreReconstruction']}
    first = write_options(tmp_path / 'first.yml', restoration_options, network_g=part, name='part', train__total_iter=4)
    runs.train(tmp_path, first)
    settings = {'total_iter': 1, 'optim_g': {'type': 'AdamW', 'lr': 0.0}}
    path = {'pretrain_network_prereconstruction': 'experiments/part/models/net_g_latest.pth',
            'pretrain_network_prereconstruction_made_by': 'python train.py -opt first.yml'}
    options = {**restoration_options, 'path': path, 'network_g': {'type': 'GLOWDeblur', 'prereconstruction': part}}
    whole = write_options(tmp_path / 'whole.yml', options, model_type='GLOWDeblurModel', train=settings, val=None)
    runs.train(tmp_path, whole)
    weights = [torch.load(tmp_path / 'experiments' / name / 'models' / 'net_g_latest.pth', weights_only=True)
               for name in ('part', 'toy')]
    assert all(torch.equal(value, weights[1]['params'][f'prereconstruction.{key}'])
               for key, value in weights[0]['params_ema'].items())
