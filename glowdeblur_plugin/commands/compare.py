"""`glowdeblur compare`: methods x sets x metrics, as tables and as a page."""

import argparse
from typing import TYPE_CHECKING, Any

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import unknown_key

if TYPE_CHECKING:
    from glowdeblur_plugin.comparison.options import CompareOptions


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('compare', help='compare methods on sets: tables, pictures and a page',
                                 description='Restore the pictures of sets with several methods and measure them under named '
                                             'protocols: tables on the screen and as Markdown, LaTeX, CSV and JSON, values of '
                                             'single pictures, and index.html. Interrupted work goes on where it was.')
    parser.add_argument('-opt', required=True, metavar='FILE', help='option file: options/compare/quickstart.yml')
    parser.add_argument('--force_yml', nargs='+', default=[], metavar='SECTION:KEY=VALUE',
                        help='change options, such as sets:gopro:first=20, or methods:restormer=none to leave one out')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    import os

    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    from glowdeblur_plugin import compat
    from glowdeblur_plugin.option_file import apply_changes, read_option_file
    from glowdeblur_plugin.register import register

    compat.install()
    register()
    from glowdeblur_plugin.comparison.options import read_comparison
    from glowdeblur_plugin.comparison.page import write_page
    from glowdeblur_plugin.comparison.runner import compare
    from glowdeblur_plugin.comparison.tables import as_markdown, write_tables
    from glowdeblur_plugin.data.progress import ProgressLine

    opt = read_option_file(options.opt)
    apply_changes(opt, options.force_yml)
    comparison = read_comparison(opt)
    _check_left_out(comparison.top, read_option_file(options.opt))
    folder = comparison.top.folder
    if folder.exists() and not folder.is_dir():
        raise UserError(f'out: {folder} is a file; give a folder')
    summary = compare(comparison, _open_restorer, ProgressLine())
    write_tables(folder)
    page = write_page(folder)
    for name in summary.sets:
        print(as_markdown(summary, name), end='\n\n')
    for note in summary.notes:
        print(f'{note}.\n')
    print(page)


def _check_left_out(top: 'CompareOptions', file: dict[str, Any]) -> None:
    """Refuse `none` for a method or set that the file does not have: a misspelt name would leave nothing out in silence."""
    for option, sections in (('methods', top.methods), ('sets', top.sets)):
        for name, section in sections.items():
            if section is None and name not in (file.get(option) or {}):
                raise unknown_key(f'--force_yml: {option}', name, file.get(option) or {})


def _open_restorer(*arguments: Any, **settings: Any) -> Any:
    """`Restorer.from_weights`, imported where a network is run: results made elsewhere need none."""
    from glowdeblur_plugin.inference.restorer import Restorer

    return Restorer.from_weights(*arguments, **settings)
