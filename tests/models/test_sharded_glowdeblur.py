"""GLOWDeblurModel on two gloo processes with pairs, which know no motion: whole weights on each (DDP), and sharded (FSDP2)."""

from pathlib import Path
from typing import Any

import pytest
import torch

from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from glowdeblur_plugin.models.sharding import unsharded
from toy_model import resume, same, toy_options, train
from toy_run import SMALL_PICTURE_PART, Runs

ITERATIONS = 6
RATE = 0.001
RUNS = {
    'whole': {},
    'sharded': {'sharding': 'fsdp'},
    'sharded, recomputed': {'sharding': 'fsdp', 'gradient_checkpointing': True},
}
RESUMED_AT = 4


def _run(folder: str, rank: int, batches: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """Train on the rank's own batches, first without and then with the flow; with recomputation go on from the run before."""
    common = dict(total_iter=ITERATIONS, warmup_phase_share=0.34, optim_g={'lr': RATE}, scheduler={'final_lr_ratio': 1.0},
                  accumulate=2, ema_decay=0.5, grad_clip=0.5)
    options = toy_options(Path(folder), **{**common, **settings})
    options |= {'model_type': 'GLOWDeblurModel', 'network_g': {'type': 'GLOWDeblur', 'target': 'around',
                'prereconstruction': SMALL_PICTURE_PART}, 'dist': True, 'rank': rank, 'world_size': 2}
    resumed, state = 'gradient_checkpointing' in settings, None
    if resumed:
        options, state = resume(options, RESUMED_AT)
    model = GLOWDeblurModel(options)
    if resumed:
        model.resume_training(state)
    start = {name: unsharded(value).detach().clone() for name, value in model.bare_net.named_parameters()}
    logs = []
    for batch in batches[model.iteration:]:
        train(model, batch)
        logs.append(model.get_current_log())
        if model.iteration == RESUMED_AT:
            model.save(0, RESUMED_AT)
    weights, average = ({name: unsharded(value).detach().clone() for name, value in network.state_dict().items()}
                        for network in (model.bare_net, model.net_g_ema))
    moved = [name for name in start if not torch.equal(start[name], weights[name])]
    return {'weights': weights, 'average': average, 'moved': moved, 'logs': logs}


def _rank(rank: int, folder: str, pairs: str) -> None:
    roots = {f'dataroot_{side}': str(Path(pairs) / side) for side in ('lq', 'gt')}
    data = PairedLMDBDataset({'name': 'pairs', 'phase': 'train', 'gt_size': 16, 'seed': rank, **roots})
    batches = [torch.utils.data.default_collate([data[draw], data[draw + 1]]) for draw in range(ITERATIONS)]
    results = {name: _run(folder, rank, batches, settings) for name, settings in RUNS.items()}
    torch.save(results, Path(folder) / f'rank{rank}.pt')


@pytest.fixture(scope='module')
def ranks(runs: Runs, tmp_path_factory: pytest.TempPathFactory, pairs: Path) -> list[dict[str, dict[str, Any]]]:
    """What each rank found, by run."""
    folder = tmp_path_factory.mktemp('ranks')
    runs.call(_rank, folder, str(pairs))
    return [torch.load(folder / f'rank{rank}.pt', weights_only=True) for rank in range(2)]


def test_processes_agree(ranks: list[dict[str, dict[str, Any]]]) -> None:
    for name in RUNS:
        assert ranks[0][name]['logs'] == ranks[1][name]['logs']
        assert same(*({key: value for key, value in rank[name]['weights'].items() if not key.startswith('target.')}
                      for rank in ranks))


@pytest.mark.parametrize('name', ['whole', 'sharded'])
def test_pairs_without_motion_train_all_but_the_estimator(ranks: list[dict[str, dict[str, Any]]], name: str) -> None:
    parts = {moved.split('.')[0] for moved in ranks[0][name]['moved']}
    assert parts == {'prereconstruction', 'alignment', 'backbone', 'null_text'}
    last = ranks[0][name]['logs'][-1]
    assert last['l_motion'] == 0 and last['l_flow'] > 0


def test_sharded_training_equals_ddp(ranks: list[dict[str, dict[str, Any]]]) -> None:
    """Up to the order in which the gradients of accumulated micro-batches and their norm are summed."""
    whole, sharded = ranks[0]['whole'], ranks[0]['sharded']
    norms = [log['grad_norm'] for log in whole['logs'] if 'grad_norm' in log]
    assert len(norms) == ITERATIONS // 2 and min(norms) > 0.5
    for expected, found in zip(whole['logs'], sharded['logs'], strict=True):
        assert found == pytest.approx(expected, rel=1e-6)
    for part in ('weights', 'average'):
        assert sharded[part].keys() == whole[part].keys()
        for key, value in whole[part].items():
            torch.testing.assert_close(sharded[part][key], value, rtol=1e-6, atol=0.01 * RATE)


def test_a_checkpoint_of_shards_goes_on_with_recomputed_blocks_bit_for_bit(ranks: list[dict[str, dict[str, Any]]]) -> None:
    sharded, recomputed = ranks[0]['sharded'], ranks[0]['sharded, recomputed']
    assert recomputed['logs'] == sharded['logs'][RESUMED_AT:] and len(recomputed['logs']) == 2
    assert all(same(recomputed[part], sharded[part]) for part in ('weights', 'average'))
