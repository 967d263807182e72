"""GLOWDeblur (arXiv 2601.06525): a blurry picture, its pre-reconstruction and its motion guide a linear-attention latent
diffusion."""

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from glowdeblur_plugin.archs.adapters import LoraOptions, add_adapters
from glowdeblur_plugin.archs.blocks import use_channels_last
from glowdeblur_plugin.archs.domain_alignment import AlignName, build_alignment
from glowdeblur_plugin.archs.linear_attention import use_float32_sums
from glowdeblur_plugin.archs.motion_estimator_arch import MotionEstimator
from glowdeblur_plugin.archs.picture_parts import (FULL_PARTS, NANO_PARTS, build_prereconstruction, feature_shape,
                                                   picture_and_features)
from glowdeblur_plugin.archs.recomputation import recompute_blocks
from glowdeblur_plugin.archs.sana_backbone import EMBEDDED_GUIDANCE, build_backbone, time_arguments, widen_input
from glowdeblur_plugin.archs.text_condition import SemanticName, build_text_encoder, fill_absent
from glowdeblur_plugin.archs.text_context import TextContext, read_texts_once, text_context
from glowdeblur_plugin.diffusion.autoencoder_codec import AutoencoderCodec
from glowdeblur_plugin.diffusion.block_dct_codec import BlockDCTCodec
from glowdeblur_plugin.diffusion.flow import TargetName, add_noise, build_target
from glowdeblur_plugin.diffusion.frozen import Frozen
from glowdeblur_plugin.diffusion.precision import without_autocast
from glowdeblur_plugin.diffusion.pretrained import weights_reference
from glowdeblur_plugin.diffusion.text_encoder import TEXT_LENGTH
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between, read_section

MOTION_CHANNELS = 3


@dataclass
class Condition:
    """What the diffusion stage knows of a blurry picture.

    `prereconstruction` (N, 3, H, W) about [0, 1]; `aligned` (N, C, h, w), the aligned feature in the latent's units; `motion` (N,
    3, H/cell, W/cell), the estimated blur tensor in pixels; `motion_map` (N, 3, h, w), the same per latent cell in units of the
    codec's compression, detached.
    """

    prereconstruction: Tensor
    aligned: Tensor
    motion: Tensor
    motion_map: Tensor

    def zeroed(self) -> 'Condition':
        """The same with the aligned feature and the motion map set to zero, to measure what the condition is worth."""
        return Condition(self.prereconstruction, torch.zeros_like(self.aligned), self.motion, torch.zeros_like(self.motion_map))


@ARCH_REGISTRY.register()
class GLOWDeblur(nn.Module):
    """The whole network: pre-reconstruction & domain alignment, motion estimator, widened SANA backbone, frozen latent codec.

    Pictures are (N, 3, H, W) in [0, 1] with H and W multiples of `size_multiple`; latents (N, C, h, w), h = H / codec
    compression. The concatenation [noised latent ; aligned feature ; motion map] enters one stream (paper, figure); text enters
    by cross-attention, a learnt null embedding standing in where there is none (our choice). The estimator's map enters detached:
    only the motion loss trains it.

    Args:
        variant: `nano` (needs no weights, runs on a CPU), `s600m` or `s1600m` (SANA's shapes; the paper's is 1.6B).
        target: what the backbone predicts, `plain` velocity or the velocity `around` the aligned feature (see diffusion/flow.py).
        backbone: diffusers folder or hub id of pretrained SANA weights; without it the backbone starts untrained.
        codec: diffusers folder or hub id of the 32x autoencoder; the nano has its own and takes none.
        align: where the aligned feature comes from, the codec's encoder (`dcae`) or convolutions (`conv`), see
            archs/domain_alignment.py.
        prereconstruction: another network instead of the variant's own `PreReconstruction`: its `type`, which may be NAFNet or
            Restormer too, and its arguments.
        lora: keep the backbone as it is and train low-rank adapters on it, see `LoraOptions`; None trains all of it.
        semantic: where texts come from: `none`, `cache` (embeddings that go with the pictures) or `live` (captions that go with
            the pictures, encoded here).
        text_encoder: folder or hub id of the frozen text encoder of `live`, see `TextEncoder`.
        text_length: tokens of a text; the data's `text_length` under `cache`.
        text_instruction: file with what `live` puts before each caption; nothing by default.
    """

    sections: ClassVar[dict[str, type]] = {'lora': LoraOptions}

    def __init__(self,
                 variant: Literal['nano', 's600m', 's1600m'] = 'nano',
                 target: TargetName = 'plain',
                 backbone: str | None = None,
                 codec: str | None = None,
                 align: AlignName = 'dcae',
                 prereconstruction: dict[str, Any] | None = None,
                 lora: dict[str, Any] | None = None,
                 semantic: SemanticName = 'none',
                 text_encoder: str | None = None,
                 text_length: Annotated[int, Between(1)] = TEXT_LENGTH,
                 text_instruction: str | None = None) -> None:
        super().__init__()
        parts = NANO_PARTS if variant == 'nano' else FULL_PARTS
        self.codec = self.build_codec(variant, codec)
        channels, compression = self.latent_channels, self.compression
        self.prereconstruction = build_prereconstruction(parts, prereconstruction)
        self.alignment = build_alignment(align, *feature_shape(self.prereconstruction), compression, channels)
        self.motion = MotionEstimator(parts.motion_width, cell=parts.motion_cell)
        self.target = build_target(target, channels)
        self.backbone = build_backbone(variant, channels, backbone)
        use_float32_sums(self.backbone)
        read_texts_once(self.backbone)
        if variant == 'nano':
            nn.init.zeros_(self.backbone.proj_out.weight)
            nn.init.zeros_(self.backbone.proj_out.bias)
        widen_input(self.backbone, channels + MOTION_CHANNELS)
        if lora is not None:
            add_adapters(self.backbone, read_section(LoraOptions, lora, 'network_g:lora'))
            self.backbone.reference = None if backbone is None else weights_reference(backbone)
        self.null_text = nn.Parameter(torch.zeros(1, 1, self.backbone.config.caption_channels))
        self.semantic, self.text_length = semantic, text_length
        self.text_encoder = build_text_encoder(semantic, text_encoder, text_instruction, text_length, self.null_text.shape[-1])
        self.size_multiple = math.lcm(compression, self.prereconstruction.size_multiple, self.motion.size_multiple)
        use_channels_last(self)

    def build_codec(self, variant: str, path: str | None) -> Frozen:
        """The codec that the arguments ask for, see the function of this name."""
        return build_codec(variant, path)

    @property
    def latent_channels(self) -> int:
        """Channels C of the latent."""
        return self.codec.held.latent_channels

    @property
    def blocks(self) -> list[nn.Module]:
        """The backbone's blocks, which hold most weights; sharded training gathers them one by one."""
        return list(self.backbone.transformer_blocks)

    def enable_gradient_checkpointing(self) -> int:
        """Compute the activations of the backbone, the pre-reconstruction, the alignment and the frozen encoder again in the
        backward pass, block by block; those of the motion estimator, on a quarter of the resolution, are kept.

        Returns:
            The number of blocks.
        """
        self.backbone.enable_gradient_checkpointing()
        parts = [self.prereconstruction, self.alignment]
        if isinstance(self.codec.held, AutoencoderCodec):
            parts.append(self.codec.held.autoencoder.encoder)
        return len(self.blocks) + sum(recompute_blocks(part) for part in parts)

    @property
    def compression(self) -> int:
        """Side of the picture area that one latent cell stands for."""
        return self.codec.held.compression

    def use_bf16_weights(self) -> None:
        """Keep the weights in bfloat16, to restore in half the memory under bf16 autocast. Statistics of the latent stay in
        float32, and so does the nano's codec, which has nothing else."""
        for part in (self.prereconstruction, self.alignment, self.motion, self.backbone):
            nn.Module.to(part, torch.bfloat16)  # diffusers' own warns of nothing
        self.null_text.data = self.null_text.data.to(torch.bfloat16)
        if isinstance(self.codec.held, AutoencoderCodec):
            self.codec.to(torch.bfloat16)

    @property
    def codec_dtype(self) -> torch.dtype:
        """Precision of the codec's weights."""
        return next(itertools.chain(self.codec.held.parameters(), self.codec.held.buffers())).dtype

    def encode(self, picture: Tensor) -> Tensor:
        """Latent (N, C, h, w) of pictures in [0, 1]; gradients pass through the frozen codec."""
        return self.codec.held.encode(picture.to(self.codec_dtype))

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures (N, 3, H, W), about [0, 1], of latents, in the precision of the codec's weights: autocast is off here."""
        with without_autocast(latent.device):
            return self.codec.held.decode(latent.to(self.codec_dtype))

    def condition(self, lq: Tensor) -> Condition:
        """Pre-reconstruction, aligned feature and motion of blurry pictures (N, 3, H, W)."""
        picture, features = picture_and_features(self.prereconstruction, lq)
        aligned = self.alignment(picture, features, self.encode)
        motion = self.motion(lq)
        motion_map = resize_motion(motion.detach(), aligned.shape[-2:]) / self.compression
        return Condition(picture, aligned, motion, motion_map)

    def text_context(self, text: Tensor | None = None, text_mask: Tensor | None = None) -> TextContext:
        """What `velocity` takes in place of a text, so that keys and values are computed once for all steps.

        Arguments as there. It holds for the present weights; one of the null embedding fits any number of latents.
        """
        if text is None:
            return text_context(self.backbone, self.null_text)
        return text_context(self.backbone, *fill_absent(self.null_text, text, text_mask))

    def velocity(self, noised: Tensor, sigma: Tensor, condition: Condition, text: Tensor | TextContext | None = None,
                 text_mask: Tensor | None = None, embedded_guidance: float = EMBEDDED_GUIDANCE) -> Tensor:
        """The velocity (N, C, h, w) of noised latents at levels `sigma` (N,).

        Args:
            text: states (N, L, caption channels) of a text encoder, their `text_context`, or None for the null embedding.
            text_mask: (N, L), 1 where a state counts; the null embedding stands in for a text of which none does. A
                `text_context` has it in it.
            embedded_guidance: scale of the guidance that SANA-Sprint's backbones have learnt to imitate; others do not read it.
        """
        if text is None:
            text, text_mask = self.null_text.expand(len(noised), -1, -1), None
        elif isinstance(text, TextContext):
            text, text_mask = text.empty.expand(len(noised), -1, -1), text
        else:
            text, text_mask = fill_absent(self.null_text, text, text_mask)
        inputs = torch.cat([self.target.network_input(noised, sigma, condition.aligned), condition.aligned, condition.motion_map],
                           dim=1)
        output = self.backbone(inputs, encoder_hidden_states=text, encoder_attention_mask=text_mask, return_dict=False,
                               **time_arguments(self.backbone, sigma, embedded_guidance))[0]
        return self.target.velocity(output, noised, sigma, condition.aligned)

    @torch.no_grad()
    def sharp_latent(self, gt: Tensor, latent: Tensor | None = None, known: Tensor | None = None) -> Tensor:
        """The latent (N, C, h, w) of sharp pictures in float32, without gradient.

        Args:
            latent: what is known of it already, of the pictures where `known` (N,); those are not encoded.
        """
        if latent is not None and known.all():
            return latent
        with without_autocast(gt.device):
            return self.encode(gt) if latent is None else latent.index_put((~known,), self.encode(gt[~known]))

    def forward(self,
                lq: Tensor,
                gt: Tensor,
                noise: Tensor | None = None,
                sigma: Tensor | None = None,
                keep_motion: Tensor | None = None,
                text: Tensor | None = None,
                text_mask: Tensor | None = None,
                latent: Tensor | None = None,
                latent_known: Tensor | None = None) -> dict[str, Tensor]:
        """One training pass.

        Args:
            lq, gt: blurry and sharp pictures (N, 3, H, W) in [0, 1].
            noise: (K N, C, h, w) standard normal, K draws for each picture; None leaves the diffusion stage out.
            sigma: (K N,) noise levels.
            keep_motion: (N,), 0 where the motion map is dropped.
            text, text_mask: see `velocity`.
            latent, latent_known: see `sharp_latent`.

        Returns:
            `prereconstruction`, `aligned`, `latent` (of gt), `motion`, and with noise `flow_error`, the error of
            the velocity (K N, C, h, w).
        """
        condition = self.condition(lq)
        latent = self.sharp_latent(gt, latent, latent_known)
        if self.training:
            self.target.observe(latent, condition.aligned)
        results = {
            'prereconstruction': condition.prereconstruction,
            'aligned': condition.aligned,
            'latent': latent,
            'motion': condition.motion
        }
        if noise is None:
            return results
        if keep_motion is not None:
            condition.motion_map = condition.motion_map * keep_motion.view(-1, 1, 1, 1)
        draws = len(noise) // len(lq)
        condition = Condition(condition.prereconstruction, condition.aligned.repeat(draws, 1, 1, 1), condition.motion,
                              condition.motion_map.repeat(draws, 1, 1, 1))
        latent = latent.repeat(draws, 1, 1, 1)
        if text is not None:
            text = text.repeat(draws, 1, 1)
            text_mask = None if text_mask is None else text_mask.repeat(draws, 1)
        velocity = self.velocity(add_noise(latent, noise, sigma), sigma, condition, text, text_mask)
        results['flow_error'] = velocity - (noise - latent)
        return results


def resize_motion(motion: Tensor, size: tuple[int, int]) -> Tensor:
    """A motion map (N, 3, a, b) on a grid of another size: area means, which the blur tensor allows."""
    return F.adaptive_avg_pool2d(motion, size) if tuple(motion.shape[-2:]) != tuple(size) else motion


def build_codec(variant: str, path: str | None) -> Frozen:
    """The frozen latent codec of a variant, with the reference of its weights where it has some.

    Raises:
        UserError: a path for the nano's codec, none for another's, or no AutoencoderDC there.
    """
    if variant == 'nano':
        if path is not None:
            raise UserError(f"network_g:codec: the nano variant has its own codec, found {path!r}; leave it out")
        return Frozen(BlockDCTCodec())
    if path is None:
        raise UserError(f"network_g:codec: the {variant} variant needs the diffusers folder or hub id of a 32x AutoencoderDC")
    return Frozen(AutoencoderCodec.from_pretrained(path), weights_reference(path))
