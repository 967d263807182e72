"""GLOWDeblurModel on two gloo processes with pairs, which know no motion."""

import os
import socket
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from glowdeblur_plugin.register import register
from toy_model import same, toy_options, train

ITERATIONS = 4


def _rank(rank: int, port: int, folder: str, pairs: str) -> None:
    """Train on crops of the rank's own pairs, first without and then with the flow."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), GLOO_SOCKET_IFNAME='lo')
    register()
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', rank=rank, world_size=2)
    options = toy_options(Path(folder), total_iter=ITERATIONS, warmup_phase_share=0.5, optim_g={'lr': 0.001},
                          scheduler={'final_lr_ratio': 1.0})
    options |= {'model_type': 'GLOWDeblurModel', 'network_g': {'type': 'GLOWDeblur', 'target': 'around'}, 'dist': True,
                'rank': rank, 'world_size': 2}
    model = GLOWDeblurModel(options)
    roots = {f'dataroot_{side}': str(Path(pairs) / side) for side in ('lq', 'gt')}
    data = PairedLMDBDataset({'name': 'pairs', 'phase': 'train', 'gt_size': 16, 'seed': rank, **roots})
    start = {name: value.detach().clone() for name, value in model.bare_net.named_parameters()}
    train(model, *(torch.utils.data.default_collate([data[draw], data[draw + 1]]) for draw in range(ITERATIONS)))
    end = dict(model.bare_net.named_parameters())
    moved = [name for name in start if not torch.equal(start[name], end[name])]
    torch.save({'parameters': {name: value.detach() for name, value in end.items()}, 'moved': moved,
                'log': model.get_current_log()}, Path(folder) / f'rank{rank}.pt')
    distributed.destroy_process_group()


def test_pairs_without_motion_train_all_but_the_estimator(tmp_path: Path, pairs: Path) -> None:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(_rank, (port, str(tmp_path), str(pairs)), nprocs=2)
    ranks: list[dict[str, Any]] = [torch.load(tmp_path / f'rank{rank}.pt', weights_only=True) for rank in range(2)]
    assert same(ranks[0]['parameters'], ranks[1]['parameters'])
    parts = {name.split('.')[0] for name in ranks[0]['moved']}
    assert parts == {'prereconstruction', 'alignment', 'backbone', 'null_text'}
    assert ranks[0]['log']['l_motion'] == 0 and ranks[0]['log']['l_flow'] > 0
