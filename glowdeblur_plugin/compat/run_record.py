"""What a run must keep from start to end so that resuming it is exact, and its copy in the experiment's folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically

FILE_NAME = 'run.json'
OPTION_NAMES = {
    'seed': 'manual_seed',
    'batch_size': 'datasets:train:batch_size_per_gpu (times num_gpu without a launcher)',
    'world_size': 'the number of processes',
    'accumulate': 'train:accumulate',
    'dataset': 'the training data set or an option of datasets:train that changes its samples',
    'draws_per_epoch': 'the number of samples in an epoch (datasets:train:dataset_enlarge_ratio)',
    'iterations_per_epoch': 'the number of iterations in an epoch',
    'total_iter': 'train:total_iter, of which datasets:train:schedule gives shares,',
}


def run_record(opt: Mapping[str, Any], loader: DataLoader, iterations_per_epoch: int) -> dict[str, Any]:
    """Identity of the run that `opt` and its training loader describe: numbers and text under the keys of `OPTION_NAMES`."""
    dataset = loader.dataset
    fingerprint = dataset.fingerprint() if hasattr(dataset, 'fingerprint') else f'{type(dataset).__name__} of {len(dataset)}'
    record = {**settings_record(opt), 'dataset': fingerprint, 'draws_per_epoch': loader.sampler.total_size,
              'iterations_per_epoch': iterations_per_epoch}
    return {**record, 'total_iter': opt['train']['total_iter']} if getattr(dataset, 'scheduled', False) else record


def settings_record(opt: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the record that is known before data is opened."""
    loaders = 1 if opt['dist'] else max(opt['num_gpu'], 1)
    return {'seed': opt['manual_seed'], 'batch_size': opt['datasets']['train']['batch_size_per_gpu'] * loaders,
            'world_size': opt['world_size'], 'accumulate': opt['train'].get('accumulate', 1)}


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `record` as `run.json` into `folder`, whole or not at all."""
    write_atomically(folder / FILE_NAME, json.dumps(record, indent=2) + '\n')


def read_record(folder: Path) -> dict[str, Any]:
    """The record in `folder`; empty when there is none that can be read."""
    try:
        record = json.loads((folder / FILE_NAME).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def require_same(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Check that a run with the record `new`, or this part of it, may go on from a checkpoint of a run with the record `old`.

    Raises:
        UserError: they differ; names what, the old and the new value.
    """
    for key, option in OPTION_NAMES.items():
        if key in old and key in new and old[key] != new[key]:
            raise UserError(f'resume: {option} was {old[key]} when the run started and is {new[key]} now; set it back, '
                            'or give the new run another name')
