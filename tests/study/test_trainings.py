"""The rows as trainings: what each of them is, that they run, go on where they were stopped and are measured."""

import fcntl
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from basicsr.archs import build_network
from basicsr.metrics import calculate_psnr
from basicsr.utils import tensor2img
from torch.nn import functional
from toy_run import Runs as Server

from glowdeblur_plugin.checks import check_options
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.checkpoints import load_weights, read_weights
from glowdeblur_plugin.option_file import read_option_file
from glowdeblur_plugin.study.evaluation import Evaluation
from glowdeblur_plugin.study.options import StudyOptions, read_study
from glowdeblur_plugin.study.regions import check_disjoint
from glowdeblur_plugin.study.results import read_results
from glowdeblur_plugin.study.runs import Runs
from glowdeblur_plugin.study.trainings import Training, all_trainings, iterations, training_of, training_options

FILES = sorted((Path(__file__).parent.parent.parent / 'options' / 'study').glob('*.yml'))
CPU = torch.device('cpu')
# Stands in for a training: notes that it ran and what was there before it, writes its log's line and its weights.
TRAINER = '''
import sys, yaml
from pathlib import Path
opt = yaml.safe_load(Path(sys.argv[2]).read_text())
start = opt['path']['pretrain_network_g']
with open('ran.txt', 'a') as file:
    file.write(f"{opt['name']} {start is None or Path(start).exists()}\\n")
if opt['name'].startswith(Path('breaks.txt').read_text()):
    sys.exit('error: broken')
print(f"[epoch:  0, iter:{opt['train']['total_iter']:8,d}, lr:(1e-3,)]")
models = Path('experiments') / opt['name'] / 'models'
models.mkdir(parents=True)
(models / 'net_g_latest.pth').touch()
'''


def options_of(study: StudyOptions) -> dict[Training, dict[str, Any]]:
    return {training: training_options(study, training) for training in all_trainings(study)}


def test_rows_have_equal_iterations_and_share_their_beginnings(section: dict[str, Any]) -> None:
    study = read_study(section)
    found = options_of(study)
    assert len(found) == 6 * len(study.seeds)  # three rows of one phase, a shared first phase, two second ones
    for training, options in found.items():
        check_options(options, is_train=True)
        assert training.starts_from is None or list(found).index(training.starts_from) < list(found).index(training)
    for row in study.rows:
        last = training_of(study, row, 1)
        chain = [last] if last.starts_from is None else [last.starts_from, last]
        assert sum(found[training]['train']['total_iter'] for training in chain) == 3 and last.seed == 1
    assert training_of(study, 'bpp', 0).starts_from == training_of(study, 'bpp_short', 0).starts_from
    second = found[training_of(study, 'bpp', 0)]
    assert second['path']['pretrain_network_g'] == 'experiments/toy_diverse-50_seed0/models/net_g_latest.pth'
    parts = found[training_of(study, 'bpp', 0).starts_from]['datasets']['train']['parts']
    assert {name: part['weight'] for name, part in parts.items()} == {'diverse-0': 0.25, 'diverse-1': 0.75}
    assert [part['weight'] for part in second['datasets']['train']['parts'].values()] == [1, 1]


@pytest.mark.parametrize('file', FILES, ids=[file.stem for file in FILES])
def test_every_row_of_the_given_files_can_be_trained(file: Path) -> None:
    study = read_study(read_option_file(str(file)))
    check_disjoint(study)
    found = options_of(study)
    for options in found.values():
        check_options(options, is_train=True)
    for row in study.rows:
        last, total = training_of(study, row, study.seeds[0]), 0
        while last is not None:
            total, last = total + found[last]['train']['total_iter'], last.starts_from
        assert total == study.train['total_iter']


@pytest.mark.parametrize('change, words', [
    ({'rows': {'short_only': [{'data': ['short'], 'share': 0.5}]}}, 'rows:short_only: the shares of its phases add up to 0.5'),
    ({'rows': {'short_only': [{'data': ['shot']}]}}, "rows:short_only:data: unknown key 'shot'; did you mean 'short'"),
    ({'rows': {'short_only': [{'data': ['short']}]}}, 'rows: none trains on long alone'),
    ({'bpp': ['bpp', 'mix']}, "bpp: unknown key 'mix'; did you mean 'mixture'"),
    ({'seeds': [1, 1]}, 'seeds: '), ({'name': 'a/b'}, 'name: '), ({'sharp_test': 'sharp'}, 'sharp_test: sharp is also'),
    ({'real_pairs': {'long': {'dataroot_lq': 'a', 'dataroot_gt': 'b'}}}, 'domains: long is also in real_pairs')])
def test_bad_studies(section: dict[str, Any], change: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        read_study({**section, **change})
    assert str(error.value).startswith(words)


def test_too_few_iterations_for_a_phase(section: dict[str, Any]) -> None:
    section['train']['total_iter'] = 1
    study = read_study(section)
    with pytest.raises(UserError, match='train:total_iter: 1 leaves no iteration for '):
        [iterations(study, training) for training in all_trainings(study)]


def test_trainings_run_once_in_order_and_what_breaks_is_told(section: dict[str, Any], tmp_path: Path) -> None:
    study, looked, told = read_study({**section, 'jobs': 2}), [], []
    options = options_of(study)
    (tmp_path / 'breaks.txt').write_text('toy_diverse-50_then_short-50_seed1')

    def runs_of(given: dict[Training, dict[str, Any]]) -> Runs:
        return Runs(Path('results'), given, 1, [sys.executable, '-c', TRAINER])

    def go(given: dict[Training, dict[str, Any]]) -> None:
        runs = runs_of(given)
        runs.write_options()
        runs.run(list(given), study.jobs, looked.append, lambda task, done, total: told.append((done, total)))

    with pytest.raises(UserError, match='then_short-50_seed1 ended with status 1: error: broken'):
        go(options)
    (tmp_path / 'breaks.txt').write_text('nothing')
    missing = {training for training in options if not training.weights.exists()}
    go(options)
    lines = (tmp_path / 'ran.txt').read_text().splitlines()
    assert all(line.endswith('True') for line in lines)
    assert sorted(line.split()[0] for line in lines).count('toy_diverse-50_then_short-50_seed1') == 2
    assert len(lines) == len(options) + 1 and set(looked) == set(options)
    left = sum(options[training]['train']['total_iter'] for training in missing)
    assert told[-1] == (left, left)
    first = training_of(study, 'bpp', 1).starts_from
    options[first]['train']['ema_decay'] = 0.1
    shutil.rmtree(Path('experiments') / first.experiment)
    before = runs_of(options).file(first).read_text()
    with pytest.raises(UserError, match='by other options .*: experiments/toy_diverse-50_then_short-long-50_seed1, experiments/'
                                        'toy_diverse-50_then_short-50_seed1; give'):
        go(options)
    assert runs_of(options).file(first).read_text() == before
    options[first]['train']['ema_decay'] = 0.5
    options[training_of(study, 'mixture', 0)]['train']['total_iter'] = 7
    with pytest.raises(UserError, match='by other options than those of the study now: experiments/toy_short-long_seed0; give'):
        go(options)


def test_progress_goes_by_the_checkpoint_and_what_is_logged_since(section: dict[str, Any], tmp_path: Path) -> None:
    """An old log of a training that was removed says nothing, nor what was logged after the checkpoint that is gone on from."""
    section['train']['total_iter'] = 100
    options = options_of(read_study({**section, 'seeds': [0]}))
    short, long = list(options)[:2]
    told: list[tuple[int, int]] = []
    code = """
import sys, time, yaml
from pathlib import Path
name = yaml.safe_load(Path(sys.argv[2]).read_text())['name']
print('iter: 60', flush=True)
for _ in range(400):
    if not Path('seen').exists():
        time.sleep(0.05)
models = Path('experiments') / name / 'models'
models.mkdir(parents=True, exist_ok=True)
(models / 'net_g_latest.pth').touch()
"""
    runs = Runs(Path('results'), options, 1, [sys.executable, '-c', code])
    runs.write_options()
    for training in (short, long):
        runs.log(training).parent.mkdir(exist_ok=True)
        runs.log(training).write_text('iter: 90')
    states = Path('experiments') / long.experiment / 'training_states'
    states.mkdir(parents=True)
    (states / '50.state').touch()

    def progress(task: str, done: int, total: int) -> None:
        told.append((done, total))
        if told[-1] == (70, 150):
            (tmp_path / 'seen').touch()

    runs.run([short, long], 2, lambda training: None, progress)
    assert told[0][0] in (0, 10, 60, 70) and (70, 150) in told and told[-1] == (150, 150)


def test_a_training_that_another_process_runs_is_left_alone(section: dict[str, Any]) -> None:
    options = options_of(read_study({**section, 'seeds': [0]}))
    runs = Runs(Path('results'), options, 1)
    runs.write_options()
    first = next(iter(options))
    runs.log(first).parent.mkdir()
    with runs.log(first).open('ab') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UserError, match='another process trains short_seed0'):
            runs.run([first], 1, lambda training: None)


def test_a_row_is_trained_and_measured(section: dict[str, Any], runs: Server, tmp_path: Path) -> None:
    """Both phases by BasicSR's loop from the written files; the figures are those of the network of the second."""
    section.update(seeds=[0], rows={'short_only': [{'data': ['short']}], 'long_only': [{'data': ['long']}],
                                    'bpp': [{'data': ['diverse'], 'share': 0.4}, {'data': ['short'], 'share': 0.6}]},
                   bpp=['bpp', 'short_only'])
    study = read_study(section)
    files = Runs(Path('results'), options_of(study), 1)
    files.write_options()
    last = training_of(study, 'bpp', 0)
    for training in (last.starts_from, last):
        runs.train(tmp_path, files.file(training).resolve(), '--auto_resume')
    evaluation = Evaluation(study, Path('results'), CPU)
    evaluation.measure_blurry()
    with pytest.raises(UserError, match='no seed has all rows yet'):
        read_results(study, evaluation)
    for row in study.rows:
        evaluation.measure(training_of(study, row, 0).name, last.weights)
    assert not evaluation.missing(last.name)
    figures = read_results(study, evaluation)
    network = build_network(dict(study.network_g))
    load_weights(network, read_weights(last.weights, 'params_ema'), last.weights)
    sample, place = evaluation.sets['long'][5], figures.pictures['long'].index('5')
    height, width = sample['gt'].shape[-2:]
    padded = functional.pad(sample['lq'][None], (0, -width % 4, 0, -height % 4), 'reflect')
    with torch.inference_mode():
        restored = network(padded)[0, :, :height, :width]
    for picture, psnr in ((restored, figures.psnr('bpp', 'long')[place, 0]), (sample['lq'], figures.blurry['long'][place, 0])):
        assert psnr == pytest.approx(calculate_psnr(tensor2img(picture), tensor2img(sample['gt']), 0), abs=1e-5)
    assert not np.allclose(figures.psnr('bpp', 'long')[:, 0], figures.blurry['long'][:, 0], atol=1e-4)
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluation.measure('other', last.weights, stop)
    assert evaluation.missing('other') == ['short', 'long']
    section['test_draws'] = 2
    with pytest.raises(UserError, match='test set short is another one now'):
        Evaluation(read_study(section), Path('results'), CPU)
