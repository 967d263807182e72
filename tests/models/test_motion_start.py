"""GLOWDeblur started from a motion estimator trained alone, which then stays as it is."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from glowdeblur_plugin.archs.picture_parts import FULL_PARTS, NANO_PARTS
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from glowdeblur_plugin.models.motion_model import MotionModel
from toy_model import resume, same, toy_options, train
from toy_run import Options, Runs, write_options

NANO = {'type': 'MotionEstimator', 'width': NANO_PARTS.motion_width, 'cell': NANO_PARTS.motion_cell}


def _batch(seed: int = 0, known: bool = True) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    lq, gt, motion = (torch.rand(2, 3, 32, 32, generator=generator) for _ in range(3))
    return {'lq': lq, 'gt': gt, 'motion': 5 * motion, 'motion_known': torch.full((2,), known), 'domain': ['made'] * 2,
            'lq_path': [f'made_{seed}'] * 2}


def _alone(folder: Path, network: dict[str, Any]) -> MotionModel:
    """The estimator, trained and saved as `models/net_g_latest.pth` of `folder`."""
    folder.mkdir()
    settings = toy_options(folder, total_iter=3, ema_decay=0.5)
    model = MotionModel({**settings, 'model_type': 'MotionModel', 'network_g': network, 'val': {}})
    train(model, *[_batch()] * 3)
    model.save(-1, -1)
    return model


def _whole(folder: Path, weights: Path | None, **settings: Any) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    options = toy_options(folder, **{'total_iter': 8, 'warmup_phase_share': 0.25, 'ema_decay': 0.5, **settings})
    return {**options, 'model_type': 'GLOWDeblurModel', 'network_g': {'type': 'GLOWDeblur'}, 'val': {},
            'path': {**options['path'], 'pretrain_network_motion': weights and str(weights)}}


def test_without_a_motion_loss_the_estimator_stays_bit_for_bit(tmp_path: Path) -> None:
    """Over steps of two micro-batches with and without the flow, in the moving average and the checkpoint, and resumed."""
    alone = _alone(tmp_path / 'alone', NANO)
    weights = {f'motion.{name}': value.clone() for name, value in alone.net_g_ema.state_dict().items()}
    options = _whole(tmp_path / 'whole', tmp_path / 'alone/models/net_g_latest.pth', motion_opt=None, accumulate=2)
    model = GLOWDeblurModel(options)
    start = {name: value.clone() for name, value in model.bare_net.state_dict().items()}
    train(model, *(_batch(seed) for seed in range(4)))
    assert 'l_motion' not in model.get_current_log()
    model.save(0, 4)
    (tmp_path / 'alone/models/net_g_latest.pth').unlink()
    changed, state = resume(options, 4)
    resumed = GLOWDeblurModel(changed)
    resumed.resume_training(state)
    train(resumed, *(_batch(seed) for seed in range(4, 8)))
    saved = torch.load(tmp_path / 'whole/models/net_g_4.pth', weights_only=True)
    for found in (model.net_g.state_dict(), model.net_g_ema.state_dict(), resumed.net_g.state_dict(), saved['params'],
                  saved['params_ema']):
        assert same({name: found[name] for name in weights}, weights)
    moved = {name.split('.')[0] for name, value in resumed.bare_net.state_dict().items() if not torch.equal(value, start[name])}
    assert moved >= {'prereconstruction', 'alignment', 'backbone', 'null_text'}
    trained = {id(parameter) for group in model.optimizer_g.param_groups for parameter in group['params']}
    assert not trained & {id(parameter) for parameter in model.bare_net.motion.parameters()}


def test_with_a_motion_loss_it_trains_on_from_there(tmp_path: Path) -> None:
    alone = _alone(tmp_path / 'alone', NANO)
    model = GLOWDeblurModel(_whole(tmp_path / 'whole', tmp_path / 'alone/models/net_g_latest.safetensors'))
    assert same(model.bare_net.motion.state_dict(), alone.net_g_ema.state_dict())
    train(model, _batch())
    assert model.get_current_log()['l_motion'] > 0
    assert not same(model.bare_net.motion.state_dict(), alone.net_g_ema.state_dict())


@pytest.mark.parametrize('change', [{'width': 16}, {'cell': 16}])
def test_weights_of_other_sizes_are_refused_in_one_line(tmp_path: Path, change: dict[str, int]) -> None:
    _alone(tmp_path / 'alone', {**NANO, **change})
    weights = tmp_path / 'alone/models/net_g_latest.pth'
    with pytest.raises(UserError, match=f"'{weights}' is not one of this MotionEstimator, .* another shape") as error:
        GLOWDeblurModel(_whole(tmp_path / 'whole', weights, motion_opt=None))
    assert '\n' not in str(error.value)


def test_the_option_file_has_the_sizes_of_the_variants() -> None:
    text = (Path(__file__).parents[2] / 'options' / 'motion.yml').read_text()
    network = yaml.safe_load(text)['network_g']
    assert (network['width'], network['cell']) == (NANO_PARTS.motion_width, NANO_PARTS.motion_cell)
    brackets = {line.split(':')[0].strip(): line.rpartition('[')[2].rstrip(']') for line in text.splitlines() if '[' in line}
    assert (brackets['width'], brackets['cell']) == (str(FULL_PARTS.motion_width), str(FULL_PARTS.motion_cell))


def test_two_runs_by_their_option_files(runs: Runs, restoration_options: Options, photographs_folder: Path,
                                        tmp_path: Path) -> None:
    """The estimator alone, by both losses, then the whole network with it frozen."""
    data = {'type': 'SimulatedBlurDataset', 'dataroot_gt': str(photographs_folder), 'domain': 'gentle'}
    sets = {'train': {'name': 'made', **data, 'gt_size': 64, 'batch_size_per_gpu': 2, 'num_worker_per_gpu': 0},
            'val': {'name': 'whole', **data}}
    reblur = {'type': 'ReblurLoss', 'responses': {'gentle': 'srgb'}, 'points': 3}
    first = write_options(tmp_path / 'first.yml', restoration_options, model_type='MotionModel', name='alone', datasets=sets,
                          network_g=NANO, train__total_iter=4, train__reblur_opt=reblur,
                          val={'val_freq': 4, 'save_img': False, 'response': 'srgb'})
    text = runs.train(tmp_path, first)
    assert 'l_reblur' in text and '# motion_error_structure' in text
    settings = {'total_iter': 1, 'optim_g': {'type': 'AdamW', 'lr': 0.001}, 'motion_opt': None}
    path = {'pretrain_network_motion': 'experiments/alone/models/net_g_latest.pth'}
    options = {**restoration_options, 'datasets': {'train': sets['train']}, 'path': path, 'network_g': {'type': 'GLOWDeblur'}}
    whole = write_options(tmp_path / 'whole.yml', options, model_type='GLOWDeblurModel', train=settings, val=None)
    assert 'l_motion' not in runs.train(tmp_path, whole)
    weights = [torch.load(tmp_path / 'experiments' / name / 'models' / 'net_g_latest.pth', weights_only=True)
               for name in ('alone', 'toy')]
    assert all(torch.equal(value, weights[1]['params'][f'motion.{key}']) for key, value in weights[0]['params_ema'].items())


def _rank(rank: int, place_of_runs: str) -> None:
    """The estimator on crops whose motion one rank alone knows, with a validation; then the whole network with it frozen."""
    folder = Path(place_of_runs)
    place = {'dist': True, 'rank': rank, 'world_size': 2}
    (folder / 'alone').mkdir(exist_ok=True)
    settings = toy_options(folder / 'alone', total_iter=3)
    alone = MotionModel({**settings, 'model_type': 'MotionModel', 'network_g': NANO, 'val': {}, **place})
    train(alone, *(_batch(2 * step + rank, known=rank == 0) for step in range(2)))
    picture = {key: value[0] for key, value in _batch(9).items()}
    dataset = type('Pictures', (list,), {'opt': {'name': 'val', 'dataroot_gt': '.'}})([picture] * 2)
    alone.validation(type('Loader', (), {'dataset': dataset})(), 2, None)
    model = GLOWDeblurModel({**_whole(folder, None, motion_opt=None, accumulate=2), **place})
    train(model, *(_batch(2 * step + rank) for step in range(4)))
    torch.save({'alone': alone.bare_net.state_dict(), 'whole': model.bare_net.state_dict(), 'log': model.get_current_log(),
                'baselines': alone.baselines.state()}, folder / f'rank{rank}.pt')


def test_two_processes_share_baselines_and_leave_the_frozen_estimator_alone(runs: Runs, tmp_path: Path) -> None:
    runs.call(_rank, tmp_path)
    first, second = (torch.load(tmp_path / f'rank{rank}.pt', weights_only=True) for rank in range(2))
    assert first['baselines'] == second['baselines']
    assert same(first['alone'], second['alone']) and same(first['whole'], second['whole'])
    untouched = GLOWDeblurModel(_whole(tmp_path, None, motion_opt=None)).bare_net.state_dict()
    moved = {name.split('.')[0] for name, value in untouched.items() if not torch.equal(value, first['whole'][name])}
    assert 'motion' not in moved and 'prereconstruction' in moved
    assert 'l_motion' not in first['log'] and first['log']['l_flow'] > 0
