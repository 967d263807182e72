"""`glowdeblur complexity`: what the network of an option file costs, before anything is allocated."""

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

from glowdeblur_plugin.commands.option_files import read_options
from glowdeblur_plugin.errors import UserError

GIB, PICTURE = 2**30, (720, 1280)
LABELS = {'prereconstruction': 'pre-reconstruction', 'encoder': 'codec, encoder', 'motion': 'motion estimator',
          'text': 'null text, once', 'step': 'backbone, one step', 'decoder': 'codec, decoder'}


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('complexity', help='parameters, multiply-accumulates and memory of an option file',
                                 description='Count parameters, multiply-accumulates and memory of the network of an option '
                                             'file on shapes alone: no weights are loaded, no data is read, nothing is '
                                             'allocated. A training file is counted at its crops, a test file at --size.')
    parser.add_argument('-opt', required=True, metavar='FILE', help='option file: options/bpp.yml')
    parser.add_argument('--force_yml', nargs='+', default=[], metavar='SECTION:KEY=VALUE', help='change options')
    parser.add_argument('--size', metavar='WxH', help='picture that is restored, with a test file (default: 1280x720)')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    opt = read_options(options.opt, options.force_yml)
    training = opt.get('train') is not None
    if training and options.size is not None:
        raise UserError('--size: a training file is counted at its crops, datasets:train:gt_size')
    from basicsr.archs import build_network

    from glowdeblur_plugin.models.deblur_model import DeblurModel
    from glowdeblur_plugin.models.dry_run import dry_network

    with tempfile.TemporaryDirectory() as folder:
        section, notes = _reachable(opt['network_g'], Path(folder))
        network, mode = dry_network(lambda: DeblurModel.build_option('network_g', build_network, section))
    lines = (_training if training else _restoring)(opt, network, mode, options.size)
    print('\n'.join([f'{options.opt}: {section["type"]} {section.get("variant", "")}'.rstrip(), *lines, *notes]))


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
                notes.append(f"network_g:{key}: the config of '{section[key]}' is not on this machine; counted with the shape of "
                             f"{'the variant' if shape is None else 'dc-ae-f32c32-sana-1.0'}.")
    if known.get('text_encoder') is not None:
        with torch.device('meta'):
            try:
                TextEncoder.from_pretrained('network_g:text_encoder', known['text_encoder'])
            except UserError as error:
                known = {**known, 'semantic': 'none', 'text_encoder': None, 'text_instruction': None}
                notes.append(f'{error}; counted without it.')
    return known, notes


def _training(opt: dict[str, Any], network: Any, mode: Any, _: str | None) -> list[str]:
    from basicsr.utils.registry import MODEL_REGISTRY

    from glowdeblur_plugin.models.complexity import count_parts, training_memory
    from glowdeblur_plugin.models.deblur_model import check_crops
    from glowdeblur_plugin.options import read_section

    model, data = MODEL_REGISTRY.get(opt['model_type']), opt['datasets']['train']
    train = read_section(model.Options, opt['train'], 'train')
    model.freeze_parts(network, train)
    side, crops = data['gt_size'], data['batch_size_per_gpu']
    check_crops(network, side)
    memory = training_memory(network, mode, train, crops, side)
    lines = _parts(count_parts(network, mode, side, side), f'a {side}x{side} crop')
    lines += ['', f'{"memory on each device":34}{"GiB":>10}']
    lines += [f'{name:34}{value / GIB:10.2f}' for name, value in memory.items()]
    lines += [f'{"sum":34}{sum(memory.values()) / GIB:10.2f}', '',
              f'{crops} crops a micro-batch, {train.precision}; the terms of the loss and what the allocator holds come on top.']
    if train.sharding == 'fsdp':
        lines.append('train:sharding: fsdp divides all but the activations and the frozen parts by the number of processes; a '
                     'block of the backbone, which it gathers at a time, comes on top.')
    return lines


def _restoring(opt: dict[str, Any], network: Any, mode: Any, size: str | None) -> list[str]:
    from glowdeblur_plugin.models.complexity import count_parts
    from glowdeblur_plugin.models.dry_run import weight_bytes

    width, height = _size(size)
    multiple = getattr(network, 'size_multiple', 1)
    padded = [-(-length // multiple) * multiple for length in (height, width)]
    steps = (opt.get('val') or {}).get('steps', 20)
    parts = count_parts(network, mode, *padded, steps)
    lines = _parts(parts, f'{width}x{height}')
    if len(parts) > 1:
        lines += ['', f'with {steps} steps: {sum(part.uses * part.macs for part in parts) / 1e9:,.0f} GMAC']
    peak = max(part.live_bytes for part in parts)
    chosen = ', as in this file,' if (opt.get('val') or {}).get('precision') == 'bf16' else ''
    halved = f'; val:precision: bf16{chosen} halves the weights' if opt['model_type'] == 'GLOWDeblurModel' else ''
    lines += ['', f'memory: {weight_bytes(network) / GIB:.2f} GiB of weights, {peak / GIB:.2f} GiB at the peak beside them, '
              f'the whole picture at once in float32{halved}']
    return lines


def _parts(parts: list[Any], what: str) -> list[str]:
    lines = [f'{"part":22}{"parameters":>16}{"trained":>16}{"GMAC of " + what:>26}']
    return lines + [f'{LABELS.get(part.name, part.name):22}{part.parameters:16,}{part.trained:16,}{part.macs / 1e9:26,.2f}'
                    for part in parts]


def _size(text: str | None) -> tuple[int, int]:
    if text is None:
        return PICTURE[::-1]
    width, _, height = text.partition('x')
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise UserError(f'--size: expected width x height such as 1280x720, found {text!r}')
    return int(width), int(height)
