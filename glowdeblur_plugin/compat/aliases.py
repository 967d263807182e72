"""Modules that BasicSR 1.4.2 imports and today's libraries no longer have, made the moment they are asked for."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def _grayscale() -> dict[str, Any]:
    return {'rgb_to_grayscale': import_module('torchvision.transforms.functional').rgb_to_grayscale}


def _filters() -> dict[str, Any]:
    return {'convolve': import_module('scipy.ndimage').convolve}


def _no_names() -> dict[str, Any]:
    return {'__path__': []}


def _versions() -> dict[str, Any]:
    return {'LooseVersion': import_module('packaging.version').Version}


ALIASES: dict[str, Callable[[], dict[str, Any]]] = {
    'torchvision.transforms.functional_tensor': _grayscale,  # gone since torchvision 0.17
    'scipy.ndimage.filters': _filters,  # announced to go with SciPy 2
    'distutils': _no_names,  # gone since Python 3.12
    'distutils.version': _versions,
}


class _AliasLoader(Loader):
    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(ALIASES[module.__name__]())


class AliasFinder(MetaPathFinder):
    """Finds the modules of `ALIASES`. It stands last, so a module that exists wins; nothing is imported before it is needed."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The alias of `fullname`, None when there is none."""
        if fullname not in ALIASES:
            return None
        return ModuleSpec(fullname, _AliasLoader(), origin='glowdeblur_plugin.compat.aliases', is_package=fullname == 'distutils')


class BasicSRFinder(MetaPathFinder):
    """Keeps `import basicsr` from taking the repository's folder `basicsr/` of launchers for the library.

    A folder without `__init__.py` on `sys.path` wins over a library installed as editable, whose finder comes after Python's own.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The library's spec, None when nothing of the name is there.

        Raises:
            ModuleNotFoundError: only such a folder is there.
        """
        if fullname != 'basicsr':
            return None
        found = [finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self]
        specs = [spec for spec in found if spec is not None]
        library = next((spec for spec in specs if spec.origin is not None), None)
        if specs and library is None:
            raise ModuleNotFoundError('BasicSR is not installed: pip install basicsr==1.4.2', name=fullname)
        return library


def install() -> None:
    """Put both finders into `sys.meta_path`, once."""
    if not any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, BasicSRFinder())
        sys.meta_path.append(AliasFinder())
