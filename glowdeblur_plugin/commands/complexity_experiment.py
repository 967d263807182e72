"""What the network of an option file costs, as `glowdeblur complexity -opt` tells it."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glowdeblur_plugin.commands.complexity_rows import GIB, Row, as_entries, count_rows
from glowdeblur_plugin.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from glowdeblur_plugin.models.complexity import PartCount

LABELS = {'prereconstruction': 'pre-reconstruction', 'encoder': 'codec, encoder', 'motion': 'motion estimator',
          'text': 'null text, once', 'step': 'backbone, one step', 'decoder': 'codec, decoder'}
STEPS = 20


class Experiment:
    """The network of checked options, without memory behind it.

    Args:
        opt: of a file for training or testing.

    Attributes:
        name: type and variant of the network.
        notes: what was counted otherwise than it stands in the file.
    """

    def __init__(self, opt: dict[str, Any]) -> None:
        from basicsr.archs import build_network

        from glowdeblur_plugin.models.deblur_model import DeblurModel
        from glowdeblur_plugin.models.dry_run import dry_network

        self.opt = opt
        with tempfile.TemporaryDirectory() as folder:
            self._section, self.notes = _reachable(opt['network_g'], Path(folder))
            self._network, self._mode = dry_network(lambda: DeblurModel.build_option('network_g', build_network, self._section))
        self.name = f'{self._section["type"]} {self._section.get("variant", "")}'.rstrip()

    def build(self) -> 'nn.Module':
        """The network with random weights, GLOWDeblur in the published shape of its variant."""
        from basicsr.archs import build_network

        from glowdeblur_plugin.models.sampling_cost import UntrainedGLOWDeblur

        arguments = dict(self._section)
        if arguments.pop('type') == 'GLOWDeblur':
            return UntrainedGLOWDeblur(**arguments)
        return build_network(dict(self._section))

    def training(self) -> tuple[list[str], dict[str, Any]]:
        """What training needs: lines to print, and an entry for JSON.

        Raises:
            UserError: crops that the network does not take.
        """
        from basicsr.utils.registry import MODEL_REGISTRY

        from glowdeblur_plugin.models.complexity import count_parts, training_memory
        from glowdeblur_plugin.models.deblur_model import check_crops
        from glowdeblur_plugin.options import read_section

        network, mode = self._network, self._mode
        model, data = MODEL_REGISTRY.get(self.opt['model_type']), self.opt['datasets']['train']
        train = read_section(model.Options, self.opt['train'], 'train')
        model.freeze_parts(network, train)
        side, crops = data['gt_size'], data['batch_size_per_gpu']
        check_crops(network, side)
        memory = training_memory(network, mode, train, crops, side)
        parts = count_parts(network, mode, side, side)
        lines = [*_part_lines(parts, f'a {side}x{side} crop'), '', f'{"memory on each device":34}{"GiB":>10}']
        lines += [f'{name:34}{value / GIB:10.2f}' for name, value in memory.items()]
        lines += [f'{"sum":34}{sum(memory.values()) / GIB:10.2f}', '',
                  f'{crops} crops a micro-batch, {train.precision}; the terms of the loss and what the allocator holds come on '
                  'top.']
        if train.sharding == 'fsdp':
            lines.append('train:sharding: fsdp divides all but the activations and the frozen parts by the number of '
                         'processes; a block of the backbone, which it gathers at a time, comes on top.')
        entry = {'network': self.name, 'width': side, 'height': side, 'crops': crops, 'precision': train.precision,
                 'parts': as_entries(parts), 'training_bytes': memory}
        return lines, entry

    def rows(self, sizes: Sequence[tuple[int, int]], steps: Sequence[int] | None) -> tuple[list[str], list[Row]]:
        """What restoring needs: lines about the parts, and rows; without `steps` with those of the file."""
        val = self.opt.get('val') or {}
        rows = count_rows(self.name, self._network, self._mode, sizes, steps or [val.get('steps', STEPS)])
        lines: list[str] = []
        for row in {row.size: row for row in rows}.values():
            lines += [*_part_lines(row.parts, row.picture), '']
        if self.opt['model_type'] == 'GLOWDeblurModel':
            chosen = ', as in this file,' if val.get('precision') == 'bf16' else ''
            self.notes.append(f'val:precision: bf16{chosen} halves the weights.')
        return lines, rows


def _reachable(section: dict[str, Any], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """`network_g` with the known shapes in place of pretrained parts whose config is not on this machine, and what to say of
    them."""
    import torch
    from diffusers import AutoencoderDC, SanaTransformer2DModel

    from glowdeblur_plugin.diffusion.autoencoder_codec import SANA_AUTOENCODER
    from glowdeblur_plugin.diffusion.pretrained import load_part
    from glowdeblur_plugin.diffusion.text_encoder import TextEncoder

    warnings.filterwarnings('ignore', module='huggingface_hub')
    known, notes = dict(section), []
    for key, kind, shape in (('backbone', SanaTransformer2DModel, None), ('codec', AutoencoderDC, str(folder))):
        if known.get(key) is None:
            continue
        with torch.device('meta'):
            try:
                load_part(f'network_g:{key}', kind, known[key])
            except UserError:
                if kind is AutoencoderDC:
                    AutoencoderDC(**SANA_AUTOENCODER).save_config(folder)
                known[key] = shape
                notes.append(f"network_g:{key}: the config of '{section[key]}' is not on this machine; counted with the shape "
                             f"of {'the variant' if shape is None else 'dc-ae-f32c32-sana-1.0'}.")
    if known.get('text_encoder') is not None:
        with torch.device('meta'):
            try:
                TextEncoder.from_pretrained('network_g:text_encoder', known['text_encoder'])
            except UserError as error:
                known = {**known, 'semantic': 'none', 'text_encoder': None, 'text_instruction': None}
                notes.append(f'{error}; counted without it.')
    return known, notes


def _part_lines(parts: 'Sequence[PartCount]', what: str) -> list[str]:
    lines = [f'{"part":22}{"parameters":>16}{"trained":>16}{"GMAC of " + what:>26}']
    return lines + [f'{LABELS.get(part.name, part.name):22}{part.parameters:16,}{part.trained:16,}{part.macs / 1e9:26,.2f}'
                    for part in parts]
