"""Evaluation of whole pictures, shared out over the ranks, with means that do not depend on how many there are."""

import inspect
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from basicsr.metrics import calculate_metric
from basicsr.utils import get_root_logger, imwrite, tensor2img
from basicsr.utils.registry import METRIC_REGISTRY
from torch import Tensor, distributed
from torch.utils.data import Dataset, default_collate

from glowdeblur_plugin.data.decode import PICTURE_SUFFIXES
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.measure import PictureFailed

PictureResult = dict[str, Tensor | float]
Row = dict[str, Any]
PROGRESS_SECONDS = 10.0


def evaluate_dataset(dataset: Dataset, name: str, evaluate: Callable[[dict[str, Any], int], Row], rank: int,
                     world_size: int) -> list[Row]:
    """Evaluate pictures rank, rank + world_size, ... and return the rows of all ranks, ordered by `index`.

    Args:
        dataset: gives samples; each reaches `evaluate` as a batch of one, with its index.
        name: of the data set, for the progress in the log.
        evaluate: returns the scalars of one picture.
    """
    rows, started, told = [], time.monotonic(), time.monotonic()
    indices = range(rank, len(dataset), world_size)
    for done, index in enumerate(indices, start=1):
        rows.append({'index': index, **evaluate(default_collate([dataset[index]]), index)})
        now = time.monotonic()
        if now - told > PROGRESS_SECONDS and done < len(indices):
            told = now
            left = (now - started) / done * (len(indices) - done)
            get_root_logger().info(f'Validation {name}: {done} of {len(indices)} pictures, {left:.0f} s left')
    if world_size > 1:
        gathered: list[list[Row]] = [[] for _ in range(world_size)]
        distributed.all_gather_object(gathered, rows)
        rows = [row for part in gathered for row in part]
    return sorted(rows, key=lambda row: row['index'])


def mean_scalars(rows: list[Row]) -> dict[str, float]:
    """Mean of each scalar over the rows that have it, added in the order of the rows."""
    names = dict.fromkeys(name for row in rows for name, value in row.items() if isinstance(value, float))
    columns = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: sum(values) / len(values) for name, values in columns.items()}


def picture_metrics(restored: Tensor, sharp: Tensor | None, metrics: Mapping[str, Mapping[str, Any]],
                    path: str) -> dict[str, float]:
    """BasicSR's metrics of a picture (1, 3, H, W) in [0, 1], computed on 8-bit BGR as BasicSR does. One that has no value for
    this picture is left out, and the log says so.

    Args:
        sharp: the ground truth of the same shape, or None for data without.
        metrics: the section `val:metrics`.
        path: of the picture, for the message.

    Raises:
        UserError: a metric compares with the ground truth and there is none.
    """
    images = {'img': tensor2img(restored)}
    if sharp is not None:
        images['img2'] = tensor2img(sharp)
    values = {}
    for name, section in metrics.items():
        truth = inspect.signature(METRIC_REGISTRY.get(section['type'])).parameters.get('img2')
        if sharp is None and truth is not None and truth.default is truth.empty:
            raise UserError(f"val:metrics:{name}: {section['type']} compares with a sharp picture, and '{path}' has none; "
                            'remove the metric')
        try:
            values[name] = float(calculate_metric(images, dict(section)))
        except PictureFailed as error:
            get_root_logger().warning(f"val:metrics:{name}: '{path}' does not count: {error}")
    return values


def picture_stem(path: str, dataset_opt: Mapping[str, Any]) -> str:
    """Name for the files of a picture: its `path` below one of the data set's `dataroot*`, with `_` for `/` and without suffix.

    So pictures of one name in several folders of a set stay apart.
    """
    pure = PurePath(path)
    roots = [PurePath(value) for key, value in dataset_opt.items() if key.startswith('dataroot') and value]
    inner = next((pure.relative_to(root) for root in roots if pure.is_relative_to(root)), PurePath(pure.name))
    return '_'.join((inner.with_suffix('') if inner.suffix.lower() in PICTURE_SUFFIXES else inner).parts)


def update_best(best: dict[str, dict[str, Any]], means: Mapping[str, float], metrics: Mapping[str, Mapping[str, Any]],
                iteration: int) -> None:
    """Note in `best` (metric -> `val`, `iter`) each of `metrics` (the section `val:metrics`) that is the best so far."""
    for name, section in metrics.items():
        sign = -1 if section.get('better') == 'lower' else 1
        if name in means and (name not in best or sign * means[name] >= sign * best[name]['val']):
            best[name] = {'val': means[name], 'iter': iteration}


def log_means(name: str, means: Mapping[str, float], best: Mapping[str, Mapping[str, Any]], iteration: int | str,
              tb_logger: Any) -> None:
    """Write the means of data set `name`, each with its best value where there is one, to the log and to TensorBoard."""
    lines = [f'Validation {name}']
    for key, value in means.items():
        record = f"\tBest: {best[key]['val']:.4f} @ {best[key]['iter']} iter" if key in best else ''
        lines.append(f'\t # {key}: {value:.4f}{record}')
        if tb_logger:
            tb_logger.add_scalar(f'metrics/{name}/{key}', value, iteration)
    get_root_logger().info('\n'.join(lines) + '\n')


def write_pictures(folder: Path, stem: str, pictures: Mapping[str, Tensor]) -> None:
    """Write pictures (1, 3, h, w) in [0, 1] as `<stem>.png` (the one named `restored`) and `<stem>_<name>.png`."""
    for name, picture in pictures.items():
        imwrite(tensor2img(picture), str(folder / f"{stem}{'' if name == 'restored' else '_' + name}.png"))
