"""`glowdeblur merge`: adapters and what they go on as one whole network."""

import argparse
from pathlib import Path

from glowdeblur_plugin.commands.arguments import path, report_folder
from glowdeblur_plugin.errors import UserError


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('merge', help='make one whole checkpoint of trained adapters and their base',
                                 description='Add the adapters of network_g:lora to the weights that they go on, and write the '
                                             'whole network, which loads without network_g:lora and without peft.')
    parser.add_argument('-opt', required=True, metavar='FILE', help='option file of a test of the network with adapters')
    parser.add_argument('--weights', metavar='FILE', help='checkpoint instead of path:pretrain_network_g')
    parser.add_argument('--out', type=path, required=True, metavar='FILE',
                        help='the checkpoint, a .pth file; .safetensors and .json of the same name go beside it')
    parser.set_defaults(run=_merge)


def _merge(options: argparse.Namespace) -> None:
    out: Path = options.out
    if out.suffix != '.pth':
        raise UserError(f'--out: {out} must end in .pth')
    report_folder(str(out.parent))

    from glowdeblur_plugin import __version__
    from glowdeblur_plugin.archs.adapters import has_adapters, merged
    from glowdeblur_plugin.commands.trained_model import load_trained
    from glowdeblur_plugin.models.checkpoints import save_network_files
    from glowdeblur_plugin.models.frozen_parts import describe_frozen

    model, opt = load_trained('merge', options.opt, options.weights, exact=True)
    if not has_adapters(model.bare_net):
        raise UserError(f'network_g:lora: {options.opt} has none, so there is nothing to merge')
    if opt['path'].get('pretrain_network_g') is None:
        raise UserError('path:pretrain_network_g: is missing, the checkpoint with the adapters; name it there or in --weights')
    network = merged(model.bare_net)
    network_options = {key: value for key, value in opt['network_g'].items() if key != 'lora'}
    config = {'model_type': opt['model_type'], 'network_g': network_options, 'weights': 'params',
              'glowdeblur_plugin': __version__}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_network_files(out.parent, out.stem, {'params': network.state_dict()}, config, describe_frozen(network))
    print(out)
