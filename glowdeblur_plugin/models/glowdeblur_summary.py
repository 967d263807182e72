"""summary.json: what a training run reached, in one flat file."""

import json
import os
from pathlib import Path
from typing import Any


def write_summary(folder: Path, rows: list[dict[str, Any]], facts: dict[str, Any]) -> Path:
    """Write the means over the pictures and the facts of the run to `folder`/summary.json, whole or not at all.

    Args:
        folder: the experiment's folder.
        rows: one per picture: `path` and figures by name.
        facts: whatever else belongs there, plain values.
    """
    names = [name for name, value in rows[0].items() if isinstance(value, float)]
    means = {name: sum(row[name] for row in rows) / len(rows) for name in names}
    pictures = [{name: row[name] for name in ('path', *names)} for row in rows]
    target = folder / 'summary.json'
    temporary = folder / '.summary.json.tmp'
    temporary.write_text(json.dumps({**means, **facts, 'pictures': pictures}, indent=2) + '\n')
    os.replace(temporary, target)
    return target
