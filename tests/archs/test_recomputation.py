"""Gradient checkpointing: the same gradients from fewer kept tensors."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from basicsr.archs import build_network
from torch import Tensor, nn

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.recomputation import enable_gradient_checkpointing, recompute_blocks
from glowdeblur_plugin.archs.sana_backbone import VARIANTS
from tiny_parts import SHAPE, tiny_autoencoder, tiny_transformer

SIDE = 64


def _stir(network: nn.Module) -> nn.Module:
    """Move every weight off its start, so that each block that starts as the identity counts."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return network


def _glowdeblur(folder: Path) -> nn.Module:
    tiny_transformer(folder / 'transformer')
    tiny_autoencoder(folder / 'vae', stages=6)
    return GLOWDeblur('s600m', backbone=str(folder / 'transformer'), codec=str(folder / 'vae'),
                      prereconstruction={'type': 'PreReconstruction', 'width': 4, 'encoder_blocks': [2], 'middle_blocks': 2,
                                         'decoder_blocks': [2]})


def _losses(network: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    lq = torch.rand(2, 3, SIDE, SIDE, generator=generator)
    if not isinstance(network, GLOWDeblur):
        return (network(lq) - lq.flip(1)).square().mean()
    latent = (2, network.latent_channels, SIDE // network.compression, SIDE // network.compression)
    output = network(lq, lq.flip(1), torch.randn(latent, generator=generator), torch.tensor([0.3, 0.7]))
    return sum(output[name].square().mean() for name in ('prereconstruction', 'aligned', 'motion', 'flow_error'))


def _gradients(network: nn.Module) -> tuple[int, dict[str, Tensor]]:
    """Bytes of the activations kept for the backward pass, each storage once, and the gradients by name."""
    held = network.codec.held.parameters() if isinstance(network, GLOWDeblur) else ()
    weights = {parameter.untyped_storage().data_ptr() for parameter in (*network.parameters(), *held)}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = _losses(network)
    size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    loss.backward()
    return size, {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}


def _nafnet(_: Path) -> nn.Module:
    return build_network({'type': 'NAFNet', 'width': 4, 'enc_blk_nums': [1, 2], 'middle_blk_num': 1, 'dec_blk_nums': [1, 1]})


def _restormer(_: Path) -> nn.Module:
    return build_network({'type': 'Restormer', 'dim': 8, 'num_blocks': [1, 1, 1, 1], 'heads': [1, 1, 1, 1],
                          'num_refinement_blocks': 1})


@pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::FutureWarning')
@pytest.mark.parametrize(('build', 'blocks', 'factor'), [
    (_glowdeblur, 19, 3.5), (lambda _: GLOWDeblur(align='conv'), 13, 7), (_nafnet, 6, 7), (_restormer, 8, 16),
], ids=['GLOWDeblur with an autoencoder', 'nano', 'NAFNet', 'Restormer'])
def test_gradients_are_the_same_from_fewer_kept_tensors(tmp_path, monkeypatch: pytest.MonkeyPatch,
                                                        build: Callable[[Path], nn.Module], blocks: int, factor: float) -> None:
    monkeypatch.setitem(VARIANTS, 's600m', SHAPE)
    plain = _stir(build(tmp_path))
    recomputed = copy.deepcopy(plain)
    assert enable_gradient_checkpointing(recomputed) == blocks
    size, gradients = _gradients(plain)
    smaller, same = _gradients(recomputed)
    assert size > factor * smaller
    assert gradients.keys() == same.keys() and all(torch.equal(value, same[name]) for name, value in gradients.items())


def test_a_copy_recomputes_with_its_own_weights() -> None:
    network = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Tanh()))
    assert recompute_blocks(network) == 1
    twin = copy.deepcopy(network)
    nn.init.zeros_(twin[0][0].weight)
    nn.init.zeros_(twin[0][0].bias)
    inputs = torch.ones(1, 2)
    assert twin(inputs).abs().sum() == 0 < network(inputs).abs().sum()
    twin(inputs).sum().backward()
    assert twin[0][0].weight.grad.tolist() == [[1, 1], [1, 1]] and network[0][0].weight.grad is None
