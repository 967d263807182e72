"""A network of a few weights, its model and its pictures, for the tests of what all models share."""

from pathlib import Path
from typing import Any

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn
from torch.utils.data import Dataset

from glowdeblur_plugin.models.deblur_model import DeblurModel


@ARCH_REGISTRY.register()
class ToyNet(nn.Module):
    """A convolution in float64 with a frozen weight, a running mean (added in eval mode), a counter and a constant not saved."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.rise = nn.Conv2d(3, width, 3, padding=1, dtype=torch.float64)
        self.fall = nn.Conv2d(width, 3, 1, dtype=torch.float64)
        self.frozen = nn.Parameter(torch.ones(3, dtype=torch.float64), requires_grad=False)
        self.register_buffer('mean', torch.zeros((), dtype=torch.float64))
        self.register_buffer('calls', torch.zeros((), dtype=torch.int64))
        self.register_buffer('limit', torch.tensor(float('inf')), persistent=False)

    def forward(self, picture: Tensor) -> Tensor:
        output = self.fall(self.rise(picture).tanh()) * self.frozen.view(1, 3, 1, 1)
        if not self.training:
            return output + self.mean
        self.mean.lerp_(picture.mean(), 0.5)
        self.calls += 1
        return output


class ToyModel(DeblurModel):
    """Least squares; restoring adds noise of the given generator, and tells which indices it was asked for."""

    def compute_losses(self, generator: torch.Generator, current_iter: int) -> dict[str, Tensor]:
        error = self.net_g(self.lq) - self.gt
        return {'l_square': error.square().mean(), 'l_small': 0.1 * error.abs().mean(), 'largest': error.detach().abs().max()}

    def evaluate_picture(self, batch: dict[str, Any], index: int, generator: torch.Generator) -> dict[str, Tensor | float]:
        self.asked = [*getattr(self, 'asked', []), index]
        noise = torch.rand(batch['lq'].shape, generator=generator, dtype=torch.float64)
        restored = (self.evaluation_network()(batch['lq']) + 0.1 * noise).clamp(0, 1)
        scalars = {'brightness': restored.mean()} if index % 2 == 0 else {}
        return {'restored': restored, 'negative': 1 - restored, **scalars}

    def after_validation(self, dataset_name: str, rows: list[dict[str, Any]], current_iter: int | str, tb_logger: Any) -> None:
        self.rows = [*getattr(self, 'rows', []), (dataset_name, current_iter, rows)]

    def extra_state(self) -> dict[str, Any]:
        return {'seen': self.iteration}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        self.seen = state['seen']


class ToyPictures(Dataset):
    """Pictures of different sizes, float64 in [0, 1]."""

    opt = {'name': 'toys', 'dataroot_gt': '/toys'}

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(index)
        gt = torch.rand(3, 16 + index, 20, generator=generator, dtype=torch.float64)
        return {'gt': gt, 'lq': 0.5 * gt + 0.2, 'lq_path': f'/toys/scene/{index}'}


def toy_batch(*indices: int) -> dict[str, Any]:
    """Square crops of the toy pictures `indices`, as a loader gives them."""
    samples = [ToyPictures(index + 1)[index] for index in indices]
    return {'lq': torch.stack([sample['lq'][:, :16, :16] for sample in samples]),
            'gt': torch.stack([sample['gt'][:, :16, :16] for sample in samples]),
            'lq_path': [sample['lq_path'] for sample in samples]}


def toy_options(folder: Path, **train: Any) -> dict[str, Any]:
    """What BasicSR and the launcher hand to a model that works in `folder`; `train` replaces keys of that section."""
    path = {name: str(folder / name) for name in ('models', 'training_states', 'visualization')}
    for entry in path.values():
        Path(entry).mkdir(exist_ok=True)
    return {
        'name': 'toy', 'model_type': 'ToyModel', 'num_gpu': 0, 'dist': False, 'rank': 0, 'world_size': 1, 'manual_seed': 5,
        'is_train': True, 'datasets': {'train': {}}, 'path': path, 'network_g': {'type': 'ToyNet'},
        'run': {'seed': 5, 'batch_size': 2, 'world_size': 1, 'accumulate': 1, 'dataset': 'toys', 'iterations_per_epoch': 3},
        'train': {'total_iter': 8, 'optim_g': {'type': 'AdamW', 'lr': 0.01, 'weight_decay': 0.1}, **train},
        'val': {'save_img': False, 'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}},
    }


def train(model: DeblurModel, *batches: dict[str, Any]) -> None:
    """What BasicSR's loop does with `batches`."""
    for batch in batches:
        current_iter = model.iteration + 1
        model.update_learning_rate(current_iter, warmup_iter=-1)
        model.feed_data(batch)
        model.optimize_parameters(current_iter)


def resume(options: dict[str, Any], iteration: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options as BasicSR changes them to resume from `iteration`, and the training state."""
    path = options['path']
    path = {**path, 'resume_state': f"{path['training_states']}/{iteration}.state",
            'pretrain_network_g': f"{path['models']}/net_g_{iteration}.pth"}
    return {**options, 'path': path}, torch.load(path['resume_state'], weights_only=True)


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two state dicts agree bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
