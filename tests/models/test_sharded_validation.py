"""Two gloo processes on the CPU against one: validation, gradients, checkpoints and the guard; weights whole and sharded."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.sharding import local_shards, unsharded
from toy_model import ToyModel, ToyNet, ToyPictures, resume, same, toy_batch, toy_options, train
from toy_run import Runs

COUNTS = (5, 2, 1)
TRAIN = {'total_iter': 6, 'accumulate': 2, 'ema_decay': 0.5, 'grad_clip': 0.1}
KINDS = ('none', 'fsdp')


def _outcome(model: ToyModel) -> dict[str, Any]:
    results = []
    for count in COUNTS:
        model.asked, model._validated = [], {}
        model.validation(DataLoader(ToyPictures(count)), model.iteration, None, save_img=True)
        results.append({'asked': model.asked, 'means': model.metric_results})
    return {'validation': results, 'rows': getattr(model, 'rows', []), 'best': model.best_metric_results}


def _state(model: ToyModel) -> dict[str, Any]:
    moments = model.optimizer_g.state_dict()['state']
    networks = {'net': model.bare_net.state_dict(), 'ema': model.net_g_ema.state_dict()}
    named = {f'{part}.{name}': value for part, state in {**networks, **moments}.items() for name, value in state.items()}
    return {name: unsharded(value) for name, value in named.items()}


def _resumed(options: dict[str, Any], *batches: dict[str, Any]) -> dict[str, Any]:
    """Weights, average and moments of a model that goes on from iteration 4 with `batches`."""
    options, state = resume(options, 4)
    model = ToyModel(options)
    model.resume_training(state)
    train(model, *batches)
    return _state(model)


def _rank(rank: int, folder: str, sharding: str) -> None:
    settings = {**TRAIN, 'sharding': sharding}
    options = {**toy_options(Path(folder), **settings), 'dist': True, 'rank': rank, 'world_size': 2}
    model = ToyModel(options)
    train(model, toy_batch(rank), toy_batch(2 + rank), toy_batch(4 + rank), toy_batch(6 + rank))
    log = model.get_current_log()
    outcome = _outcome(model)
    model.save(0, 4)
    bad = toy_batch(8 + rank)
    bad['lq'] /= 1 - rank
    try:
        train(model, bad)
        message = ''
    except UserError as error:
        message = str(error)
    going_on = {kind: _resumed({**options, 'train': {**options['train'], 'sharding': kind}}, toy_batch(8 + rank),
                               toy_batch(10 + rank)) for kind in KINDS}
    outcome |= {'log': log, 'message': message, 'state': _state(model), 'going_on': going_on,
                'kept': sum(local.numel() for local in local_shards(model.bare_net.parameters()))}
    torch.save(outcome, Path(folder) / f'rank{rank}.pt')


@pytest.fixture(scope='module', params=KINDS)
def folder(runs: Runs, request, tmp_path_factory) -> Path:
    """Where two ranks have worked, each leaving `rank<r>.pt`."""
    folder = tmp_path_factory.mktemp('ranks')
    toy_options(folder)
    runs.call(_rank, folder, request.param)
    return folder


@pytest.fixture(scope='module')
def ranks(folder: Path) -> list[dict[str, Any]]:
    """What each rank found."""
    return [torch.load(folder / f'rank{rank}.pt', weights_only=False) for rank in range(2)]


@pytest.fixture(scope='module')
def alone(folder: Path, tmp_path_factory) -> tuple[ToyModel, dict[str, Any]]:
    """One process with the weights of the two, and what it finds."""
    options = toy_options(tmp_path_factory.mktemp('alone'), **TRAIN)
    options['path'] |= {'pretrain_network_g': str(folder / 'models' / 'net_g_4.pth'), 'resume_state': 'the state of the ranks'}
    model = ToyModel(options)
    model.iteration = 4
    return model, _outcome(model)


def test_each_picture_is_restored_once(ranks: list[dict[str, Any]]) -> None:
    for count, *parts in zip(COUNTS, *(rank['validation'] for rank in ranks)):
        asked = [part['asked'] for part in parts]
        assert sorted(asked[0] + asked[1]) == list(range(count))
        assert len(asked[0]) - len(asked[1]) in (0, 1)


def test_means_are_bit_equal_to_one_process(ranks: list[dict[str, Any]], alone: tuple[ToyModel, dict[str, Any]]) -> None:
    _, outcome = alone
    for expected, *parts in zip(outcome['validation'], *(rank['validation'] for rank in ranks)):
        assert set(expected['means']) == {'psnr', 'brightness'}
        assert parts[0]['means'] == parts[1]['means'] == expected['means']
    assert ranks[0]['best'] == ranks[1]['best'] == outcome['best']


def test_rank_zero_alone_is_given_the_rows_of_all_in_order(ranks: list[dict[str, Any]],
                                                           alone: tuple[ToyModel, dict[str, Any]]) -> None:
    assert ranks[1]['rows'] == []
    assert ranks[0]['rows'] == alone[1]['rows']
    name, iteration, rows = ranks[0]['rows'][0]
    assert (name, iteration) == ('toys', 4)
    assert [(row['index'], row['path']) for row in rows] == [(index, f'/toys/scene/{index}') for index in range(5)]
    assert ['brightness' in row for row in rows] == [True, False, True, False, True]


def test_each_rank_writes_its_pictures(folder: Path, ranks: list[dict[str, Any]]) -> None:
    names = {str(path.relative_to(folder / 'visualization')) for path in (folder / 'visualization').rglob('*.png')}
    assert names == {f'scene_{i}/scene_{i}_4{kind}.png' for i in range(5) for kind in ('', '_negative')}


def _without_observations(state: dict[str, Any]) -> dict[str, Any]:
    """All but the statistics of the batches seen, which each process has of its own."""
    return {name: value for name, value in state.items() if not name.endswith(('.mean', '.calls'))}


def test_two_ranks_train_as_one_process_with_their_batches(ranks: list[dict[str, Any]], tmp_path) -> None:
    model = ToyModel(toy_options(tmp_path, **TRAIN))
    train(model, toy_batch(0, 1), toy_batch(2, 3), toy_batch(4, 5), toy_batch(6, 7))
    states = [_without_observations(rank['state']) for rank in ranks]
    assert same(*states)
    torch.testing.assert_close(states[0], _without_observations(_state(model)), rtol=1e-10, atol=1e-12)
    log = model.get_current_log()
    assert ranks[0]['log'] == ranks[1]['log']
    assert {name: ranks[0]['log'][name] for name in ('l_total', 'grad_norm')} == pytest.approx(
        {name: log[name] for name in ('l_total', 'grad_norm')}, rel=1e-5)


def test_one_bad_rank_stops_all_with_its_samples(ranks: list[dict[str, Any]]) -> None:
    assert ranks[0]['message'] == ranks[1]['message']
    assert 'iteration 5' in ranks[0]['message'] and 'scene/9' in ranks[0]['message'] and 'scene/8' not in ranks[0]['message']


def test_the_checkpoint_is_one_process_readable(folder: Path, alone: tuple[ToyModel, dict[str, Any]]) -> None:
    assert same(torch.load(folder / 'models' / 'net_g_4.pth', weights_only=True)['params'], alone[0].net_g.state_dict())
    assert {path.name for path in (folder / 'training_states').iterdir()} == {'4.state'}


def test_sharded_weights_are_kept_once_over_all_processes(request, ranks: list[dict[str, Any]]) -> None:
    whole = sum(value.numel() for value in ToyNet().parameters())
    kept = [rank['kept'] for rank in ranks]
    assert kept == [whole, whole] if request.node.callspec.params['folder'] == 'none' else sum(kept) == whole and min(kept) > 0


def test_a_checkpoint_goes_on_with_any_distribution(folder: Path, ranks: list[dict[str, Any]]) -> None:
    alone = _resumed(toy_options(folder, **TRAIN), toy_batch(8, 9), toy_batch(10, 11))
    for kind in KINDS:
        torch.testing.assert_close(*(_without_observations(state) for state in (ranks[0]['going_on'][kind], alone)), rtol=1e-10,
                                   atol=1e-12)
