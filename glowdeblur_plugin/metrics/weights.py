"""Files of weights that metrics need, and whether they are on this machine."""

from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import try_to_load_from_cache
from torch.hub import get_dir

from glowdeblur_plugin.metrics.measure import MetricUnavailable

# What pyiqa 0.1.16 loads for each of its metrics, below torch's hub folder; `hub:` marks a file in the cache of the hub.
ALEXNET, VGG = 'checkpoints/alexnet-owt-7be5be79.pth', 'checkpoints/vgg16-397923af.pth'
NIQE, NRQM = 'pyiqa/niqe_modelparameters.mat', 'pyiqa/NRQM_model.mat'
MANIQA_BACKBONE = 'hub:timm/vit_base_patch8_224.augreg2_in21k_ft_in1k/model.safetensors'
IQA_FILES = {
    'lpips': (ALEXNET, 'pyiqa/LPIPS_v0.1_alex-df73285e.pth'),
    'dists': (VGG, 'pyiqa/DISTS_weights-f5e65c96.pth'),
    'fid': ('pyiqa/pt_inception-2015-12-05-6726825d.pth', ),
    'niqe-pyiqa': (NIQE, ),
    'ilniqe': ('pyiqa/ILNIQE_templateModel.mat', ),
    'brisque': ('pyiqa/brisque_svm_weights.pth', ),
    'pi': (NRQM, NIQE),
    'nrqm': (NRQM, ),
    'musiq': ('pyiqa/musiq_koniq_ckpt-e95806b9.pth', ),
    'maniqa': (MANIQA_BACKBONE, 'pyiqa/ckpt_koniq10k.pt'),
    'clipiqa': ('clip/RN50.pt', ),
    'liqe': ('clip/ViT-B-32.pt', 'pyiqa/liqe_koniq.pt'),
}


def require_weights(name: str) -> None:
    """Check that all files that pyiqa's metric `name` loads are there, before it tries to fetch them.

    Raises:
        MetricUnavailable: which are not, and where they belong.
    """
    missing = list(_missing(name))
    if missing:
        raise MetricUnavailable(f'{name}: weights are missing: put {" and ".join(missing)}; or set download: true, which needs '
                                'a network')


def _missing(name: str) -> Iterator[str]:
    for file in IQA_FILES[name]:
        source, _, place = file.rpartition(':')
        if source == 'hub':
            organisation, repository, inner = place.split('/')
            if not isinstance(try_to_load_from_cache(f'{organisation}/{repository}', inner), str):
                yield f"{inner} of {organisation}/{repository} into the hub's cache (hf download {organisation}/{repository})"
        elif not (path := Path(get_dir()) / place).is_file():
            yield f'{path.name} into {path.parent} ($TORCH_HOME/hub/{Path(place).parent})'
