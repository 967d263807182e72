"""The option files that come with the repository."""

from pathlib import Path

import pytest
import yaml
from toy_run import Runs

from glowdeblur_plugin import checks
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.option_file import read_option_file

OPTIONS = Path(__file__).parent.parent / 'options'
OWN_READERS = ('compare', 'study')
FILES = {str(path.relative_to(OPTIONS)): path for path in sorted(OPTIONS.rglob('*.yml')) if path.parent.name not in OWN_READERS}
FULL_SIZE = ('bpp.yml', 'finetune.yml', 'test.yml', *(f'baselines/{name}_gopro{end}.yml' for name in ('nafnet', 'restormer')
                                                      for end in ('', '_test')))


@pytest.mark.parametrize('name', FILES)
def test_file_is_valid_at_any_number_of_iterations(name: str) -> None:
    opt = read_option_file(str(FILES[name]))
    checks.check_options(opt, is_train='train' in opt['datasets'])
    if 'train' in opt['datasets']:
        opt['train']['total_iter'] = 40
        if 'progressive' in opt['train']:
            opt['train']['progressive']['iterations'] = [5, 7, 7, 7, 7, 7]
        checks.check_options(opt, is_train=True)
        opt['train']['total_iters'] = 40
        with pytest.raises(UserError, match="train: unknown key 'total_iters'; did you mean 'total_iter'"):
            checks.check_options(opt, is_train=True)


@pytest.mark.parametrize('name', FULL_SIZE)
def test_full_size_file_names_missing_data_and_its_command(runs: Runs, tmp_path: Path, name: str) -> None:
    train = 'train' in yaml.safe_load(FILES[name].read_text())['datasets']
    codes, text = runs.start(tmp_path, FILES[name], '--force_yml', 'num_gpu=0', pipeline='train' if train else 'test')
    error, = (line for line in text.splitlines() if line.startswith('error: '))
    assert codes == [2] and 'does not exist; it is made by: ' in error and str(tmp_path) in error
    assert [path.name for path in tmp_path.iterdir()] == ['output.txt']
