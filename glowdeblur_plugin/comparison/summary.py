"""What a comparison found, as `summary.json` holds it."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically


@dataclass
class SetRecord:
    label: str
    pictures: int
    protocol: str
    crop_border: int
    metrics: list[str]
    with_truth: bool
    names: list[str]


@dataclass
class MethodRecord:
    label: str
    kind: Literal['network', 'folder', 'blurry', 'codec']
    weights: str | None = None
    weights_sha256: str | None = None
    option: str | None = None
    seeds: list[int] = field(default_factory=list)
    device: str | None = None
    seconds_per_picture: float | None = None


@dataclass
class MetricRecord:
    label: str
    better: Literal['higher', 'lower']
    digits: int


@dataclass
class Cell:
    set: str
    method: str
    metric: str
    mean: float | None = None
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    why: str | None = None
    rank: Literal['best', 'second'] | None = None
    published: float | None = None
    published_source: str | None = None


@dataclass
class Summary:
    name: str
    created: str
    code_version: str
    torch: str
    device: str
    sets: dict[str, SetRecord]
    methods: dict[str, MethodRecord]
    metrics: dict[str, MetricRecord]
    cells: list[Cell]
    git: str | None = None

    @classmethod
    def read(cls, path: Path) -> 'Summary':
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
            return cls(**{
                **found, 'sets': {key: SetRecord(**value) for key, value in found['sets'].items()},
                'methods': {key: MethodRecord(**value) for key, value in found['methods'].items()},
                'metrics': {key: MetricRecord(**value) for key, value in found['metrics'].items()},
                'cells': [Cell(**value) for value in found['cells']]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f'{path}: no summary of a comparison ({error})') from None

    def write(self, path: Path) -> None:
        write_atomically(path, json.dumps(dataclasses.asdict(self), indent=2))
