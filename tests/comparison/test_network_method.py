"""Networks in a comparison, restored by the Restorer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_methods import cell, toy_set

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.nafnet_arch import NAFNet
from glowdeblur_plugin.comparison.methods import picture_seed
from glowdeblur_plugin.comparison.options import read_comparison
from glowdeblur_plugin.comparison.picture_files import read_picture
from glowdeblur_plugin.comparison.runner import compare
from glowdeblur_plugin.comparison.summary import Summary
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.inference.restorer import Restorer

SMALL = {'width': 4, 'enc_blk_nums': [1], 'middle_blk_num': 1, 'dec_blk_nums': [1]}


@pytest.fixture
def methods(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """A new NAFNet, which gives its input back, and a GLOWDeblur that invents something."""
    torch.manual_seed(0)
    naf, glow = NAFNet(**SMALL), GLOWDeblur('nano', target='around')
    torch.nn.init.zeros_(naf.ending.weight)
    torch.nn.init.zeros_(naf.ending.bias)
    torch.nn.init.normal_(glow.backbone.proj_out.weight, std=0.3)
    for name, network in (('naf', naf), ('glow', glow)):
        torch.save({'params': network.state_dict()}, tmp_path / f'{name}.pth')
    sections = {'naf': {'type': 'NAFNet', **SMALL}, 'glow': {'type': 'GLOWDeblur', 'variant': 'nano', 'target': 'around'}}
    for name, section in sections.items():
        (tmp_path / f'{name}.json').write_text(json.dumps({'network_g': section}))
    return {'naf': {'weights': str(tmp_path / 'naf.pth')}, 'glow': {'weights': str(tmp_path / 'glow.pth'), 'steps': 1}}


def run(tmp_path: Path, **options: Any) -> Summary:
    file = {'name': 'toy', 'out': str(tmp_path / 'out'), 'device': 'cpu', 'sets': {'toy': toy_set(tmp_path, 2)}, **options}
    return compare(read_comparison(file), Restorer.from_weights)


def test_networks_beside_each_other(tmp_path: Path, methods: dict[str, dict[str, Any]]) -> None:
    """What changes nothing has the figure of the input; what samples spreads, and each kept picture is that of its seed."""
    summary = run(tmp_path, methods=methods, seeds=[5, 6, 7])
    assert cell(summary, 'naf').mean == cell(summary, 'blurry').mean and cell(summary, 'naf').spread is None
    assert cell(summary, 'glow').spread > 0 and summary.methods['glow'].seeds == [5, 6, 7]
    assert summary.methods['codec'].weights_sha256 == summary.methods['glow'].weights_sha256
    assert summary.methods['naf'].device == 'cpu' and summary.methods['naf'].seconds_per_picture > 0
    restorer = Restorer.from_weights(tmp_path / 'glow.pth', device='cpu', steps=1)
    assert restorer.weights_sha256 == summary.methods['glow'].weights_sha256
    kept = tmp_path / 'out' / 'pictures' / 'toy'
    sides = {side: read_picture(kept / side / '1.png') for side in ('blurry', 'sharp', 'glow', 'codec')}
    restored = restorer.restore(sides['blurry'], picture_seed(5, '1'))
    assert np.abs(restored - sides['glow']).max() < 0.51 / 255
    assert np.abs(restorer.through_codec(sides['sharp']) - sides['codec']).max() < 0.51 / 255


@pytest.mark.parametrize('name, changes, message', [
    ('naf', {'steps': 4}, 'methods:naf: steps: is for '),
    ('glow', {'tlc': True}, 'methods:glow: .*tlc'),
    ('naf', {'weights': 'glow.pth', 'option': 'naf.yml'}, "methods:naf: checkpoint '.*glow.pth' is not one of this NAFNet"),
    ('naf', {'weights': 'naf.yml'}, "methods:naf: checkpoint '.*naf.yml' "),
])
def test_weights_that_do_not_fit_are_one_line(tmp_path: Path, methods: dict[str, dict[str, Any]], name: str,
                                              changes: dict[str, Any], message: str) -> None:
    (tmp_path / 'naf.yml').write_text(f'network_g: {json.dumps({"type": "NAFNet", **SMALL})}\n')
    changes = {key: str(tmp_path / value) if isinstance(value, str) else value for key, value in changes.items()}
    with pytest.raises(UserError, match=message) as error:
        run(tmp_path, methods={name: {**methods[name], **changes}})
    assert '\n' not in str(error.value)
