"""Our networks in mmengine's registry: once this module is imported, `MODELS.build(dict(type='glowdeblur.NAFNet', ...))` builds
one. In an OpenMMLab config: `custom_imports = dict(imports=['glowdeblur_plugin.mmengine_bridge'])`."""

from basicsr.utils.registry import ARCH_REGISTRY
from mmengine.registry import MODELS, Registry

from glowdeblur_plugin.register import register


def _networks() -> Registry:
    """A child of mmengine's `MODELS` of scope `glowdeblur` with every network of ours, under its name in BasicSR's registry."""
    register()
    networks = Registry('network', parent=MODELS, scope='glowdeblur')
    for name, network in ARCH_REGISTRY:
        if network.__module__.startswith('glowdeblur_plugin.'):
            networks.register_module(name=name, module=network)
    return networks


NETWORKS = _networks()
