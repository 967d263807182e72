"""Real runs for tests, without BasicSR's start of four seconds each time.

`python tests/toy_run.py` imports everything once and then forks processes for each request that it reads: real ones, which may
be killed for real. `Runs` talks to it. Requests and answers are lines of JSON.
"""

import gc
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

Options = dict[str, Any]
KILLED = -signal.SIGKILL
# A pre-reconstruction of few tensors: sharding and checkpoints take time by their number.
SMALL_PICTURE_PART = {'type': 'PreReconstruction', 'width': 16, 'encoder_blocks': [1], 'middle_blocks': 1,
                      'decoder_blocks': [1], 'patch': 4}


class Runs:
    """The server of runs, as the tests see it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, root: Path, option_file: Path, *arguments: str, pipeline: str = 'train', kill_at: int | None = None,
              kill_with: int = signal.SIGKILL, ranks: int = 1, break_sampler: bool = False) -> tuple[list[int], str]:
        """Train or test with the command line `-opt <option_file> <arguments>` and `root` as the place of results.

        Args:
            kill_at: the process sends itself `kill_with` when BasicSR logs this iteration, after its step, before its checkpoint.
            ranks: processes, as torchrun would start them.
            break_sampler: the sampler does not leave out what was seen.

        Returns:
            Exit status of each process (KILLED for SIGKILL) and all that they wrote.
        """
        return self._ask({'root': str(root), 'arguments': ['-opt', str(option_file), *arguments], 'pipeline': pipeline,
                          'kill_at': kill_at, 'kill_with': int(kill_with), 'ranks': ranks, 'break_sampler': break_sampler,
                          'output': str(root / 'output.txt')})

    def train(self, root: Path, option_file: Path, *arguments: str, **settings: Any) -> str:
        """`start` a run that must end well; returns what it wrote."""
        codes, text = self.start(root, option_file, *arguments, **settings)
        assert not any(codes), text
        return text

    def call(self, function: Callable[..., None], folder: Path, *arguments: str) -> None:
        """Call a test module's `function(rank, folder, *arguments)` in two processes, which are a gloo group of torch.distributed;
        both must end well."""
        file = Path(function.__code__.co_filename)
        codes, text = self._ask({'folders': [str(file.parent), *sys.path], 'module': file.stem, 'function': function.__name__,
                                 'arguments': [str(folder), *arguments], 'ranks': 2, 'output': str(folder / 'output.txt')})
        assert codes == [0, 0], text

    def _ask(self, request: dict[str, Any]) -> tuple[list[int], str]:
        self.process.stdin.write(json.dumps(request) + '\n')
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline()), Path(request['output']).read_text()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def write_options(path: Path, options: Options, **changes: Any) -> Path:
    """Write an option file with changes such as `train__total_iter=8`."""
    options = json.loads(json.dumps(options))
    for name, value in changes.items():
        *sections, key = name.split('__')
        target = options
        for section in sections:
            target = target[section]
        target[key] = value
    path.write_text(yaml.safe_dump(options, sort_keys=False))
    return path


class _KillAt(logging.Handler):
    def __init__(self, iteration: int, number: int) -> None:
        super().__init__()
        self.text, self.number = f'iter:{iteration:8,d},', number

    def emit(self, record: logging.LogRecord) -> None:
        if self.text in record.getMessage():
            os.kill(os.getpid(), self.number)


def _answer(request: dict[str, Any], rank: int, port: int) -> int:
    """What a forked process does; returns its exit status."""
    import torch

    torch.set_num_threads(1)
    output = os.open(request['output'], os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if request['ranks'] > 1:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(request['ranks']), MASTER_ADDR='127.0.0.1',
                          MASTER_PORT=str(port), GLOO_SOCKET_IFNAME='lo')
    try:
        return (_call if 'function' in request else _run)(request, rank)
    except SystemExit as error:
        return error.code
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _call(request: dict[str, Any], rank: int) -> int:
    from torch import distributed

    sys.path[:0] = request['folders']
    function = getattr(importlib.import_module(request['module']), request['function'])
    distributed.init_process_group('gloo')
    function(rank, *request['arguments'])
    distributed.destroy_process_group()
    return 0


def _run(request: dict[str, Any], _: int) -> int:
    from glowdeblur_plugin import launch
    from glowdeblur_plugin.compat.sampler import DrawSampler

    sys.argv = ['train.py', *request['arguments']]
    if request['ranks'] > 1:
        sys.argv += ['--launcher', 'pytorch']
    if request['kill_at'] is not None:
        logging.getLogger('basicsr').addHandler(_KillAt(request['kill_at'], request['kill_with']))
    if request['break_sampler']:
        DrawSampler.resume = lambda *_: None
    return launch.main(request['pipeline'], Path(request['root']))


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def _serve() -> None:
    from glowdeblur_plugin import compat
    from glowdeblur_plugin.register import register

    compat.install()
    register()
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    gc.collect()
    gc.freeze()  # a child's collector would copy the pages of all that was imported
    for line in sys.stdin:
        request = json.loads(line)
        Path(request['output']).write_text('')
        port, children = _free_port(), []
        for rank in range(request['ranks']):
            child = os.fork()
            if child == 0:
                os._exit(_answer(request, rank, port))
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        answers.write(json.dumps(codes) + '\n')
        answers.flush()


if __name__ == '__main__':
    _serve()
