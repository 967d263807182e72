"""`glowdeblur inspect`: which blur sets hold, and whether packed sets are whole."""

import argparse
import os
from pathlib import Path

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
    parser.add_argument('--reference', metavar='SET', help='real set that realism is measured against')
    parser.add_argument('--out', type=Path, default=Path('inspect'),
                        help='folder for inspect.json and the pictures (default: inspect)')
    parser.add_argument('--pictures', type=_at_least_one, metavar='N',
                        help='look at N pictures of each set, evenly spaced (default: all)')
    parser.add_argument('--workers', type=_at_least_one, metavar='N', default=os.cpu_count(),
                        help='processes for large sets (default: one a core)')
    parser.add_argument('--verify', action='store_true', help='only check every record of packed sets against its checksum')
    parser.set_defaults(run=_run)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number of at least 1')
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
    from glowdeblur_plugin.drawing import encode_png
    from glowdeblur_plugin.report.audit import as_json, as_table, audit_sets, check_reference, half_distance
    from glowdeblur_plugin.report.audit_pictures import comparison_picture, set_picture, trade_off_picture
    from glowdeblur_plugin.report.blur_record import measure_set
    from glowdeblur_plugin.report.blur_set import chosen, file_name, open_set, tell_apart

    if options.out.exists() and not options.out.is_dir():
        raise UserError(f'--out: {options.out} is a file; give a folder')
    names = list(dict.fromkeys([*options.sets, *([options.reference] if options.reference else [])]))
    progress = ProgressLine()
    opened = {name: open_set(name, options.pictures, progress) for name in names}
    counts = {name: len(chosen(blur_set, options.pictures)) for name, blur_set in opened.items()}
    if options.reference:
        check_reference(opened[options.reference].label, counts[options.reference])
    tell_apart(opened)
    records = {name: measure_set(blur_set, options.pictures, options.workers, progress) for name, blur_set in opened.items()}
    reference = records[options.reference] if options.reference else None
    names = list(dict.fromkeys(options.sets))
    audits = audit_sets([records[name] for name in names], reference)

    files = {'inspect.json': as_json(audits, reference).encode(), 'comparison.png': encode_png(comparison_picture(audits))}
    if reference is not None:
        trade_off = trade_off_picture(audits, reference.label, half_distance(reference).total)
        files['realism_and_coverage.png'] = encode_png(trade_off)
    for name, audit in zip(names, audits):
        files[f'{file_name(audit.record.label)}.png'] = encode_png(set_picture(audit, opened[name]))
    for name, data in files.items():
        write_atomically(options.out / name, data)
    print(as_table(audits))
    for audit in audits:
        if audit.check is not None:
            check = audit.check
            print(f'{audit.record.label}: the estimator against the true motion: median direction error '
                  f'{check.direction_error:.1f} degrees, rank correlation of lengths {check.length_correlation:.2f}, '
                  f'histograms apart by {check.length_distance:.2f} octaves of length and {check.direction_distance:.2f} x 45 '
                  'degrees')
    print(f'{options.out}: {", ".join(sorted(files))}')
    return 0
