"""Whatever is wrong in an option file or a command line gives one line and exit status 2, before any folder is made."""

from pathlib import Path

import pytest
from toy_run import Options, Runs, write_options

BASICSR_MODEL = {'model_type': 'SRModel', 'scale': 1}

GLOWDEBLUR = {'model_type': 'GLOWDeblurModel', 'network_g': {'type': 'GLOWDeblur', 'semantic': 'cache'}}

CHANGES = {
    'unknown key of the file': ({'nmae': 1}, "option file: unknown key 'nmae'; did you mean 'name'?"),
    'unknown section': ({'pathes': {}}, "option file: unknown key 'pathes'; did you mean 'path'?"),
    'unknown model': (
        {'model_type': 'RestorationModell'},
        "model_type: no model has the name 'RestorationModell'; did you mean 'RestorationModel'?"),
    'unknown dataset': (
        {'datasets__val__type': 'PairedLMDB'},
        "datasets:val:type: no dataset has the name 'PairedLMDB'; did you mean 'PairedLMDBDataset'?"),
    'unknown network': ({'network_g__type': 'NAFNett'}, "network_g:type: no arch has the name 'NAFNett'; did you mean 'NAFNet'?"),
    'unknown loss': (
        {'train__pixel_opt': {'type': 'L1Los'}}, "train:pixel_opt:type: no loss has the name 'L1Los'; did you mean 'L1Loss'?"),
    'unknown metric': ({'val__metrics__psnr__type': 'calculate_psn'},
                       "val:metrics:psnr:type: no metric has the name 'calculate_psn'; did you mean 'calculate_psnr'?"),
    'key of a network': ({'network_g__widht': 8}, "network_g: unknown key 'widht'; did you mean 'width'?"),
    'type in a network': ({'network_g__width': 'wide'}, "network_g:width: expected a whole number, found 'wide'"),
    'where texts come from': (
        {'network_g': {'type': 'GLOWDeblur', 'semantic': 'cahce'}}, "network_g:semantic: 'cahce' is not one of none, cache, live"),
    'length of texts': ({'network_g': {'type': 'GLOWDeblur', 'text_length': 0}},
                        'network_g:text_length: 0 is out of range, must be at least 1'),
    'dropped captions': (
        {**GLOWDEBLUR, 'train__caption_drop': 2}, 'train:caption_drop: 2 is out of range, must be from 0 to 1'),
    'guidance on a text': ({**GLOWDEBLUR, 'val__guidance': -1}, 'val:guidance: -1 is out of range, must be at least 0'),
    'key of a loss': (
        {'train__pixel_opt': {'type': 'L1Loss', 'loss_wieght': 1}},
        "train:pixel_opt: unknown key 'loss_wieght'; did you mean 'loss_weight'?"),
    'better of a metric': (
        {'val__metrics__psnr__better': 'large'}, "val:metrics:psnr:better: 'large' is not one of higher, lower"),
    'key of a dataset': ({'datasets__train__gt_sise': 8}, "datasets:train: unknown key 'gt_sise'; did you mean 'gt_size'?"),
    'range in a dataset': ({'datasets__train__gt_size': 8}, 'datasets:train:gt_size: 8 is out of range, must be at least 16'),
    'batch size': (
        {'datasets__train__batch_size_per_gpu': 0}, 'datasets:train:batch_size_per_gpu: 0 is out of range, must be at least 1'),
    'type of a batch size': ({'datasets__train__batch_size_per_gpu': 'four'},
                             "datasets:train:batch_size_per_gpu: expected a whole number, found 'four'"),
    'same name twice': (
        {'datasets__val__name': 'pairs'}, "datasets:val:name: 'pairs' is the name of datasets:train already; give each its own"),
    'name of a dataset section': (
        {'datasets__validate': {'name': 'v', 'type': 'PairedLMDBDataset'}},
        "datasets: 'validate' is not the name of a data set here; valid are train, val, val_1, val_2 ..."),
    'workers to keep': ({'datasets__train__persistent_workers': True},
                        'datasets:train:persistent_workers: needs workers, and there are none here; remove it'),
    'prefetch to a missing GPU': ({'datasets__train__prefetch_mode': 'cuda'},
                                  "datasets:train:prefetch_mode: 'cuda' needs a GPU and pin_memory: true; remove it otherwise"),
    'prefetch that hangs': ({'datasets__train__prefetch_mode': 'cpu'},
                            "datasets:train:prefetch_mode: 'cpu' waits for ever once a picture is damaged; remove it"),
    'list as a type': ({'network_g__type': ['NAFNet']}, "network_g:type: expected text, found ['NAFNet']"),
    'list as a model': ({'model_type': ['SRModel']}, "option file:model_type: expected text, found ['SRModel']"),
    'frequency': ({'logger__print_freq': 2.5}, 'logger:print_freq: 2.5 is out of range, must be a whole number'),
    "BasicSR's warm-up": ({'train__warmup_iter': 10},
                          "train: 'warmup_iter' is not read by RestorationModel; use scheduler:warmup_share"),
    'key of train': ({'train__totl_iter': 8}, "train: unknown key 'totl_iter'; did you mean 'total_iter'?"),
    'key of the optimizer': ({'train__optim_g__lrate': 1}, "train:optim_g: unknown key 'lrate'; did you mean 'lr'?"),
    'range in the optimizer': ({'train__optim_g__lr': -1}, 'train:optim_g:lr: -1 is out of range, must be at least 0'),
    'iterations and accumulation': (
        {'train__total_iter': 13},
        'train:total_iter: 13 is not a multiple of train:accumulate, which is 2; both count micro-batches'),
    'checkpoints and accumulation': (
        {'logger__save_checkpoint_freq': 5},
        'logger:save_checkpoint_freq: 5 is not a multiple of train:accumulate, which is 2; both count micro-batches'),
    'stages and iterations': (
        {'train__progressive': {'iterations': [6, 4], 'gt_sizes': [8, 16], 'batch_sizes': [4, 2]}},
        'train:progressive:iterations: they add up to 10, and train:total_iter is 12; make them equal'),
    'stages and data': (
        {'train__progressive': {'iterations': [6, 6], 'gt_sizes': [8, 12], 'batch_sizes': [4, 2]}},
        'datasets:train:gt_size: 16 is not the largest of train:progressive:gt_sizes, 12; make them equal'),
    'shares of the rate': (
        {'train__scheduler__constant_share': 0.9},
        'train:scheduler: warmup_share 0.2 and constant_share 0.9 are more than 1 together, the whole run'),
    'key of val': ({'val__step': 4}, "val: unknown key 'step'; did you mean 'steps'?"),
    'type in val': ({'val__save_img': 'yes'}, "val:save_img: expected true or false, found 'yes'"),
    'key of logger': ({'logger__print_frequency': 1}, "logger: unknown key 'print_frequency'; did you mean 'print_freq'?"),
    'range in logger': ({'logger__print_freq': 0}, 'logger:print_freq: 0 is out of range, must be at least 1'),
    'key of path': (
        {'path__pretrain_networks_g': 'x'}, "path: unknown key 'pretrain_networks_g'; did you mean 'pretrain_network_g'?"),
    'type in path': ({'path__pretrain_network_g': 3}, 'path:pretrain_network_g: expected text, found 3'),
    'missing network': ({'path__pretrain_network_g': '/nowhere/net.pth', 'path__pretrain_network_g_made_by': 'python train.py'},
                        "path:pretrain_network_g: '/nowhere/net.pth' does not exist; it is made by: python train.py"),
    'missing state': (
        {'path__resume_state': '/nowhere/8.state'}, "path:resume_state: checkpoint '/nowhere/8.state' does not exist"),
    'missing data': ({'datasets__train__dataroot_gt': '/nowhere/gt', 'datasets__train__made_by': 'glowdeblur pack gopro'},
                     "datasets:train:dataroot_gt: '/nowhere/gt' does not exist; it is made by: glowdeblur pack gopro"),
    'missing latents': (
        {'datasets__train__dataroot_latent': '/nowhere', 'datasets__train__use_hflip': False, 'datasets__train__use_rot': False},
        "datasets:train:dataroot_latent: '/nowhere' does not exist; it is made by: glowdeblur latents -opt <this file>"),
    'too many GPUs': ({'num_gpu': 99}, 'num_gpu: 99 is more than the'),
    'wrong number of GPUs': ({'num_gpu': 'all'}, "num_gpu: expected a whole number, at least 0 or one of auto, found 'all'"),
    'seed': ({'manual_seed': 'random'}, "option file:manual_seed: expected a whole number, found 'random'"),
    'sharding without processes': (
        {'train__sharding': 'fsdp'}, 'train:sharding: fsdp shares the weights out over several processes, and without'),
    'section as text': ({'datasets__train': 'train.lmdb'}, "datasets:train: expected a section of keys, found 'train.lmdb'"),
    'no section': ({'train': None}, "option file: section 'train' is missing"),
    'number without end': ({'train__optim_g__lr': '.inf'}, "train:optim_g:lr: expected a number, found '.inf'"),
    '8-bit samples': (
        {**BASICSR_MODEL, 'datasets__val__dtype': 'uint8'},
        'datasets:val:dtype: uint8 is understood by models of this plugin only, and SRModel is none; leave it out'),
    'samples to render': (
        {**BASICSR_MODEL, 'datasets__train': {
            'name': 'm', 'type': 'BPPMixtureDataset', 'gt_size': 16, 'batch_size_per_gpu': 1, 'num_worker_per_gpu': 0,
            'parts': {'blur': {'type': 'SimulatedBlurDataset', 'dataroot_gt': '.', 'domain': 'gopro', 'render': 'device',
                               'weight': 1}}}},
        'datasets:train:parts:blur:render: device is understood by models of this plugin only, and SRModel is none'),
    'what to prepare': ({'prepare': {'sett': 'photographs', 'out': 'sets'}}, "prepare: unknown key 'sett'; did you mean 'set'?"),
}

TEXTS = {
    'nothing': ('', 'expected sections of keys'),
    'no mapping': ('just words', "expected sections of keys such as 'name: ...' and 'datasets: ...', found 'just words'"),
    'not YAML': ('name: [1, 2\n', "line 2: expected ',' or ']', but got '<stream end>'"),
    'code': ('name: !!python/object/apply:os.system ["echo pwned"]\n',
             "line 1: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
    'key twice': ('name: a\ntrain: {total_iter: 4, total_iter: 8}\n', "line 2: key 'total_iter' is given twice"),
}

PARTS = {
    'name of a part': (
        {'network_g__prereconstruction': {'type': 'NAFNett'}},
        "network_g:prereconstruction:type: no arch has the name 'NAFNett'; did you mean 'NAFNet'?"),
    'key of a part': (
        {'network_g__prereconstruction': {'type': 'PreReconstruction', 'wide': 8}},
        "network_g:prereconstruction: unknown key 'wide'; did you mean 'width'?"),
    'range in a part': (
        {'network_g__prereconstruction': {'type': 'PreReconstruction', 'width': 1}},
        'network_g:prereconstruction:width: 1 is out of range, must be at least 2'),
    'alignment': ({'network_g__align': 'convolution'}, "network_g:align: 'convolution' is not one of dcae, conv"),
    'key of adapters': ({'network_g__lora': {'ranks': 8}}, "network_g:lora: unknown key 'ranks'; did you mean 'rank'?"),
    'missing base of adapters': (
        {'path__pretrain_network_base': '/nowhere/net.pth'}, "path:pretrain_network_base: '/nowhere/net.pth' does not exist"),
    'start of a part': (
        {'path__pretrain_network_prereconstructions': 'x'},
        "path: unknown key 'pretrain_network_prereconstructions'; did you mean 'pretrain_network_prereconstruction'?"),
    'missing part': (
        {'path__pretrain_network_prereconstruction': '/nowhere/net.pth',
         'path__pretrain_network_prereconstruction_made_by': 'python train.py'},
        "path:pretrain_network_prereconstruction: '/nowhere/net.pth' does not exist; it is made by: python train.py"),
}

COMMANDS = {
    'changed key': (['train:totel_iter=4'], "train: unknown key 'totel_iter'; did you mean 'total_iter'?"),
    'changed section': (['trian:total_iter=4'], "--force_yml 'trian:total_iter=4': unknown key 'trian'; did you mean 'train'?"),
    'no value': (
        ['train:total_iter'],
        "--force_yml: 'train:total_iter' is not of the form section:key=value, such as train:total_iter=100"),
    'no section there': (
        ['network_g:lora:rank=4'],
        "--force_yml 'network_g:lora:rank=4': the file has no section network_g:lora to change; give the whole of it, "
        "'network_g:lora={rank: 4}'"),
    'into a value': (['name:more=4'], "--force_yml 'name:more=4': name is no section, it is 'toy'"),
    'code': (
        ['name=!!python/name:os.system x'],
        "--force_yml 'name=!!python/name:os.system x': line 1: could not determine a constructor"),
}


def refused(runs: Runs, root: Path, option_file: Path, message: str, *arguments: str, pipeline: str = 'train') -> None:
    """Assert that a start gives this one line, exit status 2, and nothing new under `root`."""
    def files() -> list[Path]:
        return sorted(path for path in root.rglob('*') if path.name != 'output.txt')

    before = files()
    codes, text = runs.start(root, option_file, *arguments, pipeline=pipeline)
    errors = [line for line in text.splitlines() if line != 'Disable distributed.']
    assert codes == [2] and len(errors) == 1, text
    assert errors[0].startswith('error: ') and message in errors[0]
    assert files() == before


@pytest.mark.parametrize(('change', 'message'), CHANGES.values(), ids=CHANGES)
def test_wrong_option(runs: Runs, restoration_options: Options, tmp_path: Path, change: Options, message: str) -> None:
    if 'val__step' in change:
        restoration_options |= {'model_type': 'GLOWDeblurModel', 'network_g': {'type': 'GLOWDeblur'},
                                'train': {'total_iter': 12, 'optim_g': {'lr': 1e-3}}}
    refused(runs, tmp_path, write_options(tmp_path / 'o.yml', restoration_options, **change), message)


@pytest.mark.parametrize(('change', 'message'), PARTS.values(), ids=PARTS)
def test_wrong_part_of_a_network(runs: Runs, restoration_options: Options, tmp_path: Path, change: Options,
                                 message: str) -> None:
    restoration_options |= {'model_type': 'GLOWDeblurModel', 'network_g': {'type': 'GLOWDeblur'},
                            'train': {'total_iter': 12, 'optim_g': {'lr': 1e-3}}}
    refused(runs, tmp_path, write_options(tmp_path / 'o.yml', restoration_options, **change), message)


@pytest.mark.parametrize(('text', 'message'), TEXTS.values(), ids=TEXTS)
def test_wrong_file(runs: Runs, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / 'o.yml').write_text(text)
    refused(runs, tmp_path, tmp_path / 'o.yml', message)


@pytest.mark.parametrize(('changes', 'message'), COMMANDS.values(), ids=COMMANDS)
def test_wrong_change_on_the_command_line(runs: Runs, restoration_options: Options, tmp_path: Path, changes: list[str],
                                          message: str) -> None:
    refused(runs, tmp_path, write_options(tmp_path / 'o.yml', restoration_options), message, '--force_yml', *changes)


def test_missing_option_file(runs: Runs, tmp_path: Path) -> None:
    refused(runs, tmp_path, tmp_path / 'o.yml', f"-opt: '{tmp_path / 'o.yml'}' does not exist")


def test_test_files_are_checked_too(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    data = restoration_options['datasets']
    options = {**restoration_options, 'datasets': {'test': data['val']}, 'path': {'pretrain_network_g': 'nowhere.pth'}}
    for change, message in (
        ({}, f"path:pretrain_network_g: '{tmp_path}/nowhere.pth' does not exist"),
        ({'datasets': data}, "datasets: 'train' belongs into the file of a training run; a test reads test_1, test_2 ... instead"),
        ({'val': None}, "option file: section 'val' is missing"),
        ({'network_g__width': [4]}, 'network_g:width: expected a whole number, found [4]'),
    ):
        refused(runs, tmp_path, write_options(tmp_path / 'o.yml', options, **change), message, pipeline='test')


def test_number_as_the_name_of_a_data_set(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    text = write_options(tmp_path / 'o.yml', restoration_options).read_text()
    (tmp_path / 'o.yml').write_text(text.replace('  val:\n', '  1:\n'))
    refused(runs, tmp_path, tmp_path / 'o.yml', "datasets: '1' is not the name of a data set here; valid are train, val, val_1")


def test_missing_network_is_told_before_anything_is_packed(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    change = {'prepare': {'set': 'photographs', 'out': 'sets'}, 'path__pretrain_network_g': 'nowhere.pth',
              'path__pretrain_network_g_made_by': 'python basicsr/train.py -opt first.yml'}
    refused(runs, tmp_path, write_options(tmp_path / 'o.yml', restoration_options, **change),
            "nowhere.pth' does not exist; it is made by: python basicsr/train.py -opt first.yml")


def test_set_that_cannot_be_written(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    """The place of the folder is taken by a file; every process says so."""
    (tmp_path / 'sets').write_text('')
    option_file = write_options(tmp_path / 'o.yml', restoration_options, prepare={'set': 'photographs', 'out': 'sets'})
    codes, text = runs.start(tmp_path, option_file, ranks=2)
    assert codes == [2, 2] and 'Traceback' not in text
    errors = [line for line in text.splitlines() if 'error: ' in line]
    assert len(errors) == 2 and all(f'{tmp_path}/sets/train.lmdb: cannot be written' in line for line in errors)


def test_data_set_smaller_than_a_batch(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    option_file = write_options(tmp_path / 'o.yml', restoration_options, datasets__train__batch_size_per_gpu=6)
    codes, text = runs.start(tmp_path, option_file, ranks=2)
    assert codes == [2, 2] and 'Traceback' not in text
    assert ('error: datasets:train: 10 pictures give 5 samples an epoch and process, less than one batch of 6; '
            'raise dataset_enlarge_ratio or lower batch_size_per_gpu') in text.splitlines()


def test_option_file_in_the_experiment_is_refused(runs: Runs, restoration_options: Options, tmp_path: Path) -> None:
    runs.train(tmp_path, write_options(tmp_path / 'o.yml', restoration_options))
    copy = tmp_path / 'experiments' / 'toy' / 'o.yml'
    refused(runs, tmp_path, copy, f"-opt: '{copy}' lies in the experiment's own folder", '--auto_resume')
