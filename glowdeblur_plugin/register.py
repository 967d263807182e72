"""Adds the plugin's networks, datasets, losses, metrics and models to BasicSR's registries."""

from importlib import import_module
from pkgutil import iter_modules

KINDS = {'archs': '_arch', 'data': '_dataset', 'losses': '_loss', 'metrics': '_metric', 'models': '_model'}


def register() -> None:
    """Import every module of ours that registers something, such as `archs/*_arch.py`; a second call changes nothing."""
    for folder, suffix in KINDS.items():
        package = import_module(f'glowdeblur_plugin.{folder}')
        for module in sorted(iter_modules(package.__path__), key=lambda entry: entry.name):
            if module.name.endswith(suffix):
                import_module(f'{package.__name__}.{module.name}')
