"""The launchers' reading of the command line and the option file, before BasicSR makes any folder."""

import argparse
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from basicsr.utils import options as stock

from glowdeblur_plugin import checks
from glowdeblur_plugin.compat import allocator, distributed
from glowdeblur_plugin.compat.resume import require_pretrained
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.option_file import apply_changes, read_option_file


def parse_options(root_path: str, is_train: bool = True) -> tuple[dict[str, Any], argparse.Namespace]:
    """BasicSR's `parse_options`, which the pipelines call first, with every check before it and what the run needs after it.

    Args:
        root_path: folder under which experiments, results and relative paths of the option file lie.

    Returns:
        The options, with `manual_seed_drawn` beside BasicSR's own keys, and the command line.

    Raises:
        UserError: anything in the command line or the option file that is wrong, or data that is missing.
    """
    arguments = _command_line()
    opt = read_option_file(arguments.opt)
    apply_changes(opt, arguments.force_yml or [])
    opt['path'] = opt.get('path') or {}
    checks.check_options(opt, is_train)
    if is_train:
        checks.check_sharding(opt, arguments.launcher)
    if opt.get('val') is None:
        opt.pop('val', None)  # with --debug, BasicSR writes into a section that is there
    set_gpus(opt, arguments.launcher)
    resolve_paths(opt, Path(root_path))
    drawn = opt.get('manual_seed') is None
    distributed.start(arguments.launcher, opt['num_gpu'] != 0, opt.get('dist_params') or {})
    if drawn:
        opt['manual_seed'] = distributed.on_first(lambda: random.randint(1, 10000))
    opt, _ = _stock_parse(opt, arguments, root_path, is_train)
    opt['manual_seed_drawn'] = drawn
    if is_train:
        checks.check_accumulation(opt)
        _require_apart(Path(arguments.opt), Path(opt['path']['experiments_root']))
    if not (is_train and (arguments.auto_resume or opt['path'].get('resume_state'))):
        require_pretrained(opt)
    section = opt.get('prepare')
    if section is not None:
        from glowdeblur_plugin.data.packers.prepare import prepare
        from glowdeblur_plugin.data.progress import ProgressLine

        distributed.on_first(lambda: prepare(section, Path(root_path), ProgressLine()))
    checks.check_data_paths(opt)
    return opt, arguments


def resolve_paths(opt: dict[str, Any], root: Path) -> None:
    """Make relative paths in `opt` absolute, under `root`: each `dataroot*`, `prepare:out`, networks and states under `path`,
    and pretrained parts and the instruction of `network_g` that are there (others are hub ids)."""
    def resolve(section: dict[str, Any], key: str) -> None:
        value = section[key]
        if isinstance(value, str):
            section[key] = str(root / Path(value).expanduser())
        elif isinstance(value, list):
            section[key] = [str(root / Path(entry).expanduser()) for entry in value]

    for section, key, _ in checks.data_roots(opt):
        resolve(section, key)
    for key in opt['path']:
        if key == 'resume_state' or key.startswith('pretrain_network') and not key.endswith('_made_by'):
            resolve(opt['path'], key)
    network = opt['network_g'] if isinstance(opt.get('network_g'), dict) else {}
    for key in ('backbone', 'codec', 'text_encoder', 'text_instruction'):
        if isinstance(network.get(key), str) and (root / Path(network[key]).expanduser()).exists():
            resolve(network, key)
    if isinstance(opt.get('prepare'), dict) and 'out' in opt['prepare']:
        resolve(opt['prepare'], 'out')


def set_gpus(opt: dict[str, Any], launcher: str) -> None:
    """Turn `num_gpu: auto` into a number; prepare a run on the CPU.

    Raises:
        UserError: more than this machine has, with a launcher also more than processes; or several without a launcher.
    """
    present, wanted = torch.cuda.device_count(), opt['num_gpu']
    if wanted == 'auto':
        wanted = opt['num_gpu'] = present if launcher != 'none' else min(present, 1)
    processes = int(os.environ.get('WORLD_SIZE') or os.environ.get('SLURM_NTASKS') or 1) if launcher != 'none' else 1
    if wanted > 0 and (present == 0 or wanted > max(present, processes)):
        raise UserError(f'num_gpu: {wanted} is more than the {present} of this machine; use num_gpu: auto, or 0 for the CPU')
    if wanted > 1 and launcher == 'none' and checks.is_ours(opt):
        raise UserError(f'num_gpu: {wanted} needs one process for each GPU: torchrun --nproc_per_node {wanted} basicsr/train.py '
                        '-opt ... --launcher pytorch')
    if wanted == 0:
        allocator.keep_memory()


def _command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument('-opt', required=True, help='option file, YAML')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='pytorch: started by torchrun')
    parser.add_argument('--auto_resume', action='store_true', help='go on from the newest checkpoint of the experiment')
    parser.add_argument('--debug', action='store_true', help='validate and save every 8 iterations, log each one')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by launchers')
    parser.add_argument('--force_yml', nargs='+', metavar='SECTION:KEY=VALUE', help='change options: train:total_iter=100')
    return parser.parse_args()


def _stock_parse(opt: dict[str, Any], arguments: argparse.Namespace, root_path: str,
                 is_train: bool) -> tuple[dict[str, Any], argparse.Namespace]:
    """Let BasicSR fill in what it adds to `opt`, which stands in for the file; the process group has been joined before."""
    class Given:
        def __init__(self, stream: Any) -> None:
            pass

        def get_single_data(self) -> dict[str, Any]:
            return opt

        def dispose(self) -> None:
            pass

    command = [sys.argv[0], '-opt', arguments.opt, '--launcher', arguments.launcher]
    command += [flag for flag, given in (('--auto_resume', arguments.auto_resume), ('--debug', arguments.debug)) if given]
    with _replaced(sys, argv=command), _replaced(stock, ordered_yaml=lambda: (Given, None), init_dist=lambda *_, **__: None):
        return stock.parse_options(root_path, is_train)


@contextmanager
def _replaced(target: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(target, name) for name in values}
    vars(target).update(values)
    try:
        yield
    finally:
        vars(target).update(before)


def _require_apart(option_file: Path, folder: Path) -> None:
    if option_file.resolve().parent == folder.resolve():
        raise UserError(f"-opt: '{option_file}' lies in the experiment's own folder, where a copy goes; use one outside of it")
