"""Finding the checkpoint to go on from, on any machine, from any working folder, past torn files."""

import zipfile
from pathlib import Path
from typing import Any

from basicsr.utils import check_resume, set_random_seed

from glowdeblur_plugin.compat.distributed import on_first
from glowdeblur_plugin.compat.run_record import read_record, require_same, settings_record
from glowdeblur_plugin.errors import UserError, made_by
from glowdeblur_plugin.models.checkpoints import read_checkpoint


def load_resume_state(opt: dict[str, Any]) -> dict[str, Any] | None:
    """The training state that the run goes on from, on the CPU; None for a new run.

    With `--auto_resume` it is the newest one under `opt['path']['training_states']` that can be read and whose networks are
    there, otherwise that of `path:resume_state`. Notes in `opt` what the loaders need: `resume_point` (epoch, iter, record of the
    run) and `resume_notes` (lines for the log, which is not open yet). A drawn `manual_seed` is replaced by that of the run.

    Raises:
        UserError: `path:resume_state` cannot be used, it is of another run, or a pretrained network is missing.
    """
    opt['resume_notes'] = []
    path, record = on_first(lambda: _choose(opt))
    opt['path']['resume_state'] = path
    if opt['manual_seed_drawn'] and 'seed' in record:
        opt['manual_seed'] = record['seed']
        set_random_seed(record['seed'] + opt['rank'])
    if path is None:
        require_pretrained(opt)
        return None
    require_same(record, settings_record(opt))
    state = read_state(Path(path))
    opt['resume_point'] = {'epoch': state['epoch'], 'iter': state['iter'], 'record': record}
    check_resume(opt, state['iter'])
    return state


def read_state(path: Path) -> dict[str, Any]:
    """The training state in the file at `path`, read without running code in it.

    Raises:
        UserError: no such file, torn, not a training state, or with pickled code.
    """
    state = read_checkpoint(path)
    if not all(isinstance(state.get(key), kind) for key, kind in (('epoch', int), ('iter', int), ('optimizers', list))):
        raise UserError(f"'{path}' is not a training state; those are named <iteration>.state")
    return state


def require_pretrained(opt: dict[str, Any]) -> None:
    """Check that the networks named by `path:pretrain_network_*` are there.

    Raises:
        UserError: one is not; quotes the command in `path:pretrain_network_*_made_by`.
    """
    for key, value in opt['path'].items():
        if key.startswith('pretrain_network') and not key.endswith('_made_by') and value is not None and not Path(value).exists():
            raise UserError(f"path:{key}: '{value}' does not exist{made_by(opt['path'].get(f'{key}_made_by'))}")


def _choose(opt: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Path of the state to go on from and the record of its run; of a run stopped before its first checkpoint only the latter."""
    record = read_record(Path(opt['path']['experiments_root']))
    newest = _newest(opt) if opt['auto_resume'] else None
    if newest is not None:
        return str(newest), read_state(newest).get('run') or record
    given = opt['path'].get('resume_state')
    if given is None:
        return None, record if opt['auto_resume'] else {}
    try:
        state = read_state(Path(given))
    except UserError as error:
        raise UserError(f'path:resume_state: {error}') from error
    missing = _missing_network(opt, state['iter'])
    if missing is not None:
        raise UserError(f"path:resume_state: '{given}' needs the weights '{missing}', which are not there or torn")
    newer = [path for path in _states(opt) if int(path.stem) > state['iter']]
    if newer:
        opt['resume_notes'].append(f"path:resume_state: '{given}' is not the newest of the experiment, which is '{newer[0]}'; "
                                   'later checkpoints stay until this run reaches them, and --auto_resume would take the newest')
    return given, state.get('run') or record


def _states(opt: dict[str, Any]) -> list[Path]:
    """Training states of the experiment, the newest first."""
    found = [path for path in Path(opt['path']['training_states']).glob('*.state') if path.stem.isdecimal()]
    return sorted(found, key=lambda path: int(path.stem), reverse=True)


def _newest(opt: dict[str, Any]) -> Path | None:
    for path in _states(opt):
        missing = _missing_network(opt, int(path.stem))
        if missing is not None:
            opt['resume_notes'].append(f"'{path}' is passed over: its weights '{missing}' are not there or torn")
            continue
        try:
            read_state(path)
        except UserError as error:
            opt['resume_notes'].append(f"'{path}' is passed over: {error}")
            continue
        return path
    return None


def _missing_network(opt: dict[str, Any], iteration: int) -> Path | None:
    """The first network file of checkpoint `iteration` that is not whole; a zip file's table of contents is its end."""
    ignored = opt['path'].get('ignore_resume_networks') or ()
    for network in (key for key in opt if key.startswith('network_') and key not in ignored):
        path = Path(opt['path']['models']) / f"net_{network.removeprefix('network_')}_{iteration}.pth"
        if not zipfile.is_zipfile(path):
            return path
    return None
