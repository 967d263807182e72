"""Strict reading of option sections: an option file says what it means or is refused in one line.

A section is described by a dataclass whose fields are the keys; `read_section` turns the mapping of the YAML file into an
instance. Ranges are written as `Annotated[float, Between(0, 1)]`.
"""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from glowdeblur_plugin.errors import UserError

Schema = TypeVar('Schema')
NOTHING = 'none'


@dataclass(frozen=True)
class Between:
    """Closed range that a number must lie in; `None` leaves an end open. For a list, it holds for each entry."""

    low: float | None = None
    high: float | None = None

    def __contains__(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.high is None:
            return f'at least {self.low}'
        if self.low is None:
            return f'at most {self.high}'
        return f'from {self.low} to {self.high}'


@dataclass(frozen=True)
class Whole:
    """Whole numbers, also those written as `5e3`, which YAML reads as a float."""

    def __contains__(self, value: float) -> bool:
        return float(value).is_integer()

    def __str__(self) -> str:
        return 'a whole number'


def unknown_key(name: str, key: str, valid: Collection[str]) -> UserError:
    """The error for key `key`, which section `name` does not have, with the nearest valid key."""
    near = difflib.get_close_matches(str(key), list(valid), n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f'valid keys: {", ".join(sorted(valid))}'
    return UserError(f"{name}: unknown key '{key}'; {hint}")


def read_section(schema: type[Schema], section: Mapping[str, Any] | None, name: str,
                 host_keys: Collection[str] = ()) -> Schema:
    """Read one section of an option file.

    Args:
        schema: dataclass with a type hint for every field; a field without a default is required. Hints may be bool, int, float,
            str, `X | None`, `Literal`, `list[X]`, `tuple[X, Y]`, `dict[str, X]`, another dataclass, and
            `Annotated[..., Between(...), Whole()]`.
        section: the mapping found in the file (None counts as empty).
        name: how the user sees the section, such as `datasets:train`; it starts each error.
        host_keys: keys that BasicSR itself reads in this section; they are allowed and left alone.

    Raises:
        UserError: unknown key (with the nearest valid one), missing key, wrong type, value out of range.
    """
    if section is None:
        section = {}
    if not isinstance(section, Mapping):
        raise UserError(f'{name}: expected a section of keys, found {section!r}')
    hints = typing.get_type_hints(schema, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(schema) if field.init}
    for key in section:
        if key not in fields and key not in host_keys:
            raise unknown_key(name, key, {*fields, *host_keys})
    values = {}
    for key, field in fields.items():
        if key in section:
            values[key] = convert(section[key], hints[key], f'{name}:{key}')
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UserError(f"{name}: key '{key}' is missing ({describe(hints[key])})")
    return schema(**values)


def convert(value: Any, hint: Any, name: str) -> Any:
    """Check `value` against the type hint `hint` and return it in that type; `name` starts the error.

    Whole numbers are taken for floats, and so is text such as `1e-4`, which YAML 1.1 does not read as a number; nothing (`~`, and
    `none` on the command line) is taken for the choice `none`.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        converted = convert(value, arguments[0], name)
        for limit in arguments[1:]:
            entries = converted if isinstance(converted, (list, tuple)) else [converted]
            if any(entry is not None and entry not in limit for entry in entries):
                raise UserError(f'{name}: {value!r} is out of range, must be {limit}')
        return converted
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _first_match(value, [entry for entry in arguments if entry is not type(None)], hint, name)
    if origin is Literal:
        if value is None and NOTHING in arguments:
            return NOTHING
        if value in arguments and type(value) in {type(entry) for entry in arguments}:
            return value
        raise UserError(f'{name}: {value!r} is not one of {", ".join(map(str, arguments))}')
    if dataclasses.is_dataclass(hint):
        return read_section(hint, value, name)
    if origin in (list, tuple) and isinstance(value, (list, tuple)):
        return _sequence(value, origin, arguments, hint, name)
    if origin is dict and isinstance(value, Mapping):
        return {str(key): convert(entry, arguments[1], f'{name}:{key}') for key, entry in value.items()}
    if hint is Any:
        return value
    if hint is float:
        return _number(value, name)
    if isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise UserError(f'{name}: expected {describe(hint)}, found {value!r}')


def describe(hint: Any) -> str:
    """The type hint in a user's words."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return f'{describe(arguments[0])}, {arguments[1]}'
    if origin in (Union, types.UnionType):
        return ' or '.join(describe(entry) for entry in arguments)
    if origin is Literal:
        return 'one of ' + ', '.join(map(str, arguments))
    if origin is list:
        return f'a list of {describe(arguments[0])}'
    if origin is tuple:
        return f'a list of {len(arguments)} entries ({", ".join(describe(entry) for entry in arguments)})'
    if origin is dict or dataclasses.is_dataclass(hint):
        return 'a section of keys'
    names = {bool: 'true or false', int: 'a whole number', float: 'a number', str: 'text', type(None): 'nothing (~)'}
    return names.get(hint, getattr(hint, '__name__', str(hint)))


def _number(value: Any, name: str) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise UserError(f'{name}: expected a number, found {value!r}')


def _sequence(value: Any, origin: type, arguments: tuple[Any, ...], hint: Any, name: str) -> list[Any] | tuple[Any, ...]:
    if origin is list:
        return [convert(entry, arguments[0], f'{name}[{index}]') for index, entry in enumerate(value)]
    if len(value) != len(arguments):
        raise UserError(f'{name}: expected {describe(hint)}, found {len(value)}: {list(value)!r}')
    return tuple(convert(entry, kind, f'{name}[{index}]') for index, (entry, kind) in enumerate(zip(value, arguments)))


def _first_match(value: Any, kinds: list[Any], hint: Any, name: str) -> Any:
    if len(kinds) == 1:
        return convert(value, kinds[0], name)
    for kind in kinds:
        try:
            return convert(value, kind, name)
        except UserError:
            continue
    raise UserError(f'{name}: expected {describe(hint)}, found {value!r}')
