"""diffusers' two deterministic flow solvers, both on noise levels that are given to them."""

from collections.abc import Sequence
from typing import Literal

import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler

from glowdeblur_plugin.diffusion.flow import TIMESTEPS

FlowSolverName = Literal['euler', 'dpm']


class FlowDPMSolver(DPMSolverMultistepScheduler):
    """DPM-Solver++ of order 2 (Lu et al. 2022; SANA's Flow-DPM-Solver) on noise levels given by hand.

    diffusers' own `set_timesteps` makes its levels itself and truncates the timesteps to whole numbers; here the levels stay as
    they are and the timesteps are exactly 1000 times as much. A level of 1 has a log signal-to-noise ratio of minus infinity;
    it is not clipped, as diffusers' formulas take their limit there (the step from it and the next are of order 1), and so they
    do at the last step, to 0. A step of order 1 is Euler's: up to 3 steps from pure noise, and 2 from a start below it, the two
    solvers agree.
    """

    def __init__(self) -> None:
        super().__init__(num_train_timesteps=TIMESTEPS,
                         algorithm_type='dpmsolver++',
                         solver_order=2,
                         prediction_type='flow_prediction',
                         use_flow_sigmas=True,
                         final_sigmas_type='zero')

    def set_timesteps(self, sigmas: Sequence[float], device: torch.device | str | None = None) -> None:
        """Prepare the steps from each of `sigmas`, decreasing numbers in (0, 1], to the next, and from the last to 0."""
        super().set_timesteps(len(sigmas), device=device)
        self.sigmas = torch.tensor([*sigmas, 0.0], dtype=torch.float32)
        self.timesteps = self.sigmas[:-1].to(device) * TIMESTEPS


def build_solver(name: FlowSolverName, sigmas: Sequence[float],
                 device: torch.device | str | None = None) -> FlowMatchEulerDiscreteScheduler | FlowDPMSolver:
    """A scheduler ready for its first step, whose levels are `sigmas` (without the final 0, which it adds).

    The Euler scheduler shifts levels given by hand too; a shift of 1 leaves them.
    """
    solver = FlowDPMSolver() if name == 'dpm' else FlowMatchEulerDiscreteScheduler(num_train_timesteps=TIMESTEPS, shift=1.0)
    solver.set_timesteps(sigmas=sigmas, device=device)
    solver.set_begin_index(0)
    return solver
