"""Restoring one picture with GLOWDeblur, and all that is measured and drawn about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from basicsr.metrics import calculate_psnr, calculate_ssim
from basicsr.utils import tensor2img
from torch import Tensor

from glowdeblur_plugin.archs.glowdeblur_arch import Condition, GLOWDeblur
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.diffusion.colour import ColourName, correct_colour
from glowdeblur_plugin.diffusion.noise import picture_noise, twin
from glowdeblur_plugin.diffusion.precision import without_autocast
from glowdeblur_plugin.diffusion.sampler import SolverName, sample_flow
from glowdeblur_plugin.drawing import labelled_strip
from glowdeblur_plugin.metrics.motion_metric import calculate_motion_error
from glowdeblur_plugin.models.drawn_pictures import as_bytes, as_tensor, draw_motion
from glowdeblur_plugin.models.motion_evaluation import on_picture, on_whole_cells
from glowdeblur_plugin.models.semantic import allowed_texts, with_true_motion
from glowdeblur_plugin.models.text_guidance import guided_velocity
from glowdeblur_plugin.models.tile_choice import TileSettings
from glowdeblur_plugin.options import Between

SSIM_WINDOW = 11


@dataclass(kw_only=True)
class RestorationSettings(TileSettings):
    """How a picture is restored.

    Attributes:
        steps: velocity evaluations from pure noise.
        warm_sigma: noise level of the warm start around the aligned feature.
        warm_steps: velocity evaluations from there.
        solver: how the flow is integrated, see `sample_flow`.
        colour: correct colours towards the pre-reconstruction, beside the plain result, see `correct_colour`.
        guidance: scale of the guidance on a text, 1 for none beyond the text itself, see `guided_velocity`.
        oracle_guidance: give the network what it may not see in a fair test: the true motion, and texts that the sharp picture
            had a part in.
    """

    steps: Annotated[int, Between(1)] = 20
    warm_sigma: Annotated[float, Between(0.001, 1)] = 0.5
    warm_steps: Annotated[int, Between(1)] = 4
    solver: SolverName = 'euler'
    colour: ColourName = 'none'
    guidance: Annotated[float, Between(0)] = 1.0
    oracle_guidance: bool = False


def restore(net: GLOWDeblur,
            condition: Condition,
            generators: Sequence[torch.Generator],
            steps: int,
            start: float = 1.0,
            solver: SolverName = 'euler',
            text: Tensor | None = None,
            text_mask: Tensor | None = None,
            guidance: float = 1.0) -> Tensor:
    """Sample latents under `condition` (N pictures) and decode them: pictures (N, 3, H, W), not clamped.

    A picture depends on its own generator alone, up to rounding, not on the others in the batch. The latent keeps float32 also
    under autocast (diffusers' schedulers would round it to the velocity's precision).

    Args:
        net: in eval mode; one that works in tiles will do.
        generators: N of them, one a picture, which give the noise; they are left as they are.
        steps: velocity evaluations.
        start: noise level to start at; below 1 around the aligned feature.
        solver: see `sample_flow`.
        text, text_mask, guidance: see `guided_velocity`.
    """
    generators = [twin(generator) for generator in generators]
    aligned = condition.aligned
    noise = picture_noise(generators, aligned.shape[1:]).to(aligned.device)
    velocity = guided_velocity(net, condition, text, text_mask, guidance)
    latent = sample_flow(lambda noised, sigma: velocity(noised, sigma).to(noise.dtype), noise, steps, start,
                         aligned if start < 1 else None, solver, generators)
    return net.decode(latent)


def through_codec(net: GLOWDeblur, picture: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) encoded and decoded again in the precision of the codec's weights; not clamped."""
    with without_autocast(picture.device):
        return net.decode(net.encode(picture))


def evaluate(net: GLOWDeblur, batch: dict[str, Any], generator: torch.Generator, settings: RestorationSettings,
             full: bool) -> dict[str, Tensor | float]:
    """Restore the picture of a batch of one. The true motion is compared with and not given to the network, nor is a text that
    does not say that it was made from the blurry picture, unless the settings say `oracle_guidance`.

    Args:
        net: in eval mode; one that works in tiles will do.
        batch: `lq` (1, 3, H, W) in [0, 1], any size; `gt`, `motion` and texts where known.
        generator: gives the noise, the same for all ways of restoring; it is left as it is.
        settings: steps and starts.
        full: also the other ways of restoring, their figures, a strip and a motion panel (needs `gt`).

    Returns:
        `restored`, with a colour correction also `restored_colour`, and in a full report `strip` and `blur` (1, 3, h, w) and
        the figures of `summary.json` by name, of pictures below 11 pixels without SSIM. `restored` is never corrected; only the
        figures of `restored_colour` are of the corrected picture.
    """
    lq, size = batch['lq'], batch['lq'].shape[-2:]

    def cut(picture: Tensor) -> Tensor:
        return picture[..., :size[0], :size[1]].float().clamp(0, 1)

    def sample(known: Condition, steps: int, start: float = 1.0, **texts: Tensor) -> Tensor:
        return restore(net, known, [generator], steps, start, settings.solver, guidance=settings.guidance, **texts)

    condition = net.condition(pad_to_multiple(lq, net.size_multiple))
    texts = allowed_texts(net, batch, settings.oracle_guidance)
    if settings.oracle_guidance:
        condition = with_true_motion(net, condition, batch)
    whole = sample(condition, settings.steps, **texts)
    results = {'restored': cut(whole)}
    if settings.colour == 'wavelet':
        results['restored_colour'] = cut(correct_colour(whole, condition.prereconstruction.float()))
    if not full:
        return results
    ways = {
        'blurry': lq,
        'prereconstruction': cut(condition.prereconstruction),
        'prereconstruction_codec': cut(through_codec(net, condition.prereconstruction)),
        **results,
        'restored_warm': cut(sample(condition, settings.warm_steps, settings.warm_sigma, **texts)),
        'restored_nocond': cut(sample(condition.zeroed(), settings.steps)),
        'codec': cut(through_codec(net, pad_to_multiple(batch['gt'], net.size_multiple))),
    }
    figures = _figures(ways, batch['gt'])
    figures['psnr_restored_to_prereconstruction'] = _psnr(ways['restored'], ways['prereconstruction_codec'])
    motion, truth = on_picture(condition.motion.float(), lq, net.motion.cell), None
    if 'motion' in batch and bool(batch.get('motion_known', True)):
        truth = batch['motion']
        for name, estimate in (('motion_error', motion), ('motion_error_zero', torch.zeros_like(motion))):
            figures[name] = calculate_motion_error(*on_whole_cells(estimate, truth, net.motion.cell))
    strip = labelled_strip([(label, as_bytes(ways[way]))
                            for label, way in (('blurry', 'blurry'), ('pre-reconstruction', 'prereconstruction'),
                                               (f'restored, {settings.steps} steps', 'restored'))] +
                           [('sharp', as_bytes(batch['gt']))])
    return {**results, 'strip': as_tensor(strip), 'blur': draw_motion(lq, motion, truth), **figures}


def _figures(ways: dict[str, Tensor], sharp: Tensor) -> dict[str, float]:
    figures = {f'psnr_{way}': _psnr(picture, sharp) for way, picture in ways.items()}
    if min(sharp.shape[-2:]) >= SSIM_WINDOW:
        figures |= {
            f'ssim_{way}': float(calculate_ssim(tensor2img(picture), tensor2img(sharp), crop_border=0))
            for way, picture in ways.items()
        }
    return figures


def _psnr(picture: Tensor, sharp: Tensor) -> float:
    return float(calculate_psnr(tensor2img(picture), tensor2img(sharp), crop_border=0))
