"""Reading option files: plain data only, and one line for what is wrong. BasicSR's own reader runs code named in the file."""

import difflib
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import unknown_key

_FLOAT, _MERGE = 'tag:yaml.org,2002:float', 'tag:yaml.org,2002:merge'


class OptionLoader(yaml.SafeLoader):
    """YAML without tags that run code; refuses a key given twice and reads `1e-4` as the number it looks like."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of `node`.

        Raises:
            yaml.constructor.ConstructorError: a key stands twice in it.
        """
        written = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE]
        for index, key in enumerate(written):
            if key in written[:index]:
                raise yaml.constructor.ConstructorError(None, None, f"key '{key}' is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


OptionLoader.add_implicit_resolver(_FLOAT, re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$'), list('-+.0123456789'))


def read_option_file(path: str) -> dict[str, Any]:
    """The mapping that the option file at `path` holds.

    Raises:
        UserError: no such file, not YAML, code in it, a key given twice, or not a mapping.
    """
    try:
        opt = _parse(Path(path).read_text(encoding='utf-8'), path)
    except FileNotFoundError as error:
        raise UserError(f"-opt: '{path}' does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"-opt: '{path}' cannot be read: {error}") from error
    if not isinstance(opt, dict):
        raise UserError(f"{path}: expected sections of keys such as 'name: ...' and 'datasets: ...', found {_short(opt)}")
    return opt


def apply_changes(opt: dict[str, Any], entries: list[str]) -> None:
    """Write the entries of `--force_yml`, such as `train:optim_g:lr=1e-4`, into `opt`.

    Only the last key may be new; whether it means anything is left to the check of the whole file.

    Raises:
        UserError: an entry without `=` or with a section that the file does not have.
    """
    for entry in entries:
        keys, equals, value = entry.partition('=')
        names = [name.strip() for name in keys.split(':')]
        if not equals or not all(names):
            raise UserError(f"--force_yml: '{entry}' is not of the form section:key=value, such as train:total_iter=100")
        section = opt
        for depth, name in enumerate(names[:-1]):
            place = ':'.join(names[:depth + 1])
            if section.get(name) is None:
                raise _absent(entry, section, names, depth, value.strip())
            section = section[name]
            if not isinstance(section, dict):
                raise UserError(f"--force_yml '{entry}': {place} is no section, it is {_short(section)}")
        value = value.strip()
        section[names[-1]] = None if value.lower() == 'none' else _parse(value, f"--force_yml '{entry}'")


def _absent(entry: str, section: dict[str, Any], names: list[str], depth: int, value: str) -> UserError:
    """The error for an entry whose section `names[depth]` is not in `section`, or has nothing in it: what was meant, where that is
    near, else how to give the whole of a new one."""
    there = [key for key in section if section[key] is not None]
    if depth == 0 or difflib.get_close_matches(names[depth], there, n=1, cutoff=0.5):
        return unknown_key(f"--force_yml '{entry}'", names[depth], there)
    place = ':'.join(names[:depth + 1])
    for name in reversed(names[depth + 1:]):
        value = f'{{{name}: {value}}}'
    return UserError(f"--force_yml '{entry}': the file has no section {place} to change; give the whole of it, '{place}={value}'")


def _parse(text: str, name: str) -> Any:
    try:
        return _own_copy(yaml.load(text, OptionLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f'line {mark.line + 1}: ' if mark else ''
        raise UserError(f'{name}: {place}{error.problem}') from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f'{name}: is not YAML: {" ".join(str(error).split())}') from error


def _own_copy(value: Any) -> Any:
    """`value` with no part in two places, as YAML's aliases leave it: BasicSR writes into sections."""
    if isinstance(value, dict):
        return {key: _own_copy(entry) for key, entry in value.items()}
    return [_own_copy(entry) for entry in value] if isinstance(value, list) else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + '...'
