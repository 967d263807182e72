"""Data loaders of a run that reaches exactly `total_iter` and may go on where it was stopped."""

import math
from logging import Logger
from pathlib import Path
from typing import Any

import basicsr.train
from torch.utils.data import DataLoader

from glowdeblur_plugin.compat import run_record
from glowdeblur_plugin.compat.sampler import DrawSampler
from glowdeblur_plugin.errors import UserError

Loaders = tuple[DataLoader, DrawSampler, list[DataLoader], int, int]
_stock_loaders = basicsr.train.create_train_val_dataloader


def create_train_val_dataloader(opt: dict[str, Any], logger: Logger) -> Loaders:
    """BasicSR's loaders, with the last epoch counted over full batches only, as the loader gives them.

    Fills in the seed of the training data, tells a mixture how iterations are counted, writes the run's record into
    `opt['run']` and `run.json`, and on resume lets the sampler leave out what was seen.

    Returns:
        Training loader, its sampler, validation loaders, number of the last epoch (BasicSR's loop includes it), total iterations.

    Raises:
        UserError: less data than one batch over all processes; or a resumed run that is not the one that was stopped.
    """
    for note in opt.pop('resume_notes', []):
        logger.warning(note)
    if opt['manual_seed_drawn']:
        logger.info(f"manual_seed is not given; this run's is {opt['manual_seed']}.")
    if opt['datasets']['train'].get('seed') is None:
        opt['datasets']['train']['seed'] = opt['manual_seed']
    loader, sampler, val_loaders, _, total_iterations = _stock_loaders(opt, logger)
    per_epoch = len(sampler) // loader.batch_size
    if per_epoch == 0:
        raise UserError(f'datasets:train: {len(loader.dataset)} pictures give {len(sampler)} samples an epoch and process, less '
                        f'than one batch of {loader.batch_size}; raise dataset_enlarge_ratio or lower batch_size_per_gpu')
    if getattr(loader.dataset, 'takes_places', False):
        sampler.keep(per_epoch * loader.batch_size)
        loader.dataset.set_run(loader.batch_size * opt['world_size'], total_iterations)
    last_epoch = math.ceil(total_iterations / per_epoch) - 1
    logger.info(f'Full batches in an epoch: {per_epoch} (the last, incomplete one is dropped); epochs: {last_epoch + 1}.')
    record = run_record.run_record(opt, loader, per_epoch)
    point = opt.pop('resume_point', None)
    if point is not None:
        if not point['record']:
            logger.warning('The checkpoint does not say how its run was started: batch size, data and seed are not compared.')
        run_record.require_same(point['record'], record)
        sampler.resume(point['epoch'], _iterations_of_epoch(point, per_epoch) * loader.batch_size)
    opt['run'] = record
    if opt['rank'] == 0:
        run_record.write_record(Path(opt['path']['experiments_root']), record)
    return loader, sampler, val_loaders, last_epoch, total_iterations


def _iterations_of_epoch(point: dict[str, Any], per_epoch: int) -> int:
    """Iterations that the resumed epoch has had."""
    iterations = point['iter'] - point['epoch'] * per_epoch
    if iterations < 0:
        raise UserError(f"resume: the checkpoint of iteration {point['iter']} lies in epoch {point['epoch']}, which starts at "
                        f"iteration {point['epoch'] * per_epoch} now; it was made with other data, batch size or "
                        'dataset_enlarge_ratio')
    return iterations
