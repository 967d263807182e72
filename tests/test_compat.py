"""The mends of BasicSR: modules it misses, its sampler and loaders, option files, resume, memory."""

import importlib.util
import json
import logging
import math
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import basicsr.train
import pytest
import torch
import torchvision
import yaml
from basicsr.data.data_sampler import EnlargedSampler
from toy_run import Options

from glowdeblur_plugin import checks, option_file
from glowdeblur_plugin.compat import distributed, loaders, resume
from glowdeblur_plugin.compat.aliases import ALIASES, AliasFinder, BasicSRFinder
from glowdeblur_plugin.compat.options import resolve_paths, set_gpus
from glowdeblur_plugin.compat.sampler import DrawSampler
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import convert

LOGGER = logging.getLogger('basicsr')


class Numbers:
    """A dataset of `length` numbers."""

    def __init__(self, length: int, accepts_draws: bool, takes_places: bool = False) -> None:
        self.length, self.accepts_draws, self.takes_places = length, accepts_draws, takes_places

    def __len__(self) -> int:
        return self.length


def test_importing_the_plugin_is_cheap_and_makes_basicsr_importable() -> None:
    program = ('import sys, glowdeblur_plugin; assert not {"torch", "numpy", "scipy", "basicsr"} & set(sys.modules); '
               'import basicsr.data.degradations')
    subprocess.run([sys.executable, '-c', program], check=True)


def test_aliases_hold_what_basicsr_takes_from_them() -> None:
    modules = {}
    for name in ALIASES:
        spec = AliasFinder().find_spec(name, None)
        modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    grayscale = modules['torchvision.transforms.functional_tensor'].rgb_to_grayscale
    assert grayscale is torchvision.transforms.functional.rgb_to_grayscale
    version = modules['distutils.version'].LooseVersion
    assert version('0.10.0') > version('0.9.0') and version(torchvision.__version__) > version('0.9.0')
    image = modules['scipy.ndimage.filters'].convolve([[0., 1., 0.]], [[1., 2., 3.]])
    assert image.tolist() == [[1., 2., 3.]]
    assert AliasFinder().find_spec('distutils.core', None) is None


def test_launchers_folder_is_not_taken_for_basicsr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is found by a finder that stands last, as with an editable install, behind a folder without __init__.py."""
    (tmp_path / 'basicsr').mkdir()

    class Editable:
        def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
            return importlib.util.spec_from_file_location(fullname, basicsr.__file__) if fullname == 'basicsr' else None

    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    guard, paths = BasicSRFinder(), importlib.machinery.PathFinder
    monkeypatch.setattr(sys, 'meta_path', [guard, paths, Editable()])
    assert paths.find_spec('basicsr').origin is None
    assert guard.find_spec('basicsr', None).origin == basicsr.__file__
    sys.meta_path.pop()
    with pytest.raises(ModuleNotFoundError, match='BasicSR is not installed'):
        guard.find_spec('basicsr', None)


@pytest.mark.parametrize(('length', 'ranks', 'ratio'), [(10, 1, 1), (10, 3, 2), (7, 2, 5), (1, 4, 1)])
def test_sampler_keeps_basicsr_order_and_numbers_every_draw_once(length: int, ranks: int, ratio: int) -> None:
    seen = []
    for epoch in range(3):
        for rank in range(ranks):
            drawing, plain = (DrawSampler(Numbers(length, draws), ranks, rank, ratio) for draws in (True, False))
            stock = EnlargedSampler(Numbers(length, False), ranks, rank, ratio)
            for sampler in (drawing, plain, stock):
                sampler.set_epoch(epoch)
            assert list(plain) == list(stock)
            assert [(draw - epoch * drawing.total_size) % length for draw in drawing] == list(stock)
            seen += list(drawing)
    assert sorted(seen) == list(range(len(seen)))


def test_sampler_leaves_out_what_was_seen_in_the_resumed_epoch_alone() -> None:
    whole, resumed = (DrawSampler(Numbers(10, True), 2, 1, 3) for _ in range(2))
    resumed.resume(2, 4)
    for epoch in (0, 2, 3):
        whole.set_epoch(epoch)
        resumed.set_epoch(epoch)
        assert list(resumed) == list(whole)[4 if epoch == 2 else 0:]
    resumed.resume(3, 15)
    assert list(resumed) == []


@pytest.mark.parametrize(('ranks', 'per_epoch'), [(1, 2), (2, 2), (4, 3)])
def test_places_go_on_over_epochs_and_belong_to_iterations(ranks: int, per_epoch: int) -> None:
    """Batches of 8 over all ranks out of 21 samples, which four ranks fill up to 24; resumed after an iteration of epoch 1."""
    batch = 8 // ranks
    places: list[list[int]] = [[] for _ in range(3 * per_epoch)]
    for rank in range(ranks):
        sampler, resumed = (DrawSampler(Numbers(7, True, takes_places=True), ranks, rank, 3) for _ in range(2))
        assert len(sampler) // batch == per_epoch
        resumed.resume(1, batch)
        for epoch in range(3):
            for each in (sampler, resumed):
                each.keep(per_epoch * batch)
                each.set_epoch(epoch)
            own = list(sampler)
            assert list(resumed) == own[batch if epoch == 1 else 0:] and len(own) == per_epoch * batch
            for index in range(per_epoch):
                places[per_epoch * epoch + index] += own[index * batch:(index + 1) * batch]
    assert [sorted(each) for each in places] == [list(range(8 * index, 8 * index + 8)) for index in range(3 * per_epoch)]


def started(folder: Path) -> Options:
    """What BasicSR and our reading of options add to the options of a run."""
    return {'world_size': 1, 'rank': 0, 'dist': False, 'manual_seed_drawn': False, 'path': {'experiments_root': str(folder)}}


@pytest.mark.parametrize(('batch', 'ratio', 'total'), [(4, 1, 60), (10, 1, 3), (3, 1.5, 17), (1, 1, 20), (7, 3, 1)])
def test_epochs_hold_exactly_the_wanted_iterations(restoration_options: Options, tmp_path: Path, batch: int, ratio: float,
                                                   total: int) -> None:
    opt = restoration_options
    opt['datasets']['train'].update(batch_size_per_gpu=batch, dataset_enlarge_ratio=ratio, phase='train')
    opt['datasets']['val']['phase'] = 'val'
    opt['train']['total_iter'] = total
    opt |= started(tmp_path)
    loader, sampler, _, last_epoch, _ = loaders.create_train_val_dataloader(opt, LOGGER)
    batches = [0]
    for epoch in range(last_epoch + 1):
        sampler.set_epoch(epoch)
        batches.append(batches[-1] + sum(1 for _ in loader))
    assert batches[-2] < total <= batches[-1]
    assert opt['run'] == json.loads((tmp_path / 'run.json').read_text())
    assert opt['run']['iterations_per_epoch'] == batches[1] == math.ceil(10 * ratio) // batch
    assert opt['run']['draws_per_epoch'] == sampler.total_size == math.ceil(10 * ratio)
    assert loader.dataset.options.seed == opt['manual_seed'] == opt['run']['seed']


def test_state_of_other_data_without_a_record_is_refused(restoration_options: Options, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Epoch 4 starts at iteration 8 here, which a state of epoch 4 and iteration 5 has not reached."""
    opt = restoration_options | started(tmp_path)
    opt['datasets']['train']['phase'], opt['datasets']['val']['phase'] = 'train', 'val'
    monkeypatch.setattr(basicsr.train, 'EnlargedSampler', DrawSampler)
    opt['resume_point'] = {'epoch': 4, 'iter': 5, 'record': {}}
    with pytest.raises(UserError, match='iteration 5 lies in epoch 4, which starts at iteration 8 now; it was made with'):
        loaders.create_train_val_dataloader(opt, LOGGER)


def test_frequencies_may_be_floats_that_are_whole(restoration_options: Options) -> None:
    restoration_options['logger']['save_checkpoint_freq'] = restoration_options['val']['val_freq'] = 4e0
    checks.check_options(restoration_options, is_train=True)
    assert restoration_options['logger']['save_checkpoint_freq'] == restoration_options['val']['val_freq'] == 4
    restoration_options['val']['val_freq'] = 4.5
    with pytest.raises(UserError, match='val:val_freq'):
        checks.check_options(restoration_options, is_train=True)


def test_option_file_reads_numbers_and_shares_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'o.yml'
    path.write_text('a: &a {lr: 1e-4, steps: 5E3, name: 1e-4x, at: [!!float 2]}\nb: *a\nc: {<<: *a, lr: 2}\n')
    opt = option_file.read_option_file(str(path))
    assert opt['a'] == {'lr': 1e-4, 'steps': 5000.0, 'name': '1e-4x', 'at': [2.0]}
    assert opt['c'] == {**opt['a'], 'lr': 2}
    opt['b']['at'].append(1)
    assert opt['a']['at'] == [2.0] and opt['c']['at'] == [2.0]


def test_changes_take_yaml_values() -> None:
    opt = {'train': {'optim_g': {'lr': 1}}, 'name': 'a'}
    option_file.apply_changes(opt, ['train:optim_g:lr=1e-4', 'train : optim_g : betas = [0.9, 0.99]', 'name=x=y', 'val=None',
                                    'train:on=true'])
    assert opt == {'train': {'optim_g': {'lr': 1e-4, 'betas': [0.9, 0.99]}, 'on': True}, 'name': 'x=y', 'val': None}


def test_nothing_on_the_command_line_is_the_choice_none() -> None:
    """BasicSR reads `none` there as no value; a choice of that name is meant where there is one."""
    opt = {'train': {'sharding': 'fsdp', 'precision': 'bf16'}}
    option_file.apply_changes(opt, ['train:sharding=none', 'train:precision=none'])
    assert convert(opt['train']['sharding'], Literal['none', 'fsdp'], 'sharding') == 'none'
    with pytest.raises(UserError, match='None is not one of fp32, bf16'):
        convert(opt['train']['precision'], Literal['fp32', 'bf16'], 'precision')


def test_relative_paths_start_at_the_root(tmp_path: Path) -> None:
    opt = yaml.safe_load("""
        datasets: {train: {dataroot_gt: a, parts: {x: {dataroot_lq: [b, /c]}}}}
        path: {pretrain_network_g: d, pretrain_network_g_made_by: e, resume_state: ~, param_key_g: params}
        prepare: {set: photographs, out: f}
        network_g: {backbone: g/h, codec: a, text_encoder: a, text_instruction: n.txt}
    """)
    (tmp_path / 'a').mkdir()
    (tmp_path / 'n.txt').touch()
    resolve_paths(opt, tmp_path)
    root = str(tmp_path)
    assert opt == {
        'datasets': {'train': {'dataroot_gt': f'{root}/a', 'parts': {'x': {'dataroot_lq': [f'{root}/b', '/c']}}}},
        'path': {'pretrain_network_g': f'{root}/d', 'pretrain_network_g_made_by': 'e', 'resume_state': None,
                 'param_key_g': 'params'},
        'prepare': {'set': 'photographs', 'out': f'{root}/f'},
        'network_g': {'backbone': 'g/h', 'codec': f'{root}/a', 'text_encoder': f'{root}/a', 'text_instruction': f'{root}/n.txt'},
    }


def test_torchrun_and_launcher_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    with pytest.raises(UserError, match='--launcher pytorch: start it with torchrun'):
        distributed.start('pytorch', use_cuda=False, settings={})
    monkeypatch.setenv('LOCAL_RANK', '1')
    monkeypatch.setenv('WORLD_SIZE', '2')
    with pytest.raises(UserError, match='one of several processes started by torchrun, which needs --launcher pytorch'):
        distributed.start('none', use_cuda=False, settings={})
    with pytest.raises(UserError, match='process 99 has no GPU, there are'):
        monkeypatch.setenv('LOCAL_RANK', '99')
        distributed.start('pytorch', use_cuda=True, settings={})
    with pytest.raises(UserError, match='--launcher slurm: needs GPUs'):
        distributed.start('slurm', use_cuda=False, settings={})


@pytest.mark.parametrize(('launcher', 'processes', 'wanted', 'refused'), [
    ('pytorch', 1, 99, True), ('pytorch', 2, 2, False), ('pytorch', 16, 16, False), ('none', 1, 3, True), ('slurm', 8, 8, False)])
def test_more_gpus_than_there_are(monkeypatch: pytest.MonkeyPatch, launcher: str, processes: int, wanted: int,
                                  refused: bool) -> None:
    """On a machine of two GPUs; several machines may have more together, one process each."""
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setenv('WORLD_SIZE', str(processes))
    with pytest.raises(UserError, match=f'num_gpu: {wanted} is more than the 2') if refused else nullcontext():
        set_gpus({'num_gpu': wanted}, launcher)


def test_state_with_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / '4.state'
    torch.save({'epoch': 0, 'iter': 4, 'optimizers': [], 'schedulers': [], 'extra': SimpleNamespace()}, path)
    with pytest.raises(UserError, match='holds pickled code'):
        resume.read_state(path)
    torch.save({'params': {}}, path)
    with pytest.raises(UserError, match='is not a training state'):
        resume.read_state(path)


def test_allocator_reuses_freed_memory() -> None:
    """Twenty buffers of 64 MiB, one after the other, touch no more pages than one."""
    program = """
import ctypes, resource, sys
from glowdeblur_plugin.compat.allocator import keep_memory
if not keep_memory():
    sys.exit(77)
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes, library.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffer = library.malloc(64 << 20)
    ctypes.memset(buffer, 1, 64 << 20)
    library.free(buffer)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
first = faults()
assert sum(faults() for _ in range(20)) < first / 2 + 50, first
"""
    ended = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    if ended.returncode == 77:
        pytest.skip('the C library has no mallopt')
    assert ended.returncode == 0, ended.stderr
