"""Checkpoints: round trip, pruning, atomic writing, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models import checkpoints
from toy_model import ToyModel, ToyNet, ToyPictures, resume, same, toy_batch, toy_options, train

LOADER = torch.utils.data.DataLoader(ToyPictures(2))


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_resumed_run_goes_on_bit_for_bit(tmp_path) -> None:
    options = toy_options(tmp_path, accumulate=2, ema_decay=0.9, scheduler={'warmup_share': 0.5})
    straight = ToyModel(options)
    train(straight, *(toy_batch(index) for index in range(4)))
    straight.validation(LOADER, 4, None)
    straight.save(1, 4)
    train(straight, *(toy_batch(index) for index in range(4, 8)))

    options, state = resume(options, 4)
    assert (state['epoch'], state['iter'], state['schedulers'], state['run']) == (1, 4, [], options['run'])
    resumed = ToyModel(options)
    resumed.resume_training(state)
    assert resumed.seen == 4 and resumed.best_metric_results == straight.best_metric_results
    train(resumed, *(toy_batch(index) for index in range(4, 8)))
    assert resumed.finished
    assert same(straight.net_g.state_dict(), resumed.net_g.state_dict())
    assert same(straight.net_g_ema.state_dict(), resumed.net_g_ema.state_dict())
    assert not same(resumed.net_g.state_dict(), resumed.net_g_ema.state_dict())


def test_the_option_file_wins_over_the_state(tmp_path) -> None:
    options = toy_options(tmp_path)
    model = ToyModel(options)
    train(model, toy_batch(0))
    model.save(0, 1)
    options, state = resume(toy_options(tmp_path, optim_g={'type': 'AdamW', 'lr': 0.5, 'weight_decay': 0.3}), 1)
    model = ToyModel(options)
    model.resume_training(state)
    model.update_learning_rate(2)
    group = model.optimizer_g.param_groups[0]
    assert group['weight_decay'] == 0.3 and group['lr'] > 0.4
    assert model.optimizer_g.state[model.net_g.rise.weight]['step'] == 1


def test_the_end_writes_latest_and_the_last_state_and_resuming_it_changes_nothing(tmp_path) -> None:
    options = toy_options(tmp_path, total_iter=7, ema_decay=0.5)
    model = ToyModel(options)
    train(model, *(toy_batch(index) for index in range(7)))
    model.save(-1, -1)
    models, states = tmp_path / 'models', tmp_path / 'training_states'
    assert _names(states) == {'7.state'}
    assert _names(models) == {f'net_g_{label}.{kind}' for label in ('7', 'latest') for kind in ('pth', 'safetensors', 'json')}
    options, state = resume(options, 7)
    assert (state['epoch'], state['iter']) == (2, 7)
    finished = ToyModel(options)
    finished.resume_training(state)
    before = (states / '7.state').stat().st_mtime_ns
    finished.save(-1, -1)
    assert (states / '7.state').stat().st_mtime_ns == before
    for key, net in (('params', model.net_g), ('params_ema', model.net_g_ema)):
        assert same(torch.load(models / 'net_g_latest.pth', weights_only=True)[key], net.state_dict())
    assert same(load_file(models / 'net_g_latest.safetensors'), model.net_g_ema.state_dict())
    config = json.loads((models / 'net_g_latest.json').read_text())
    assert (config['network_g'], config['iteration'], config['weights']) == ({'type': 'ToyNet'}, 7, 'params_ema')


def test_only_the_newest_pairs_and_latest_stay(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path, keep_checkpoints=2))
    models, states = tmp_path / 'models', tmp_path / 'training_states'
    (models / 'net_g_latest.pth').touch()
    (models / 'net_g_1.pth').touch()
    (models / '.net_g_2.pth.tmp').touch()
    (states / '90.state').touch()
    for index in range(5):
        train(model, toy_batch(index))
        model.save(0, index + 1)
    assert _names(states) == {'4.state', '5.state', '90.state'}
    assert {name for name in _names(models) if name.endswith('.pth')} == {'net_g_4.pth', 'net_g_5.pth', 'net_g_latest.pth'}
    assert len(_names(models)) == 7


def test_a_run_that_went_back_keeps_what_it_just_wrote(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path, keep_checkpoints=1))
    (tmp_path / 'training_states' / '6.state').touch()
    train(model, toy_batch(0))
    model.save(0, 1)
    assert _names(tmp_path / 'training_states') == {'1.state', '6.state'}


def test_a_failed_write_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / 'net_g_1.pth'
    path.write_text('old')

    def disk_full(temporary: Path) -> None:
        temporary.write_text('ne')
        raise OSError(28, 'No space left on device')

    with pytest.raises(UserError, match=r"checkpoint '.*net_g_1\.pth' cannot be written: .*No space left on device"):
        checkpoints.write_whole(path, disk_full)
    assert _names(tmp_path) == {'net_g_1.pth'} and path.read_text() == 'old'


def test_a_checkpoint_that_cannot_be_written_stops_before_its_state(tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path))
    train(model, toy_batch(0))
    (tmp_path / 'models').rmdir()
    with pytest.raises(UserError, match=r'net_g_1\.pth.* cannot be written'):
        model.save(0, 1)
    assert _names(tmp_path / 'training_states') == set()


class _Intruder:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return open, (self.path, 'w')


def test_pickled_code_is_refused_and_not_run(tmp_path) -> None:
    torch.save({'params': _Intruder(str(tmp_path / 'ran'))}, tmp_path / 'net.pth')
    with pytest.raises(UserError, match=r"checkpoint '.*net\.pth' holds pickled code") as error:
        checkpoints.read_weights(tmp_path / 'net.pth')
    assert '\n' not in str(error.value) and not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('name', ['net.pth', 'net.safetensors'])
def test_torn_and_foreign_files_are_one_line_errors(tmp_path, name: str) -> None:
    path = tmp_path / name
    checkpoints.save_network_files(tmp_path, 'net', {'params': ToyNet().state_dict()}, {})
    whole = path.read_bytes()
    for content in (whole[:len(whole) // 2], b'', b'not a checkpoint', b'text\n', b'J'):
        path.write_bytes(content)
        with pytest.raises(UserError, match=rf"checkpoint '.*{name}'.*(torn|damaged)") as error:
            checkpoints.read_weights(path)
        assert '\n' not in str(error.value)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(UserError, match=r"checkpoint '.*gone\.pth' does not exist"):
        checkpoints.read_weights(tmp_path / 'gone.pth')


def test_a_file_without_weights_tells_its_keys(tmp_path) -> None:
    torch.save({'epoch': 3, 'iter': 4}, tmp_path / '4.state')
    with pytest.raises(UserError, match='no weights under .*its keys are epoch, iter'):
        checkpoints.read_weights(tmp_path / '4.state')


def test_weights_of_another_network_are_refused_with_their_keys(tmp_path) -> None:
    weights = ToyNet(width=4).state_dict()
    weights['tail.weight'] = weights.pop('mean')
    torch.save({'params': weights}, tmp_path / 'other.pth')
    options = toy_options(tmp_path)
    options['path']['pretrain_network_g'] = str(tmp_path / 'other.pth')
    with pytest.raises(UserError) as error:
        ToyModel(options)
    message = str(error.value)
    assert '\n' not in message and 'other.pth' in message and 'ToyNet' in message
    assert '1 missing (mean)' in message and '1 not in the network (tail.weight)' in message
    assert '3 of another shape (rise.weight (4, 3, 3, 3) instead of (2, 3, 3, 3), rise.bias' in message


def test_loose_loading_takes_what_fits_and_refuses_what_shares_nothing(tmp_path) -> None:
    options = toy_options(tmp_path)
    options['path'] |= {'pretrain_network_g': str(tmp_path / 'part.pth'), 'strict_load_g': False, 'param_key_g': 'params_ema'}
    part = ToyNet(width=4)
    part.frozen.fill_(7)
    torch.save({'params': {}, 'params_ema': part.state_dict()}, tmp_path / 'part.pth')
    assert ToyModel(options).net_g.frozen.tolist() == [7.0] * 3
    torch.save({'head.weight': torch.ones(1)}, tmp_path / 'part.pth')
    with pytest.raises(UserError, match='is not one of this ToyNet'):
        ToyModel(options)


def test_fine_tuning_starts_its_average_at_the_loaded_weights(tmp_path) -> None:
    nets = {'params': ToyNet().state_dict(), 'params_ema': ToyNet().state_dict()}
    torch.save(nets, tmp_path / 'stage1.pth')
    options = toy_options(tmp_path, ema_decay=0.9)
    options['path'] |= {'pretrain_network_g': str(tmp_path / 'stage1.pth'), 'param_key_g': 'params_ema'}
    model = ToyModel(options)
    assert same(model.net_g.state_dict(), nets['params_ema']) and same(model.net_g_ema.state_dict(), nets['params_ema'])


def test_a_state_of_other_trained_parameters_is_refused(tmp_path) -> None:
    options = toy_options(tmp_path)
    model = ToyModel(options)
    train(model, toy_batch(0))
    model.save(0, 1)
    options, state = resume(options, 1)
    state['optimizers'][0]['param_groups'][0]['params'].pop()
    with pytest.raises(UserError, match=r"training state '.*1\.state' does not fit this network"):
        ToyModel(options).resume_training(state)
