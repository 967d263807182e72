"""What `glowdeblur doctor` tries beside metrics: packages, networks and optional libraries, each by using it a little."""

import importlib
import importlib.metadata
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

PACKAGES = {'torch': 'torch', 'torchvision': 'torchvision', 'basicsr': 'basicsr', 'diffusers': 'diffusers',
            'mmengine': 'mmengine', 'lmdb': 'lmdb', 'zstandard': 'zstandard', 'opencv-python': 'cv2', 'numpy': 'numpy',
            'scikit-image': 'skimage', 'safetensors': 'safetensors', 'pyyaml': 'yaml', 'tensorboard': 'tensorboard'}
OPTIONAL = ('spandrel', 'spandrel_extra_arches', 'pyiqa', 'transformers', 'peft', 'triton')
SIDE = 32


class Trial(NamedTuple):
    """Something to try: `run` fails with any exception, or gives a remark. What is `core` must work everywhere."""

    kind: str
    name: str
    core: bool
    run: Callable[['torch.device'], str]


def versions() -> tuple[dict[str, str], dict[str, str]]:
    """Versions of the packages that are installed, and why those that the plugin needs cannot be imported."""
    found, broken = {}, {}
    for name in (*PACKAGES, *OPTIONAL):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    for name, module in PACKAGES.items():
        try:
            version = getattr(importlib.import_module(module), '__version__', '')
        except Exception as error:
            broken[name] = describe(error)
        else:
            found.setdefault(name, version)
    return found, broken


def trials() -> list[Trial]:
    """All that is tried, networks first."""
    networks = [Trial('network', name, core, run) for name, core, run in (
        ('NAFNet', False, _nafnet), ('Restormer', False, _restormer), ('PreReconstruction', True, _prereconstruction),
        ('MotionEstimator', True, _motion_estimator), ('GLOWDeblur nano', True, _nano),
        ('GLOWDeblur s600m', True, lambda device: _shapes('s600m')),
        ('GLOWDeblur s1600m', True, lambda device: _shapes('s1600m')))]
    libraries = [Trial('library', name, False, run) for name, run in (
        ('spandrel', _spandrel), ('spandrel_extra_arches', _spandrel_extra_arches), ('pyiqa', _pyiqa),
        ('transformers', _transformers), ('peft', _peft), ('CUDA', _cuda), ('triton', _triton))]
    return networks + libraries


def describe(error: Exception) -> str:
    """What went wrong in one line."""
    from glowdeblur_plugin.errors import UserError

    text = ' '.join(str(error).split())
    return text if isinstance(error, UserError) else f'{type(error).__name__}: {text[:200]}'


def _restored(network: 'torch.nn.Module', device: 'torch.device') -> str:
    import torch

    with torch.no_grad():
        output = network.eval().to(device)(torch.rand(1, 3, SIDE, SIDE, device=device))
    if not output.isfinite().all():
        raise ArithmeticError('the output is not finite')
    return ''


def _nafnet(device: 'torch.device') -> str:
    from glowdeblur_plugin.archs.nafnet_arch import NAFNet
    return _restored(NAFNet(4, [1], 1, [1]), device)


def _restormer(device: 'torch.device') -> str:
    from glowdeblur_plugin.archs.restormer_arch import Restormer
    return _restored(Restormer([1, 1, 1, 1], [1, 1, 1, 1], 1, dim=4), device)


def _prereconstruction(device: 'torch.device') -> str:
    from glowdeblur_plugin.archs.pre_reconstruction_arch import PreReconstruction
    return _restored(PreReconstruction(8), device)


def _motion_estimator(device: 'torch.device') -> str:
    from glowdeblur_plugin.archs.motion_estimator_arch import MotionEstimator
    return _restored(MotionEstimator(8), device)


def _nano(device: 'torch.device') -> str:
    import torch

    from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur

    network = GLOWDeblur('nano').eval().to(device)
    with torch.no_grad():
        condition = network.condition(torch.rand(1, 3, SIDE, SIDE, device=device))
        velocity = network.velocity(torch.randn_like(condition.aligned), torch.ones(1, device=device), condition)
        picture = network.decode(condition.aligned - velocity)
    if picture.shape[-2:] != (SIDE, SIDE) or not picture.isfinite().all():
        raise ArithmeticError('the output is not finite or not of the size of the input')
    return ''


def _shapes(variant: str) -> str:
    import torch

    from glowdeblur_plugin.models.dry_run import dry_network
    from glowdeblur_plugin.models.sampling_cost import UntrainedGLOWDeblur, part_runs

    network, mode = dry_network(lambda: UntrainedGLOWDeblur(variant=variant).eval())
    with mode, torch.no_grad():
        part_runs(network, 2 * SIDE, 2 * SIDE)['step'].run()
    return 'run on shapes alone; its weights are not looked for'


def _spandrel(device: 'torch.device') -> str:
    from spandrel import ModelLoader

    from glowdeblur_plugin.archs.nafnet_arch import NAFNet
    ModelLoader(device=device).load_from_state_dict(NAFNet(4, [1], 1, [1]).state_dict())
    return ''


def _spandrel_extra_arches(device: 'torch.device') -> str:
    from spandrel import ModelLoader
    from spandrel_extra_arches import EXTRA_REGISTRY

    from glowdeblur_plugin.archs.restormer_arch import Restormer
    ModelLoader(device=device, registry=EXTRA_REGISTRY).load_from_state_dict(
        Restormer([1, 1, 1, 1], [1, 1, 1, 1], 1, dim=8).state_dict())
    return ''


def _pyiqa(device: 'torch.device') -> str:
    import torch

    from glowdeblur_plugin.metrics.iqa import require_pyiqa

    picture = torch.rand(1, 3, SIDE, SIDE)
    require_pyiqa('pyiqa').create_metric('psnr', device=device)(picture, picture / 2)
    return ''


def _transformers(device: 'torch.device') -> str:
    import torch
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=28)
    Dinov2Model(config).eval().to(device)(torch.rand(1, 3, 28, 28, device=device))
    return ''


def _peft(device: 'torch.device') -> str:
    from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
    GLOWDeblur('nano', lora={'rank': 2})
    return ''


def _cuda(device: 'torch.device') -> str:
    import torch

    if not torch.cuda.is_available():
        raise RuntimeError(f'torch {torch.__version__} finds no CUDA device')
    values = torch.ones(SIDE, SIDE, device='cuda')
    if float((values @ values).sum()) != SIDE**3:
        raise ArithmeticError('a product of matrices is wrong')
    return torch.cuda.get_device_name()


def _triton(device: 'torch.device') -> str:
    import torch
    import triton

    if not torch.cuda.is_available():
        raise RuntimeError(f'triton {triton.__version__} is there, but has no CUDA device to compile for')
    values = torch.arange(SIDE, device='cuda', dtype=torch.float32)
    if not torch.allclose(torch.compile(lambda x: x * 2 + 1)(values), values * 2 + 1):
        raise ArithmeticError('what it compiled is wrong')
    return ''
