"""Nothing in the sampling loop makes the host wait for the device: held on the meta device, which has no values to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.diffusion.noise import picture_noise
from glowdeblur_plugin.diffusion.sampler import sample_flow
from glowdeblur_plugin.diffusion.solvers import FlowDPMSolver
from glowdeblur_plugin.models.text_guidance import guided_velocity

READS = {'aten::_local_scalar_dense', 'aten::nonzero', 'aten::is_nonzero', 'aten::equal', 'aten::unique_dim', 'aten::_unique2',
         'aten::masked_select'}


class Waits(TorchDispatchMode):
    """Notes operations whose result's size or value the host has to read, and those that take tensors from one device to
    another (a lone number in host memory, as DPM-Solver's coefficients are, goes along with the kernel)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function: Any, kinds: Any, arguments: tuple[Any, ...] = (),
                           named: dict[str, Any] | None = None) -> Any:
        results = function(*arguments, **(named or {}))
        leaves = tree_leaves((arguments, named))
        devices = {leaf.device for leaf in (*leaves, *tree_leaves(results)) if isinstance(leaf, torch.Tensor)}
        moved = len(devices) > 1 and any(isinstance(leaf, torch.Tensor) and leaf.ndim > 0 and leaf.device.type == 'cpu'
                                         for leaf in leaves)
        name = function.name().split('.')[0]
        if name in READS or moved or (name in ('aten::_to_copy', 'aten::copy_') and len(devices) > 1):
            self.found.append(name)
        return results


@contextmanager
def between_steps(velocity: Any) -> Iterator[tuple[Any, Waits]]:
    """The velocity, and what is noted from its first call on."""
    waits = Waits()

    def noted(latent: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        if not entered:
            entered.append(waits.__enter__())
        return velocity(latent, sigma)

    entered: list[Waits] = []
    try:
        yield noted, waits
    finally:
        if entered:
            waits.__exit__(None, None, None)


@torch.inference_mode()
@pytest.mark.parametrize('guidance', [None, 1.0, 2.0])
@pytest.mark.parametrize(('solver', 'start'), [('euler', 1.0), ('euler', 0.5), ('dpm', 1.0), ('dpm', 0.5), ('scm', 1.0),
                                               ('scm', 0.5)])
def test_no_step_waits(solver: str, start: float, guidance: float | None) -> None:
    with torch.device('meta'):
        net = GLOWDeblur('nano', target='around').eval()
    condition = net.condition(torch.empty(2, 3, 32, 48, device='meta'))
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    noise = picture_noise(generators, condition.aligned.shape[1:]).to('meta')
    texts = {} if guidance is None else {'text': torch.empty(2, 6, 32, device='meta'), 'guidance': guidance,
                                         'text_mask': torch.empty(2, 6, device='meta')}
    with between_steps(guided_velocity(net, condition, **texts)) as (velocity, waits):
        latent = sample_flow(velocity, noise, 5, start, condition.aligned if start < 1 else None, solver, generators)
    assert latent.shape == noise.shape and latent.device.type == 'meta'
    assert not waits.found


@pytest.mark.parametrize('wait', [
    lambda latent: latent.sum().item(), lambda latent: bool((latent > 0).all()), lambda latent: (latent > 0).nonzero(),
    lambda latent: latent.to('meta'), lambda latent: torch.empty(2, device='meta').copy_(latent[0, 0, 0]),
])
def test_waits_are_found(wait: Any) -> None:
    with between_steps(lambda latent, sigma: (wait(latent), latent)[1]) as (velocity, waits):
        sample_flow(velocity, torch.ones(1, 1, 2, 2), 2)
    assert waits.found


@pytest.mark.parametrize('solver', [FlowDPMSolver(), FlowMatchEulerDiscreteScheduler(shift=1.0)])
def test_solvers_would_wait_for_their_place_if_it_were_not_given(solver: Any) -> None:
    """Why `build_solver` sets the first index: diffusers else looks for the timestep among all."""
    latent = torch.ones(1, 1, 2, 2)
    solver.set_timesteps(sigmas=[1.0, 0.75])
    with Waits() as waits:
        solver.step(latent, solver.timesteps[0], latent)
    assert waits.found
