"""Starting BasicSR's pipelines with the plugin in place; what the user got wrong becomes one line."""

import logging
import os
import sys
from pathlib import Path
from typing import Literal

from glowdeblur_plugin.errors import UserError

BAD_INPUT, INTERRUPTED = 2, 130


def main(pipeline: Literal['train', 'test'], root: Path) -> int:
    """Run `basicsr.train.train_pipeline` or `basicsr.test.test_pipeline` with the options of the command line.

    Args:
        pipeline: which of the two.
        root: folder that `experiments/`, `results/`, `tb_logger/` and relative paths of the option file lie under.

    Returns:
        Exit status: 0; 2 when the input is wrong, with one line `error: ...` on stderr and in the log; 130 when interrupted.
    """
    # Before torch loads its thread pool: threads that wait sleep. Spinning ones cost several times the work where loader workers
    # share the cores.
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    try:
        _run(pipeline, str(root.resolve()))
    except UserError as error:
        _tell(f'error: {one_line(error)}')
        return BAD_INPUT
    except KeyboardInterrupt:
        way_on = '; the same command with --auto_resume goes on from the last checkpoint' if pipeline == 'train' else ''
        _tell(f'interrupted{way_on}')
        return INTERRUPTED
    finally:
        _leave_group()
    return 0


def one_line(error: UserError) -> str:
    """The message of `error` alone; a loader's worker hands it on at the end of a stack trace."""
    message = str(error)
    if 'Original Traceback' in message:
        message = message.rsplit(f'{UserError.__name__}: ', 1)[-1]
    return ' '.join(message.split())


def _run(pipeline: str, root: str) -> None:
    from glowdeblur_plugin import compat
    from glowdeblur_plugin.register import register

    compat.install()
    register()
    if pipeline == 'train':
        from basicsr.train import train_pipeline

        train_pipeline(root)
    else:
        from basicsr.test import test_pipeline

        test_pipeline(root)


def _tell(line: str) -> None:
    rank = int(os.environ.get('RANK', 0))
    if rank:
        line = f'rank {rank}: {line}'
    sys.stderr.write(line + '\n')
    record = logging.LogRecord('basicsr', logging.ERROR, __file__, 0, line, None, None)
    for handler in logging.getLogger('basicsr').handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)


def _leave_group() -> None:
    distributed = getattr(sys.modules.get('torch'), 'distributed', None)
    if distributed is not None and distributed.is_initialized():
        distributed.destroy_process_group()
