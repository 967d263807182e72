"""`glowdeblur inspect`: which blur sets hold, and whether packed sets are whole."""

import argparse
from pathlib import Path

from glowdeblur_plugin.commands.arguments import report_folder
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('inspect', help='audit the blur of sets: directions, lengths, diversity, realism',
                                 description='Audit the blur of sets of pictures: a table on the screen, all numbers in '
                                             'inspect.json, and pictures.')
    parser.add_argument('sets', nargs='+', metavar='SET',
                        help='packed set (.lmdb) or folder of blurry pictures; or DOMAIN:PATH, a domain of the blur simulator '
                             'on the sharp pictures in PATH, such as gopro:datasets_lmdb/lsdir/train_gt.lmdb')
    parser.add_argument('--reference', metavar='SET',
                        help='real set that realism is measured against, the larger the better')
    parser.add_argument('--out', type=report_folder, default='inspect',
                        help='folder for inspect.json and the pictures (default: inspect)')
    parser.add_argument('--pictures', metavar='N',
                        help='look at N pictures of each set, evenly spaced (default: all)')
    parser.add_argument('--workers', metavar='N',
                        help='processes for large sets (default: one a core)')
    parser.add_argument('--verify', action='store_true', help='only check every record of packed sets against its checksum')
    parser.set_defaults(run=_run)


def _at_least_one(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f'{option}: {text!r} is no whole number of at least 1')
    return int(text)


def _run(options: argparse.Namespace) -> int:
    return _verify(options.sets) if options.verify else _audit(options)


def _verify(sets: list[str]) -> int:
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.data.verify import verify_set

    for name in sets:
        if Path(name).suffix != '.lmdb' or not Path(name).is_dir():
            raise UserError(f'--verify: {name} is no packed set; give folders whose names end in .lmdb')
    damaged = 0
    for name in sets:
        problems = verify_set(Path(name), ProgressLine())
        print('\n'.join(problems) if problems else f'{name}: whole')
        damaged += len(problems)
    return 1 if damaged else 0


def _audit(options: argparse.Namespace) -> int:
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.data.workers import usable_cores
    from glowdeblur_plugin.drawing import encode_png
    from glowdeblur_plugin.report.audit import as_json, as_table, audit_sets, notes
    from glowdeblur_plugin.report.audit_pictures import comparison_picture, set_picture, trade_off_picture
    from glowdeblur_plugin.report.blur_record import measure_set
    from glowdeblur_plugin.report.blur_set import chosen, file_name, naming, open_set, tell_apart
    from glowdeblur_plugin.report.realism_scale import check_reference

    pictures, workers = _at_least_one('--pictures', options.pictures), _at_least_one('--workers', options.workers)
    _refuse_repeated(options.sets)
    reference, progress = options.reference, ProgressLine()
    option = {name: 'SET' for name in options.sets}
    if reference is not None:
        reference = next((name for name in options.sets if _place(name) == _place(reference)), reference)
        option.setdefault(reference, '--reference')
    opened = {}
    for name in option:
        opened[name] = open_set(name, pictures, progress, option[name])
        with naming(option[name]):
            count = len(chosen(opened[name], pictures))
        if name == reference:
            check_reference(opened[name].label, count)
    tell_apart(opened)
    records = {}
    for name, blur_set in opened.items():
        with naming(option[name]):
            records[name] = measure_set(blur_set, pictures, workers or usable_cores(), progress)
    audits = audit_sets([records[name] for name in options.sets], None if reference is None else records[reference])
    print('\n'.join([as_table(audits), *notes(audits)]), flush=True)

    files = {'inspect.json': as_json(audits).encode(), 'comparison.png': encode_png(comparison_picture(audits))}
    if reference is not None:
        files['realism_and_coverage.png'] = encode_png(trade_off_picture(audits))
    for name, audit in zip(options.sets, audits):
        files[f'{file_name(audit.record.label)}.png'] = encode_png(set_picture(audit, opened[name]))
    for name, data in files.items():
        write_atomically(options.out / name, data)
    print(f'{options.out}: {", ".join(sorted(files))}')
    return 0


def _refuse_repeated(sets: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in sets:
        if _place(name) in seen:
            raise UserError(f'SET: {name} is the same as {seen[_place(name)]}; give each set once')
        seen[_place(name)] = name


def _place(name: str) -> str:
    """What a set's name means, however its path is written."""
    domain, colon, root = name.rpartition(':')
    return f'{domain}{colon}{Path(root).resolve() if root else ""}'
