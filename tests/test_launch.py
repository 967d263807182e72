"""The launchers: what they print and leave, and how they end."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_run import Options, Runs, write_options

REPOSITORY = Path(__file__).parent.parent


def validated(text: str) -> list[str]:
    """The values of psnr in a log, in order."""
    return re.findall(r'# psnr: ([\d.]+)', text)


def log_of(root: Path, kind: str = 'experiments') -> str:
    """The newest log of the run named toy."""
    return max((root / kind / 'toy').glob('*.log')).read_text()


def test_run_reaches_total_iter_and_its_test_agrees(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    """Ten samples in batches of 4, 60 iterations: BasicSR alone stops after 42."""
    text = runs.train(tmp_path, write_options(tmp_path / 'o.yml', restoration_options, train__total_iter=60))
    assert 'Full batches in an epoch: 2 (the last, incomplete one is dropped); epochs: 30.' in text
    assert re.findall(r'epoch: *(\d+), iter: *(\d+)', text)[-1] == ('29', '60')
    assert (tmp_path / 'experiments' / 'toy' / 'training_states' / '60.state').exists()
    tested = {**restoration_options, 'datasets': {'test': restoration_options['datasets']['val']},
              'path': {'pretrain_network_g': 'experiments/toy/models/net_g_latest.pth', 'param_key_g': 'params_ema'}}
    for ranks in (1, 2):
        again = runs.train(tmp_path, write_options(tmp_path / 't.yml', tested, val__save_img=True), pipeline='test', ranks=ranks)
        assert validated(again) == validated(text)[-1:]
    assert len(list((tmp_path / 'results' / 'toy' / 'visualization' / 'whole').glob('*.png'))) == 10


def test_new_run_sets_the_old_one_aside(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    option_file = write_options(tmp_path / 'o.yml', restoration_options)
    runs.train(tmp_path, option_file)
    old = {path.name: path.read_bytes() for path in (tmp_path / 'experiments' / 'toy' / 'models').iterdir()}
    runs.train(tmp_path, option_file)
    archived, = (tmp_path / 'experiments').glob('toy_archived_*')
    assert {path.name: path.read_bytes() for path in (archived / 'models').iterdir()} == old


def test_changes_on_the_command_line(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    text = runs.train(tmp_path, write_options(tmp_path / 'o.yml', restoration_options), '--force_yml', 'train:total_iter=4',
                      'train:optim_g:lr=2e-3', 'manual_seed=8', 'val=none', 'name=other')
    assert {'  name: other', '  manual_seed: 8', '      lr: 0.002'} <= set(text.splitlines()) and not validated(text)
    assert (tmp_path / 'experiments' / 'other' / 'training_states' / '4.state').exists()


def test_debug_without_validation(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    runs.train(tmp_path, write_options(tmp_path / 'o.yml', restoration_options, val=None, train__total_iter=8), '--debug')
    assert (tmp_path / 'experiments' / 'debug_toy' / 'training_states' / '8.state').exists()


def test_damaged_picture_met_by_a_worker(runs: Runs, restoration_options: Options, pairs: Path, tmp_path: Path) -> None:
    root = tmp_path / 'damaged'
    for side in ('lq', 'gt'):
        (root / side).mkdir(parents=True)
        for picture in (pairs / side).iterdir():
            (root / side / picture.name).write_bytes(picture.read_bytes())
    damaged = root / 'gt' / '3.png'
    damaged.write_bytes(damaged.read_bytes()[:-200])
    option_file = write_options(tmp_path / 'o.yml', restoration_options, datasets__train__dataroot_lq=str(root / 'lq'),
                                datasets__train__dataroot_gt=str(root / 'gt'), datasets__train__num_worker_per_gpu=2)
    codes, text = runs.start(tmp_path, option_file)
    errors = [line for line in text.splitlines() if line.startswith('error: ')]
    assert codes == [2] and len(errors) == 1 and str(damaged) in errors[0]
    assert 'Traceback' not in text
    assert log_of(tmp_path).splitlines()[-1].endswith(f'ERROR: {errors[0]}')


def test_interrupted_run_says_how_to_go_on(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    codes, text = runs.start(tmp_path, write_options(tmp_path / 'o.yml', restoration_options), kill_at=5, kill_with=signal.SIGINT)
    assert codes == [130]
    assert text.splitlines()[-1] == 'interrupted; the same command with --auto_resume goes on from the last checkpoint'
    assert 'Traceback' not in text


def test_sets_are_prepared_under_the_root(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    sharp = {'type': 'SimulatedBlurDataset', 'domain': 'gopro', 'dataroot_gt': 'sets/val.lmdb'}
    restoration_options['datasets'] = {
        'train': {'name': 'train', **sharp, 'gt_size': 16, 'batch_size_per_gpu': 2, 'num_worker_per_gpu': 0}}
    restoration_options['val'] = None
    prepare = {'set': 'photographs', 'out': 'sets'}
    runs.train(tmp_path, write_options(tmp_path / 'o.yml', restoration_options, prepare=prepare, train__total_iter=2))
    assert (tmp_path / 'sets' / 'val.lmdb').is_dir()
    assert (tmp_path / 'experiments' / 'toy' / 'models' / 'net_g_2.pth').exists()


def test_models_of_basicsr_train_on_our_data(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    """SRModel takes batches as they are: by default ours are what it expects, and validation scores whole pictures."""
    options = {**restoration_options, 'model_type': 'SRModel', 'scale': 1}
    options['train'] = {'total_iter': 4, 'optim_g': {'type': 'Adam', 'lr': 1e-3}, 'pixel_opt': {'type': 'L1Loss'},
                        'scheduler': {'type': 'MultiStepLR', 'milestones': [6]}}
    options['val']['val_freq'] = 2
    text = runs.train(tmp_path, write_options(tmp_path / 'o.yml', options))
    (first, _), (last, _) = [(float(line.split()[2]), line) for line in text.splitlines() if '# psnr:' in line][:2]
    assert 15 < first < 45 and last > first - 1


def test_models_of_basicsr_resume_on_the_cpu(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    """BasicSR's own model and dataset, whose training states say nothing about the run: the record beside them does."""
    options = {**restoration_options, 'model_type': 'SRModel', 'scale': 1}
    for section in options['datasets'].values():
        section |= {'type': 'PairedImageDataset', 'io_backend': {'type': 'disk'}}
    options['datasets']['train'] |= {'use_hflip': True, 'use_rot': True}
    options['train'] = {'total_iter': 12, 'ema_decay': 0.9, 'optim_g': {'type': 'Adam', 'lr': 1e-3},
                        'pixel_opt': {'type': 'L1Loss'}, 'scheduler': {'type': 'MultiStepLR', 'milestones': [6]}}
    codes, _ = runs.start(tmp_path, write_options(tmp_path / 'o.yml', options), kill_at=7)
    assert codes == [-signal.SIGKILL]
    codes, text = runs.start(tmp_path, write_options(tmp_path / 'changed.yml', options, manual_seed=4), '--auto_resume')
    assert codes == [2] and 'error: resume: manual_seed was 3 when the run started and is 4 now' in text
    text = runs.train(tmp_path, tmp_path / 'o.yml', '--auto_resume')
    assert 'Resuming training from epoch: 1, iter: 4.' in text
    assert (tmp_path / 'experiments' / 'toy' / 'training_states' / '12.state').exists()


def test_launcher_without_the_plugin() -> None:
    """-S leaves out the folder of installed packages, -E those of PYTHONPATH."""
    for name in ('train', 'test'):
        command = [sys.executable, '-ES', REPOSITORY / 'basicsr' / f'{name}.py', '-opt', 'o.yml']
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == 1
        assert ended.stderr == f'error: glowdeblur_plugin is not installed; run: pip install -e {REPOSITORY}\n'


@pytest.fixture(scope='module', autouse=True)
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen]]:
    """The launcher of the clone, started for real in another working folder with a bad option file; others run meanwhile."""
    folder = tmp_path_factory.mktemp('elsewhere')
    (folder / 'o.yml').write_text('name: toy\nmodel_type: NAFNetModel\nnum_gpu: 0\ndatasets: {}\npath: {}\n')
    command = [sys.executable, REPOSITORY / 'basicsr' / 'train.py', '-opt', 'o.yml']
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        yield folder, started


def test_launcher_of_the_clone_ends_with_one_line(clone: tuple[Path, subprocess.Popen]) -> None:
    folder, started = clone
    printed, said = started.communicate()
    assert (started.returncode, printed) == (2, '')
    assert re.fullmatch(r"error: model_type: no model has the name 'NAFNetModel'; .*\n", said)
    assert list(folder.iterdir()) == [folder / 'o.yml']


def test_torchrun_resumes_and_validates(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    """Two processes killed at iteration 6 go on under a real torchrun, in the working folder, and validate as if never killed."""
    option_file = write_options(tmp_path / 'o.yml', restoration_options)
    whole = runs.train(tmp_path, option_file, ranks=2)
    runs.start(tmp_path, option_file, ranks=2, kill_at=6)
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node', '2', '-m', 'glowdeblur_plugin.train',
               '-opt', 'o.yml', '--launcher', 'pytorch', '--auto_resume']
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert 'Resuming training from epoch: 3, iter: 4.' in ended.stderr
    assert validated(ended.stderr) == validated(whole) and len(validated(whole)) == 2
