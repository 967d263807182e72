"""The command `glowdeblur`: thin sub-commands over the packages below."""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from glowdeblur_plugin.commands import (caption, compare, complexity, doctor, embed, inspect, latents, merge, pack, restore,
                                        simulate, steps, study)
from glowdeblur_plugin.commands.lazy_parser import LazyParser
from glowdeblur_plugin.errors import UserError

COMMANDS = (pack, simulate, inspect, compare, study, caption, embed, latents, complexity, steps, merge, restore, doctor)
BAD_INPUT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `glowdeblur <sub-command> ...` and return the exit status: 0; 2 after one line on stderr on bad input; 130 after one
    line when interrupted; a sub-command may return another, as `inspect --verify` does."""
    os.environ.setdefault('OPENCV_LOG_LEVEL', 'FATAL')  # our own line names a damaged file; OpenCV reads these when loaded
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in ('train', 'test'):
        return _launch(arguments[0], arguments[1:])
    try:
        options = _parser().parse_args(arguments)
        return options.run(options) or 0
    except UserError as error:
        print(f'glowdeblur: {error}', file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print('glowdeblur: interrupted', file=sys.stderr)
        return INTERRUPTED


def _launch(command: str, arguments: list[str]) -> int:
    """Hand over to BasicSR's own command line, which reads `sys.argv`."""
    if command == 'train':
        from glowdeblur_plugin.train import main as launch
    else:
        from glowdeblur_plugin.test import main as launch
    sys.argv = [f'glowdeblur {command}', *arguments]
    return launch()


def _parser() -> argparse.ArgumentParser:
    parser = LazyParser(prog='glowdeblur', description='Generative deblurring of real photographs, on BasicSR.')
    commands = parser.add_subparsers(required=True, metavar='command')
    for name in ('train', 'test'):
        commands.add_parser(name, help=f'{name} a model: glowdeblur {name} -opt options/....yml', add_help=False)
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == '__main__':
    sys.exit(main())
