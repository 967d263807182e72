"""Checks of whole option files, before a run makes any folder. `register.register()` comes first."""

import difflib
import inspect
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from basicsr.utils.registry import (ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY,
                                    Registry)

from glowdeblur_plugin.errors import UserError, made_by
from glowdeblur_plugin.host_options import (REPLACED_TRAIN_KEYS, VAL_KEYS, Frequency, HostOptions, LoaderOptions, LoggerOptions,
                                            ValHostOptions)
from glowdeblur_plugin.metrics.protocol_metric import try_metric
from glowdeblur_plugin.options import Schema, convert, read_section, unknown_key

Section = dict[str, Any]

MADE_BY = {'dataroot_latent': 'glowdeblur latents -opt <this file>'}
NOT_FOR_OTHER_MODELS = {'dtype': 'uint8', 'render': 'device'}


def check_options(opt: Section, is_train: bool) -> None:
    """Check everything in `opt` that can be checked without opening data; numbers written as text become numbers in it.

    Args:
        opt: the option file as read, with the changes of the command line.
        is_train: for training or for test.

    Raises:
        UserError: unknown key or name, with the nearest valid one; missing key, wrong type or range; keys that do not agree.
    """
    networks = [key for key in opt if str(key).startswith('network_')]
    ours = is_ours(opt)
    host = {key: value for key, value in opt.items() if key not in networks} if ours else _only(HostOptions, opt)
    read_section(HostOptions, host, 'option file', host_keys=('network_g',))
    model = known('model_type', opt['model_type'], MODEL_REGISTRY)
    for needed in ('train', 'logger') if is_train else ('val',):
        if opt.get(needed) is None:
            raise UserError(f"option file: section '{needed}' is missing")
    if ours and networks != ['network_g']:
        found = ', '.join(networks) or 'none'
        raise UserError(f"option file: {opt['model_type']} needs one network, the section 'network_g'; found: {found}")
    _check_datasets(opt['datasets'], is_train, opt['num_gpu'])
    if not ours:
        _check_samples(opt['datasets'], 'datasets', opt['model_type'])
    for name in networks:
        _check_network(name, opt[name])
    _check_path(opt['path'], networks, (*getattr(model, 'pretrained_parts', ()), *getattr(model, 'pretrained_bases', ())))
    if opt.get('val') is not None:
        _check_val(opt['val'], model.ValOptions if ours else None, is_train)
    if is_train:
        _check_train(opt, model.Options if ours else None)


def check_accumulation(opt: Section) -> None:
    """Check that optimizer steps end where the run ends and where it saves.

    Raises:
        UserError: `train:total_iter` or `logger:save_checkpoint_freq` is not a multiple of `train:accumulate`.
    """
    accumulate = opt['train'].get('accumulate', 1)
    for name, key in (('train', 'total_iter'), ('logger', 'save_checkpoint_freq')):
        if opt[name][key] % accumulate:
            raise UserError(f'{name}:{key}: {opt[name][key]} is not a multiple of train:accumulate, which is {accumulate}; '
                            'both count micro-batches')


def check_sharding(opt: Section, launcher: str) -> None:
    """Check that there are processes to share the weights out over.

    Raises:
        UserError: `train:sharding: fsdp` without a launcher.
    """
    if launcher == 'none' and is_ours(opt) and opt['train'].get('sharding') == 'fsdp':
        raise UserError('train:sharding: fsdp shares the weights out over several processes, and without --launcher there is '
                        'one; use `torchrun --nproc_per_node 2 basicsr/train.py -opt ... --launcher pytorch`, or set none')


def check_data_paths(opt: Section) -> None:
    """Check that the data is there.

    Raises:
        UserError: a path is missing; quotes the command that makes it, of pictures the section's `made_by`.
    """
    for section, key, name in data_roots(opt):
        maker = MADE_BY.get(key, section.get('made_by'))
        for path in section[key] if isinstance(section[key], list) else [section[key]]:
            if path is not None and not Path(path).exists():
                raise UserError(f"{name}:{key}: '{path}' does not exist{made_by(maker)}")


def data_roots(opt: Section) -> Iterator[tuple[Section, str, str]]:
    """Each key `dataroot*` under `datasets`: the section it stands in, the key, and the section's name as the user sees it."""
    def walk(section: Section, name: str) -> Iterator[tuple[Section, str, str]]:
        for key, value in section.items():
            if isinstance(value, dict):
                yield from walk(value, f'{name}:{key}')
            elif str(key).startswith('dataroot'):
                yield section, key, name

    return walk(opt['datasets'], 'datasets')


def is_ours(opt: Section) -> bool:
    """Whether the model says by dataclasses which options it reads, as all models of this plugin do."""
    name = opt.get('model_type')
    return isinstance(name, str) and name in MODEL_REGISTRY.keys() and hasattr(MODEL_REGISTRY.get(name), 'Options')


def known(name: str, value: Any, registry: Registry) -> Callable[..., Any]:
    """What `registry` holds under `value`, the value of option `name`.

    Raises:
        UserError: nothing; names the nearest.
    """
    if not isinstance(value, str):
        raise UserError(f'{name}: expected text, found {value!r}')
    if value in registry.keys():
        return registry.get(value)
    near = difflib.get_close_matches(str(value), list(registry.keys()), n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(sorted(registry.keys()))}"
    raise UserError(f"{name}: no {registry._name} has the name '{value}'; {hint}")


def _check_datasets(datasets: Mapping[str, Section], is_train: bool, num_gpu: int | str) -> None:
    phases = ('train', 'val') if is_train else ('test', 'val')
    if is_train and 'train' not in datasets or not datasets:
        raise UserError(f"datasets: section '{phases[0]}' is missing")
    names: dict[str, str] = {}
    for key, section in datasets.items():
        name, phase = f'datasets:{key}', str(key).split('_')[0]
        if key == 'train' and not is_train:
            raise UserError("datasets: 'train' belongs into the file of a training run; a test reads test_1, test_2 ... instead, as "
                            'in options/quickstart_test.yml')
        if phase not in phases or key.startswith('train_'):
            raise UserError(f"datasets: '{key}' is not the name of a data set here; valid are {phases[0]}, val, val_1, val_2 ...")
        loader = _read_host(LoaderOptions, section, name)
        kind = known(f'{name}:type', loader.type, DATASET_REGISTRY)
        if loader.name in names:
            raise UserError(f"{name}:name: '{loader.name}' is the name of {names[loader.name]} already; give each its own")
        names[loader.name] = name
        if hasattr(kind, 'read_options'):
            kind.read_options({**section, 'phase': phase}, name)
        _check_loader(name, loader, phase, num_gpu)


def _check_samples(section: Section, name: str, model: str) -> None:
    """Refuse samples that only models of this plugin make into float32 pictures, in `section` and all sections below it."""
    for key, value in NOT_FOR_OTHER_MODELS.items():
        if section.get(key) == value:
            raise UserError(f'{name}:{key}: {value} is understood by models of this plugin only, and {model} is none; '
                            'leave it out')
    for key, below in section.items():
        if isinstance(below, dict):
            _check_samples(below, f'{name}:{key}', model)


def _check_loader(name: str, loader: LoaderOptions, phase: str, num_gpu: int | str) -> None:
    if phase == 'train':
        for key in ('batch_size_per_gpu', 'num_worker_per_gpu'):
            if getattr(loader, key) is None:
                raise UserError(f"{name}: key '{key}' is missing (a whole number)")
    if loader.persistent_workers and (phase != 'train' or not loader.num_worker_per_gpu):
        raise UserError(f'{name}:persistent_workers: needs workers, and there are none here; remove it')
    if loader.prefetch_mode == 'cpu':
        raise UserError(f"{name}:prefetch_mode: 'cpu' waits for ever once a picture is damaged; remove it, workers "
                        '(num_worker_per_gpu) fetch ahead already')
    if loader.prefetch_mode == 'cuda' and (num_gpu == 0 or not loader.pin_memory):
        raise UserError(f"{name}:prefetch_mode: 'cuda' needs a GPU and pin_memory: true; remove it otherwise")


def _check_network(name: str, section: Section) -> None:
    """Check a network's section, and in one of ours the sections inside it: those with a dataclass in the class's `sections`, and
    those of further networks."""
    _check_arguments(name, section, ARCH_REGISTRY)
    kind = ARCH_REGISTRY.get(section['type'])
    if kind.__module__.startswith('glowdeblur_plugin.'):
        for key, below in section.items():
            schema = getattr(kind, 'sections', {}).get(key)
            if schema is not None and below is not None:
                read_section(schema, below, f'{name}:{key}')
            elif isinstance(below, dict):
                _check_arguments(f'{name}:{key}', below, ARCH_REGISTRY)


def _check_path(path: Section, networks: Collection[str], parts: Collection[str]) -> None:
    valid = {'resume_state', 'ignore_resume_networks'}
    for network in {'network_g', 'network_d', *networks}:
        label = network.removeprefix('network_')
        valid |= {f'pretrain_{network}', f'pretrain_{network}_made_by', f'param_key_{label}', f'strict_load_{label}'}
    for part in parts:
        valid |= {f'pretrain_network_{part}', f'pretrain_network_{part}_made_by'}
    for key, value in path.items():
        if key not in valid:
            raise unknown_key('path', key, valid)
        hint = {'strict_load': bool, 'ignore_resume': list[str] | None}.get('_'.join(key.split('_')[:2]), str | None)
        convert(value, hint, f'path:{key}')


def _check_val(val: Section, schema: type | None, is_train: bool) -> None:
    host = _read_host(ValHostOptions, val, 'val')
    if is_train and host.val_freq is None:
        raise UserError("val: key 'val_freq' is missing (a whole number of iterations)")
    if schema is not None:
        read_section(schema, val, 'val', host_keys=VAL_KEYS)
    for name, section in (host.metrics or {}).items():
        convert(section.get('better', 'higher'), Literal['higher', 'lower'], f'val:metrics:{name}:better')
        arguments = {key: value for key, value in section.items() if key != 'better'}
        _check_arguments(f'val:metrics:{name}', arguments, METRIC_REGISTRY, given=('img', 'img2'))
        try_metric(f'val:metrics:{name}', section)


def _check_train(opt: Section, schema: type | None) -> None:
    train = opt['train']
    if schema is not None:
        for key, ours in REPLACED_TRAIN_KEYS.items():
            if key in train:
                raise UserError(f"train: '{key}' is not read by {opt['model_type']}; use {ours}")
        read_section(schema, train, 'train').check_data(opt['datasets']['train'])
    else:
        train['total_iter'] = convert(train.get('total_iter'), Frequency, 'train:total_iter')
    for key, section in train.items():
        if str(key).endswith('_opt') and isinstance(section, dict):
            _check_arguments(f'train:{key}', section, LOSS_REGISTRY)
    read_section(LoggerOptions, opt['logger'], 'logger')
    _read_host(LoggerOptions, opt['logger'], 'logger')
    check_accumulation(opt)


def _check_arguments(name: str, section: Any, registry: Registry, given: Collection[str] = ()) -> None:
    """Check a section with a `type` and arguments for it against its signature; type hints are checked for classes of ours."""
    if not isinstance(section, dict) or 'type' not in section:
        raise UserError(f"{name}: key 'type' is missing (the name of a {registry._name})")
    kind = known(f'{name}:type', section['type'], registry)
    parameters = {key: entry for key, entry in inspect.signature(kind).parameters.items() if key not in given}
    open_ended = any(entry.kind is entry.VAR_KEYWORD for entry in parameters.values())
    named = {key: entry for key, entry in parameters.items() if entry.kind not in (entry.VAR_KEYWORD, entry.VAR_POSITIONAL)}
    ours = kind.__module__.startswith('glowdeblur_plugin.')
    hints = typing.get_type_hints(kind.__init__ if inspect.isclass(kind) else kind, include_extras=True) if ours else {}
    for key, value in section.items():
        if key == 'type':
            continue
        if key not in named and not open_ended:
            raise unknown_key(name, key, named)
        if key in hints:
            section[key] = convert(value, hints[key], f'{name}:{key}')
    for key, entry in named.items():
        if entry.default is entry.empty and key not in section:
            raise UserError(f"{name}: key '{key}' is missing, {section['type']} needs it")


def _read_host(schema: type[Schema], section: Section, name: str) -> Schema:
    """Read BasicSR's keys out of a section that holds others too, and write them back in their types."""
    values = read_section(schema, _only(schema, section), name)
    section.update({key: getattr(values, key) for key in _only(schema, section)})
    return values


def _only(schema: type, section: Section) -> Section:
    return {key: value for key, value in section.items() if key in {field.name for field in fields(schema)}}
