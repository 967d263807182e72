"""Option files, read by commands that start no run."""

from typing import Any


def read_options(file: str, changes: list[str], training: bool | None = None) -> dict[str, Any]:
    """The checked options of a file; our classes are registered afterwards.

    Args:
        changes: as `--force_yml` takes them.
        training: whether it is for training; by default what its sections say.

    Raises:
        UserError: see `check_options`.
    """
    from glowdeblur_plugin import compat
    from glowdeblur_plugin.checks import check_options
    from glowdeblur_plugin.option_file import apply_changes, read_option_file
    from glowdeblur_plugin.register import register

    compat.install()
    register()
    opt = read_option_file(file)
    apply_changes(opt, changes)
    opt['path'] = opt.get('path') or {}
    check_options(opt, opt.get('train') is not None if training is None else training)
    return opt
