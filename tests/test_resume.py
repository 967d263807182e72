"""A run killed by SIGKILL and resumed ends with the weights of an uninterrupted one, bit for bit."""

import json
from pathlib import Path

import pytest
import torch
from toy_run import KILLED, SMALL_PICTURE_PART, Options, Runs, write_options

TOTAL = 18
PER_EPOCH = 4


@pytest.fixture(scope='module')
def glowdeblur_options(photographs_folder: Path) -> Options:
    """GLOWDeblur nano with all on that draws random numbers or keeps a state: 4 batches in an epoch, checkpoints at 6, 12, 18."""
    sharp = {'type': 'SimulatedBlurDataset', 'dataroot_gt': str(photographs_folder), 'domain': 'gopro', 'blur_length': [2, 8]}
    return {
        'name': 'exact', 'model_type': 'GLOWDeblurModel', 'num_gpu': 0, 'manual_seed': 5,
        'datasets': {
            'train': {'name': 'simulated', **sharp, 'gt_size': 32, 'batch_size_per_gpu': 2, 'num_worker_per_gpu': 0},
            'val': {'name': 'whole', **sharp},
        },
        'network_g': {'type': 'GLOWDeblur', 'variant': 'nano', 'target': 'around', 'prereconstruction': SMALL_PICTURE_PART},
        'path': {},
        'train': {
            'total_iter': TOTAL, 'accumulate': 2, 'ema_decay': 0.9, 'grad_clip': 1.0, 'keep_checkpoints': None,
            'optim_g': {'type': 'AdamW', 'lr': 1e-3}, 'scheduler': {'type': 'CosineWithWarmup', 'warmup_share': 0.3},
            'warmup_phase_share': 0.2, 'motion_drop': 0.5,
        },
        'val': {'val_freq': TOTAL, 'save_img': False, 'steps': 1},
        'logger': {'print_freq': 1, 'save_checkpoint_freq': 6, 'use_tb_logger': False},
    }


@pytest.fixture(scope='module')
def whole_run(runs: Runs, glowdeblur_options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the uninterrupted run, with no workers."""
    root = tmp_path_factory.mktemp('whole')
    runs.train(root, write_options(root / 'o.yml', glowdeblur_options))
    return root


def weights(root: Path, iteration: int = TOTAL, name: str = 'exact') -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint: weights, their average and the optimizer's moments."""
    folder = root / 'experiments' / name
    found = torch.load(folder / 'models' / f'net_g_{iteration}.pth', weights_only=True)
    moments = torch.load(folder / 'training_states' / f'{iteration}.state', weights_only=True)['optimizers'][0]['state']
    tensors = {f'{part}.{key}': value for part, entries in found.items() for key, value in entries.items()}
    return tensors | {f'{index}.{key}': value for index, entries in moments.items() for key, value in entries.items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether all tensors are equal, bit for bit."""
    assert first.keys() == second.keys() and first
    return all(torch.equal(value, second[key]) for key, value in first.items())


@pytest.mark.parametrize(('kill_at', 'workers', 'resumed_from'), [
    (9, 0, 6), (9, 2, 6), (13, 0, 12), (13, 2, 12), (12, 2, 6), (3, 0, 0), (3, 2, 0),
], ids=['inside an epoch', 'inside, 2 workers', "after an epoch's end", "after an epoch's end, 2 workers",
        "at an epoch's end, 2 workers", 'before the first checkpoint', 'before the first checkpoint, 2 workers'])
def test_resume_is_exact(runs: Runs, glowdeblur_options: Options, whole_run: Path, tmp_path: Path, kill_at: int, workers: int,
                         resumed_from: int) -> None:
    option_file = write_options(tmp_path / 'o.yml', glowdeblur_options, datasets__train__num_worker_per_gpu=workers)
    codes, _ = runs.start(tmp_path, option_file, '--auto_resume', kill_at=kill_at)
    assert codes == [KILLED]
    text = runs.train(tmp_path, option_file, '--auto_resume')
    assert f'Start training from epoch: {(resumed_from - 1) // PER_EPOCH if resumed_from else 0}, iter: {resumed_from}' in text
    assert same(weights(tmp_path), weights(whole_run))


def test_sampler_that_does_not_skip_gives_other_weights(runs: Runs, glowdeblur_options: Options, whole_run: Path,
                                                        tmp_path: Path) -> None:
    option_file = write_options(tmp_path / 'o.yml', glowdeblur_options)
    runs.start(tmp_path, option_file, kill_at=9)
    runs.train(tmp_path, option_file, '--auto_resume', break_sampler=True)
    assert not same(weights(tmp_path), weights(whole_run))


def test_resuming_a_finished_run_changes_no_weight(runs: Runs, glowdeblur_options: Options, whole_run: Path) -> None:
    models = whole_run / 'experiments' / 'exact' / 'models'
    before, latest = weights(whole_run), torch.load(models / 'net_g_latest.pth', weights_only=True)
    runs.train(whole_run, whole_run / 'o.yml', '--auto_resume')
    after = torch.load(models / 'net_g_latest.pth', weights_only=True)
    assert same(before, weights(whole_run))
    assert all(same(latest[part], after[part]) for part in ('params', 'params_ema'))


@pytest.mark.parametrize('kill_at', [3, 7], ids=['before the first checkpoint', 'after it'])
def test_drawn_seed_is_kept(runs: Runs, restoration_options: Options, tmp_path: Path, kill_at: int) -> None:
    del restoration_options['manual_seed']
    drawn, given = tmp_path / 'drawn', tmp_path / 'given'
    for root in (drawn, given):
        root.mkdir()
    runs.start(drawn, write_options(drawn / 'o.yml', restoration_options), kill_at=kill_at)
    seed = json.loads((drawn / 'experiments' / 'toy' / 'run.json').read_text())['seed']
    runs.train(drawn, drawn / 'o.yml', '--auto_resume')
    runs.train(given, write_options(given / 'o.yml', restoration_options, manual_seed=seed))
    assert same(weights(drawn, 12, 'toy'), weights(given, 12, 'toy'))


@pytest.mark.parametrize('change', [
    {'datasets__train__dataset_enlarge_ratio': 1.5},
    {'datasets__train__dataset_enlarge_ratio': 1.5, 'datasets__train__num_worker_per_gpu': 2,
     'datasets__train__persistent_workers': True},
    {'train__progressive': {'iterations': [5, 3, 4], 'gt_sizes': [8, 12, 16], 'batch_sizes': [4, 2, 1]}},
], ids=['fractional enlarge ratio', 'and persistent workers', 'progressive crops'])
def test_resume_is_exact_with(runs: Runs, restoration_options: Options, tmp_path: Path, change: Options) -> None:
    """Killed at iteration 7 of 12; the checkpoint, of iteration 4, lies within an epoch of three, with progressive crops at the
    end of one of two and within a stage."""
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    for root in (whole, killed):
        root.mkdir()
        write_options(root / 'o.yml', restoration_options, **change)
    runs.train(whole, whole / 'o.yml')
    codes, _ = runs.start(killed, killed / 'o.yml', kill_at=7)
    assert codes == [KILLED]
    assert 'Resuming training from epoch: 1, iter: 4.' in runs.train(killed, killed / 'o.yml', '--auto_resume')
    assert same(weights(killed, 12, 'toy'), weights(whole, 12, 'toy'))


@pytest.mark.parametrize('workers', [0, 2])
def test_a_scheduled_mixture_resumes_exactly(runs: Runs, mixture_options: Options, tmp_path: Path, workers: int) -> None:
    """Killed at iteration 9 of 12; the checkpoint, of iteration 6, lies within the second epoch of four iterations."""
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    for root in (whole, killed):
        root.mkdir()
    runs.train(whole, write_options(whole / 'o.yml', mixture_options))
    option_file = write_options(killed / 'o.yml', mixture_options, logger__save_checkpoint_freq=6,
                                datasets__train__num_worker_per_gpu=workers)
    codes, _ = runs.start(killed, option_file, kill_at=9)
    assert codes == [KILLED]
    assert 'Resuming training from epoch: 1, iter: 6.' in runs.train(killed, option_file, '--auto_resume')
    assert same(weights(killed, 12, 'toy'), weights(whole, 12, 'toy'))


@pytest.mark.parametrize(('change', 'named'), [
    ({'train__total_iter': 16},
     'train:total_iter, of which datasets:train:schedule gives shares, was 12 when the run started and is 16 now'),
    ({'datasets__train__schedule': [{'at': 0, 'weights': {'real': 1, 'made': 1}}]},
     'the training data set or an option of datasets:train that changes its samples was'),
], ids=['total_iter', 'schedule'])
def test_a_mixture_on_another_schedule_is_refused(runs: Runs, mixture_options: Options, tmp_path: Path, change: Options,
                                                  named: str) -> None:
    runs.start(tmp_path, write_options(tmp_path / 'o.yml', mixture_options), kill_at=6)
    codes, text = runs.start(tmp_path, write_options(tmp_path / 'o.yml', mixture_options, **change), '--auto_resume')
    assert codes == [2] and any(line.startswith('error: resume: ') and named in line for line in text.splitlines()), text


@pytest.mark.parametrize(('base', 'sharding'), [('glowdeblur_options', 'none'), ('restoration_options', 'fsdp')],
                         ids=['none', 'fsdp'])
def test_two_processes_resume_exactly(request: pytest.FixtureRequest, runs: Runs, tmp_path: Path, base: str,
                                      sharding: str) -> None:
    """Nine or ten pictures to validate: one process restores five, the other the rest. Shards of GLOWDeblur are resumed in
    models/test_sharded_glowdeblur.py."""
    options = request.getfixturevalue(base)
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    for root in (whole, killed):
        root.mkdir()
        write_options(root / 'o.yml', options, train__total_iter=8, train__sharding=sharding, val__val_freq=8,
                      logger__save_checkpoint_freq=4)
    text = runs.train(whole, whole / 'o.yml', ranks=2)
    assert text.count('Validation whole\n') == 1
    codes, _ = runs.start(killed, killed / 'o.yml', ranks=2, kill_at=6)
    assert codes[0] == KILLED
    assert ', iter: 4.' in runs.train(killed, killed / 'o.yml', '--auto_resume', ranks=2)
    assert same(weights(killed, 8, options['name']), weights(whole, 8, options['name']))


@pytest.mark.parametrize(('change', 'named'), [
    ({'datasets__train__batch_size_per_gpu': 2}, '(times num_gpu without a launcher) was 4 when the run started and is 2 now'),
    ({'train__accumulate': 1}, 'train:accumulate was 2 when the run started and is 1 now'),
    ({'datasets__train__gt_size': 24}, 'the training data set or an option of datasets:train that changes its samples was'),
    ({'datasets__train__dataset_enlarge_ratio': 1.1}, 'dataset_enlarge_ratio) was 10 when the run started and is 11 now'),
    ({'manual_seed': 4}, 'manual_seed was 3 when the run started and is 4 now'),
    ({}, 'the number of processes was 1 when the run started and is 2 now'),
], ids=['batch size', 'accumulate', 'data', 'enlarge ratio', 'seed', 'processes'])
def test_another_run_is_refused(runs: Runs, restoration_options: Options, tmp_path: Path, change: Options, named: str) -> None:
    runs.start(tmp_path, write_options(tmp_path / 'o.yml', restoration_options), kill_at=6)
    needs_data = any(key.startswith('datasets__') and 'batch' not in key for key in change)
    damageable = ('.pth', '.state', '.json') if needs_data else ('.pth', '.state', '.json', '.yml', '.log')
    files = [path for path in (tmp_path / 'experiments').rglob('*') if path.suffix in damageable]
    kept = {path: path.read_bytes() for path in files}
    assert len(kept) > 2
    codes, text = runs.start(tmp_path, write_options(tmp_path / 'o.yml', restoration_options, **change), '--auto_resume',
                             ranks=1 if change else 2)
    assert set(codes) == {2}
    assert any(line.startswith('error: resume: ') and named in line for line in text.splitlines()), text
    assert 'Traceback' not in text
    assert all(path.read_bytes() == content for path, content in kept.items())


def test_torn_files_are_passed_over(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    option_file = write_options(tmp_path / 'o.yml', restoration_options)
    runs.train(tmp_path, option_file)
    whole = weights(tmp_path, 12, 'toy')
    states, models = (tmp_path / 'experiments' / 'toy' / name for name in ('training_states', 'models'))
    state, net = states / '12.state', models / 'net_g_8.pth'
    state.write_bytes(state.read_bytes()[:-100])
    net.write_bytes(net.read_bytes()[:-100])
    (states / 'copy.state').write_bytes(b'')
    (states / '20.state').write_bytes(b'')
    text = runs.train(tmp_path, option_file, '--auto_resume')
    assert 'Resuming training from epoch: 1, iter: 4.' in text
    for passed in (states / '20.state', state, states / '8.state'):
        assert f"WARNING: '{passed}' is passed over" in text
    assert same(weights(tmp_path, 12, 'toy'), whole)


def test_given_state_is_gone_on_from(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    runs.train(tmp_path, write_options(tmp_path / 'o.yml', restoration_options))
    whole = weights(tmp_path, 12, 'toy')
    given = write_options(tmp_path / 'o.yml', restoration_options, path__resume_state='experiments/toy/training_states/8.state')
    text = runs.train(tmp_path, given)
    assert 'Resuming training from epoch: 3, iter: 8.' in text
    assert "8.state' is not the newest of the experiment, which is '" in text
    assert same(weights(tmp_path, 12, 'toy'), whole)
    (tmp_path / 'experiments' / 'toy' / 'models' / 'net_g_8.pth').unlink()
    codes, text = runs.start(tmp_path, given)
    assert codes == [2] and 'net_g_8.pth\', which are not there or torn' in text


def test_given_torn_state_is_an_error(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    runs.train(tmp_path, write_options(tmp_path / 'o.yml', restoration_options))
    state = tmp_path / 'experiments' / 'toy' / 'training_states' / '8.state'
    state.write_bytes(state.read_bytes()[:-100])
    before = sorted((tmp_path / 'experiments').rglob('*'))
    changed = write_options(tmp_path / 'o.yml', restoration_options, path__resume_state='experiments/toy/training_states/8.state')
    codes, text = runs.start(tmp_path, changed)
    assert codes == [2] and f"error: path:resume_state: checkpoint '{state}'" in text
    assert sorted((tmp_path / 'experiments').rglob('*')) == before
