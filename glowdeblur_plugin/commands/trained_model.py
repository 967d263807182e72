"""The model of a test's option file, for commands that work with it."""

import os
import sys
from pathlib import Path
from typing import Any

from glowdeblur_plugin.errors import UserError


def load_trained(command: str, option_file: str, weights: str | None, exact: bool = False) -> tuple[Any, dict[str, Any]]:
    """The GLOWDeblurModel of an option file, and its options, read as for a test.

    Args:
        command: name of the sub-command.
        weights: checkpoint instead of `path:pretrain_network_g`.
        exact: leave the weights in the precision of their file, whatever `val:precision` says.

    Raises:
        UserError: a wrong option, another model, or weights that cannot be used.
    """
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    from basicsr.models import build_model

    from glowdeblur_plugin import compat
    from glowdeblur_plugin.register import register

    compat.install()
    register()
    import basicsr.test

    changes = ['--force_yml', f'path:pretrain_network_g={weights}'] if weights else []
    sys.argv = [f'glowdeblur {command}', '-opt', option_file, *changes]
    opt, _ = basicsr.test.parse_options(str(Path.cwd()), is_train=False)
    if opt['model_type'] != 'GLOWDeblurModel':
        raise UserError(f"model_type: glowdeblur {command} works with GLOWDeblurModel, found {opt['model_type']}")
    if exact:
        opt['val'] = {**(opt['val'] or {}), 'precision': 'fp32'}
    return build_model(opt), opt
