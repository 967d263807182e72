"""`glowdeblur latents`: encode the sharp pictures of a training file once."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from glowdeblur_plugin.commands.option_files import read_options
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between, convert


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('latents', help='encode the sharp pictures of a training file once',
                                 description='Write the latents of dataroot_gt, under the codec of network_g, to '
                                             'dataroot_latent, for each training set of an option file that names one. '
                                             'Interrupted work goes on where it was.')
    parser.add_argument('-opt', required=True, metavar='FILE', help='option file of a training run')
    parser.add_argument('--force_yml', nargs='+', default=[], metavar='SECTION:KEY=VALUE', help='change options')
    parser.add_argument('--batch', type=int, default=8, help='pictures that are encoded at once (default: 8)')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    convert(options.batch, Annotated[int, Between(1)], '--batch')
    opt = read_options(options.opt, options.force_yml, training=True)
    import torch

    from glowdeblur_plugin.archs.glowdeblur_arch import build_codec
    from glowdeblur_plugin.compat.options import resolve_paths
    from glowdeblur_plugin.data.picture_source import open_source
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.data.sample_latents import check_whole_crops
    from glowdeblur_plugin.models.latent_cache import write_latents

    resolve_paths(opt, Path.cwd())
    sections = list(_latent_sections(opt['datasets']['train']))
    if opt['model_type'] != 'GLOWDeblurModel' or not sections:
        raise UserError(f'{options.opt}: latents are made for training sets of a GLOWDeblurModel that name a dataroot_latent, '
                        'there is none')
    codec = build_codec(opt['network_g'].get('variant', 'nano'), opt['network_g'].get('codec'))
    device = torch.device('cuda' if torch.cuda.is_available() and opt['num_gpu'] != 0 else 'cpu')
    for name, kind, section in sections:
        read = kind.read_options(section, name)
        pictures = check_whole_crops(open_source(read.dataroot_gt, f'{name}:dataroot_gt', read.made_by), read, name)
        out = Path(read.dataroot_latent)
        now = write_latents(codec, pictures, out, device, options.batch, ProgressLine())
        print(out if now else f'{out} is there already')


def _latent_sections(train: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Name, class and section of each training set with a `dataroot_latent`, the parts of a mixture filled up with what it
    settles for them."""
    from basicsr.utils.registry import DATASET_REGISTRY

    from glowdeblur_plugin.data.bpp_mixture_dataset import BPPMixtureDataset, part_sections

    name, kind, train = 'datasets:train', DATASET_REGISTRY.get(train['type']), {**train, 'phase': 'train'}
    sections = {name: (kind, train)}
    if kind is BPPMixtureDataset:
        sections = part_sections(train, kind.read_options(train, name), name)
    for place, (kind, section) in sections.items():
        if section.get('dataroot_latent') is not None:
            yield place, kind, section
