"""`glowdeblur doctor`: what works on this machine, and why the rest does not."""

import argparse
import os
import platform
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BROKEN, GIB = 1, 2**30
CORE_METRICS = ('psnr', 'ssim-2d', 'ssim-3d', 'niqe', 'reblur', 'reblur-gain')


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('doctor', help='what works on this machine, and why the rest does not',
                                 description='Try every metric, network and optional library on something small, and say of '
                                             'those that do not work what is missing. Nothing is fetched. Exit status 1 when '
                                             'something is broken that needs no extra.')
    parser.add_argument('--metrics', action='store_true', help='metrics alone')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from glowdeblur_plugin import __version__
    from glowdeblur_plugin.commands.installation import versions

    found, broken = versions()
    print(f'glowdeblur_plugin {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}')
    print(', '.join(f'{name} {version}' for name, version in found.items()))
    for name, reason in broken.items():
        _say('package', name, False, reason)
    if broken:
        print('Broken: nothing else can be tried before these packages can be imported.')
        return BROKEN
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        rows = _rows(options.metrics)
    failed = [name for _, name, works, _, core in rows if core and not works]
    print(f'Broken, though it needs no extra: {", ".join(failed)}.' if failed else 'All that needs no extra works.')
    return BROKEN if failed else 0


def _rows(metrics_alone: bool) -> list[tuple[str, str, bool, str, bool]]:
    """Kind, name, whether it works, the reason or a remark, and whether it must work, of all that is tried; each is printed
    when it is known."""
    import torch

    from glowdeblur_plugin.commands.installation import describe, trials
    from glowdeblur_plugin.metrics.availability import availability

    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    print(f'device: {_device(device)}')
    rows = [(*entry, entry.name.split()[0] in CORE_METRICS) for entry in availability(device)]
    said = ''
    for kind, name, works, reason, _ in rows:
        reason = reason.removeprefix(f'{name}: ')
        _say(kind, name, works, 'as above' if reason and reason == said else reason)
        said = reason
    for trial in [] if metrics_alone else trials():
        try:
            works, reason = True, trial.run(device)
        except Exception as error:
            works, reason = False, describe(error)
        _say(trial.kind, trial.name, works, reason.removeprefix(f'{trial.name}: '))
        rows.append((trial.kind, trial.name, works, reason, trial.core))
    return rows


def _say(kind: str, name: str, works: bool, reason: str) -> None:
    print(f'{kind:8} {name:26} {"works" if works else "no"}{": " + reason if reason else ""}', flush=True)


def _device(device: 'torch.device') -> str:
    import torch

    from glowdeblur_plugin.resources import free_bytes

    name = f'CPU, {os.cpu_count()} cores, {torch.get_num_threads()} threads of torch'
    if device.type == 'cuda':
        name = torch.cuda.get_device_name()
    return f'{name}, {free_bytes(device) / GIB:.1f} GiB free'
