"""summary.json: what a training run reached, in one flat file."""

import json
from pathlib import Path
from typing import Any

from glowdeblur_plugin.models.checkpoints import write_whole
from glowdeblur_plugin.models.validation import mean_scalars


def write_summary(target: Path, rows: list[dict[str, Any]], facts: dict[str, Any]) -> Path:
    """Write means over pictures and facts of a run as JSON to `target`, whole or not at all.

    Args:
        rows: one per picture: `index`, `path` and figures by name.
        facts: whatever else belongs there, plain values.
    """
    text = json.dumps({**mean_scalars(rows), **facts, 'pictures': rows}, indent=2) + '\n'
    write_whole(target, lambda path: path.write_text(text))
    return target
