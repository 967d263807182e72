"""The values of single pictures, as `per_picture.csv` holds them."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from glowdeblur_plugin.comparison.summary import MetricRecord, Summary
from glowdeblur_plugin.errors import UserError

COLUMNS = {'set', 'method', 'picture', 'metric', 'value'}
Values = dict[tuple[str, str, str], dict[str, float]]


def read_values(path: Path) -> Values:
    """(set, method, metric) -> picture -> value, the mean over the seeds; pictures without a finite value are not in it.

    Raises:
        UserError: the file is missing, lacks a column or holds a value that is no number.
    """
    found: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    try:
        with path.open(encoding='utf-8', newline='') as file:
            reader = csv.DictReader(file)
            missing = COLUMNS - set(reader.fieldnames or ())
            if missing:
                raise UserError(f'{path}: column {", ".join(sorted(missing))} is missing; glowdeblur compare writes it')
            for row in reader:
                if row['value']:
                    pictures = found.setdefault((row['set'], row['method'], row['metric']), {})
                    pictures.setdefault(row['picture'], []).append(float(row['value']))
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: cannot be read ({error})') from None
    means = {key: {name: sum(values) / len(values) for name, values in pictures.items()} for key, pictures in found.items()}
    return {key: {name: value for name, value in pictures.items() if math.isfinite(value)} for key, pictures in means.items()}


def gains(method: dict[str, float], reference: dict[str, float], metric: MetricRecord) -> dict[str, float]:
    """How much better a method is than a reference on each picture that both have a value of, positive for better."""
    sign = 1 if metric.better == 'higher' else -1
    return {name: sign * (value - reference[name]) for name, value in method.items() if name in reference}


def first_shown(summary: Summary, values: Values, name: str) -> tuple[str, str, str] | None:
    """Metric, method and reference that a set is first looked at by: its first metric with values of single pictures, the
    method with the best mean and the blurry input, or where that has no values the worst method; None without such a metric."""
    for metric in summary.sets[name].metrics:
        sign = 1 if summary.metrics[metric].better == 'higher' else -1
        means = {method: sign * sum(pictures.values()) / len(pictures) for method in summary.methods
                 if (pictures := values.get((name, method, metric)))}
        blurry = [method for method in means if summary.methods[method].kind == 'blurry']
        rivals = sorted((method for method in means if summary.methods[method].kind not in ('blurry', 'codec')),
                        key=means.__getitem__)
        references = blurry or rivals[:1]
        if rivals and references:
            return metric, rivals[-1], references[0]
    return None


def spread_over(names: Sequence[str], gain: dict[str, float]) -> list[str]:
    """All names, ordered so that any number of the first is spread over the gains: the largest, the smallest, the median, the
    quarters, the eighths and so on; those without a gain last."""
    ranked = sorted((name for name in names if name in gain), key=lambda name: -gain[name])
    order, parts = [0.0, 1.0], 2
    while parts < 2 * len(ranked):
        order += [odd / parts for odd in range(1, parts, 2)]
        parts *= 2
    chosen = dict.fromkeys(ranked[round(share * (len(ranked) - 1))] for share in order) if ranked else {}
    return list(dict.fromkeys([*chosen, *ranked, *names]))
