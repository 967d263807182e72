"""Everything about a plan that can be checked before anything is written."""

from collections import Counter
from pathlib import Path

from glowdeblur_plugin.data.decode import PLAIN, PictureHeader, read_header
from glowdeblur_plugin.data.lmdb_writer import VALID_KEY
from glowdeblur_plugin.data.packers.plan import Entry, SplitPlan
from glowdeblur_plugin.data.progress import Progress
from glowdeblur_plugin.data.workers import Workers
from glowdeblur_plugin.errors import UserError

HEADERS_A_TASK = 64
NAMED = 3
Headers = dict[Path, PictureHeader]


def check_plan(plan: SplitPlan, workers: Workers, progress: Progress) -> Headers:
    """Check keys, files, and that pairs have one size, depth and number of channels.

    Returns:
        Header of every file.

    Raises:
        UserError: names the first problems and counts the others.
    """
    title = f'{plan.set_name} {plan.split}'
    if not plan.entries:
        raise UserError(f'{title}: no picture was found')
    files = list(dict.fromkeys(file for entry in plan.entries for sources in entry.files.values() for file in sources))
    headers, unreadable, done = {}, {}, 0
    progress(f'{title}: checked', 0, len(files))
    batches = (files[start:start + HEADERS_A_TASK] for start in range(0, len(files), HEADERS_A_TASK))
    for batch in workers.map(read_headers, batches):
        for file, found in batch:
            (unreadable if isinstance(found, str) else headers)[file] = found
        done += len(batch)
        progress(f'{title}: checked', done, len(files))
    problems = _key_problems(plan.entries)
    for entry in plan.entries:
        problems += _file_problems(entry, headers, unreadable)
    if problems:
        raise UserError(f'{title}: {first_of(problems)}; nothing was written')
    return headers


def first_of(problems: list[str]) -> str:
    """The first problems in one line, and how many more there are."""
    more = f' (and {len(problems) - NAMED} more)' if len(problems) > NAMED else ''
    return '; '.join(problems[:NAMED]) + more


def read_headers(files: list[Path]) -> list[tuple[Path, PictureHeader | str]]:
    """Each file with its header, or with what is wrong with it."""
    return [(file, _header_or_problem(file)) for file in files]


def converted_kinds(headers: Headers) -> dict[str, int]:
    """Number of pictures of each kind that is turned into 8-bit RGB by decoding."""
    counts = Counter(header.kind for header in headers.values())
    return {kind: count for kind, count in sorted(counts.items()) if kind != PLAIN}


def _header_or_problem(file: Path) -> PictureHeader | str:
    try:
        file.stat()
        return read_header(file)
    except (FileNotFoundError, NotADirectoryError):
        return f'{file} is missing'
    except OSError as error:
        return f'{file}: cannot be read ({error.strerror})'
    except UserError as error:
        return str(error)


def _key_problems(entries: list[Entry]) -> list[str]:
    problems, taken = [], {}
    for entry in entries:
        file = next(iter(entry.files.values()))[0]
        if not VALID_KEY.fullmatch(entry.key):
            problems.append(f"{file} gives the key '{entry.key}', keys are 1 to 200 letters, digits, '_' and '-'")
        elif entry.key in taken:
            problems.append(f"{taken[entry.key]} and {file} would both get the key '{entry.key}'")
        taken.setdefault(entry.key, file)
    return problems


def _file_problems(entry: Entry, headers: Headers, unreadable: dict[Path, str]) -> list[str]:
    files = [file for sources in entry.files.values() for file in sources]
    bad = list(dict.fromkeys(file for file in files if file in unreadable))
    if bad:
        partner = next((file for file in files if file in headers), None)
        return [unreadable[file] + (f' (its partner {partner} is there)' if partner else '') for file in bad]
    first = headers[files[0]]
    other = next((file for file in files if headers[file] != first), None)
    return [] if other is None else [f'{files[0]} is {_describe(first)}, but {other} is {_describe(headers[other])}']


def _describe(header: PictureHeader) -> str:
    return f'{header.width}x{header.height} {header.kind}'
