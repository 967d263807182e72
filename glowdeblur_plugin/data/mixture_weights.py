"""How often each part of a mixture is drawn: fixed weights, the sizes under a temperature, or a schedule over the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between, convert, unknown_key

Weight = Annotated[float, Between(0, 1_000_000)]
Cap = Annotated[int, Between(1)]


@dataclass(kw_only=True)
class SchedulePoint:
    """One entry of a mixture's `schedule`.

    Attributes:
        at: share of the run's iterations that are done; the entries ascend in it.
        weights: name of every part -> its weight there; divided by their sum.
    """

    at: Annotated[float, Between(0, 1)]
    weights: dict[str, Weight]


class Shares:
    """Shares of the parts over the run: linear between points, constant before the first and after the last (our choice).

    Args:
        times: the points' shares of the run, ascending, in [0, 1].
        weights: (points, parts), at least 0; each point's are divided by their sum before anything lies between them, so that
            it is the shares that change linearly.
    """

    def __init__(self, times: Sequence[float], weights: Sequence[Sequence[float]]) -> None:
        self.times = np.array(times, np.float64)
        weights = np.array(weights, np.float64)
        self.shares = weights / weights.sum(axis=1, keepdims=True)

    def at(self, progress: np.ndarray) -> np.ndarray:
        """Shares (N, parts), each row adding up to 1, where the shares `progress` (N,) of the run are done."""
        return np.stack([np.interp(progress, self.times, column) for column in self.shares.T], axis=1)


def size_weights(sizes: Sequence[int], caps: Sequence[int | None], temperature: float) -> list[float]:
    """min(size, cap) ** (1 / temperature) of each part: examples-proportional mixing with an artificial limit, scaled by a
    temperature (Raffel et al. 2020, T5, section 3.5.2, where one limit holds for all parts).

    A temperature of 1 draws every picture as often as any other, up to the caps; the higher, the nearer the parts' shares
    are to each other.
    """
    return [min(size, size if cap is None else cap)**(1 / temperature) for size, cap in zip(sizes, caps, strict=True)]


def check_weights(parts: Mapping[str, Mapping[str, Any]], temperature: float | None, schedule: Sequence[SchedulePoint] | None,
                  section: str) -> None:
    """Check that one way of weighing is given and complete; `section` is the mixture's.

    Raises:
        UserError: `temperature` beside `schedule`, `weight` beside one of them, `cap` without temperature; a weight that is
            missing, out of range or of a part that is not there; weights that are all 0; no parts; points that do not ascend.
    """
    if not parts:
        raise UserError(f'{section}:parts: needs at least one part')
    if schedule is not None and temperature is not None:
        raise UserError(f'{section}: temperature and schedule both say how often parts are drawn; remove one')
    for name, part in parts.items():
        own = f'{section}:parts:{name}'
        if 'cap' in part:
            convert(part['cap'], Cap, f'{own}:cap')
            if temperature is None:
                raise UserError(f"{own}: key 'cap' limits the size that a temperature counts, and there is none; set "
                                f'{section}:temperature, or lower the weight')
        for key, given in (('temperature', temperature), ('schedule', schedule)):
            if given is not None and 'weight' in part:
                raise UserError(f"{own}: key 'weight' does not go with {section}:{key}; remove one")
    if schedule is not None:
        _check_schedule(list(parts), schedule, f'{section}:schedule')
    elif temperature is None:
        _check_fixed(parts, f'{section}:parts')


def make_shares(parts: Mapping[str, Mapping[str, Any]], sizes: Sequence[int], temperature: float | None,
                schedule: Sequence[SchedulePoint] | None) -> Shares:
    """The shares that checked options come to; `sizes` are the parts' numbers of pictures."""
    if schedule is not None:
        return Shares([point.at for point in schedule], [[point.weights[name] for name in parts] for point in schedule])
    if temperature is not None:
        return Shares([0], [size_weights(sizes, [part.get('cap') for part in parts.values()], temperature)])
    return Shares([0], [[float(part['weight']) for part in parts.values()]])


def _check_fixed(parts: Mapping[str, Mapping[str, Any]], name: str) -> None:
    for part, section in parts.items():
        if 'weight' not in section:
            raise UserError(f"{name}:{part}: key 'weight' is missing (a number, at least 0)")
    if sum(convert(section['weight'], Weight, f'{name}:{part}:weight') for part, section in parts.items()) <= 0:
        raise UserError(f'{name}: needs at least one part of a weight above 0')


def _check_schedule(parts: Sequence[str], schedule: Sequence[SchedulePoint], name: str) -> None:
    if not schedule:
        raise UserError(f'{name}: needs at least one point, such as {{at: 0, weights: {{{parts[0]}: 1}}}}')
    for index, point in enumerate(schedule):
        entry = f'{name}[{index}]'
        for part in point.weights:
            if part not in parts:
                raise unknown_key(f'{entry}:weights', part, parts)
        missing = [part for part in parts if part not in point.weights]
        if missing:
            raise UserError(f"{entry}:weights: part '{missing[0]}' is missing; give every part a weight, 0 for none")
        if sum(point.weights.values()) <= 0:
            raise UserError(f'{entry}:weights: needs at least one weight above 0')
        if index and point.at <= schedule[index - 1].at:
            raise UserError(f'{entry}:at: {point.at:g} does not come after {schedule[index - 1].at:g} of the point before; put '
                            'the points in order')
