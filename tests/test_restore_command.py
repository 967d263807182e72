"""`glowdeblur restore`: what it writes, leaves, refuses and says."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from basicsr.archs import build_network
from PIL import Image
from skimage import data

from glowdeblur_plugin.cli import main
from glowdeblur_plugin.inference.photographs import read_photograph
from glowdeblur_plugin.inference.restorer import Restorer
from glowdeblur_plugin.models.checkpoints import save_network_files

NETWORK = {'type': 'NAFNet', 'width': 4, 'enc_blk_nums': [1], 'middle_blk_num': 1, 'dec_blk_nums': [1]}


def checkpoint(folder: Path, last_bias: float | None = None) -> Path:
    """Files of a small network with random weights, of which the last layer adds `last_bias`."""
    torch.manual_seed(0)
    network = build_network(dict(NETWORK))
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.02 * torch.randn_like(value))
        if last_bias is not None:
            network.ending.bias.fill_(last_bias)
    save_network_files(folder, 'net', {'params': network.state_dict()}, {'network_g': NETWORK})
    return folder / 'net.pth'


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp('weights'))


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Folder with a picture, one in a sub-folder, a text named .png, a JPEG cut short, and files that are no pictures."""
    folder = tmp_path / 'shots'
    (folder / 'deeper').mkdir(parents=True)
    photograph = np.ascontiguousarray(data.astronaut()[100:180, 160:280])
    Image.fromarray(photograph).save(folder / 'one.png')
    cv2.imwrite(str(folder / 'deeper' / 'two.tif'), cv2.blur(photograph, (9, 1)).astype(np.uint16) * 257)
    (folder / 'text.png').write_text('no picture')
    Image.fromarray(photograph).save(folder / 'cut.JPG', 'JPEG', quality=95)
    (folder / 'cut.JPG').write_bytes((folder / 'cut.JPG').read_bytes()[:3000])
    (folder / '._one.png').write_text('what some systems leave beside files')
    (folder / 'notes.txt').write_text('no picture')
    return folder


def restored(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob('*') if file.is_file())


def test_damaged_files_are_named_and_the_rest_is_restored(shots: Path, weights: Path, capsys: pytest.CaptureFixture) -> None:
    out = shots / 'restored'
    command = ['restore', str(shots), '--weights', str(weights), '--out', str(out), '--device', 'cpu', '--strips']
    assert main(command) == 1
    told = capsys.readouterr()
    assert f'glowdeblur: {shots}/text.png: not a picture' in told.err and f'{shots}/cut.JPG: cannot be decoded' in told.err
    assert told.out.startswith('left out, as no pictures or videos by their names: 1 .txt\n')
    assert 'pictures 4 of 4' in told.err and '2 of 4 failed' in told.err and 'Traceback' not in told.err
    assert restored(out) == ['deeper/two.tif', 'one.png', 'report.csv', 'strips/deeper/two.tif.png', 'strips/one.png.png']

    restorer = Restorer.from_weights(weights, device='cpu')
    for name, white in (('one.png', 255), ('deeper/two.tif', 65535)):
        expected = np.round(restorer.restore(read_photograph(shots / name).picture) * np.float32(white))
        np.testing.assert_allclose(read_photograph(out / name).picture * white, expected, atol=white * 1e-5)

    rows = {row['picture']: row for row in csv.DictReader((out / 'report.csv').read_text().splitlines())}
    assert set(rows) == {'one.png', 'deeper/two.tif', 'text.png', 'cut.JPG'}
    assert rows['text.png']['verdict'].startswith('failed: not a picture') and 'cut.JPG' in told.out
    assert float(rows['one.png']['psnr']) > 10 and float(rows['deeper/two.tif']['blur_before']) > 4
    assert rows['one.png']['verdict'] in told.out

    assert main(command) == 2
    assert capsys.readouterr().err == (f'glowdeblur: --out: {out}/deeper/two.tif and 1 more of 4 are already there; add '
                                       '--overwrite, or --skip-existing to restore only what is missing, or give another folder\n')
    kept, again = out / 'deeper' / 'two.tif', out / 'one.png'
    kept.write_bytes(b'kept')
    again.unlink()
    assert main([*command, '--skip-existing']) == 1
    assert kept.read_bytes() == b'kept' and again.is_file()
    assert '1 of 4 results are there already' in capsys.readouterr().out
    assert len((out / 'report.csv').read_text().splitlines()) == 5
    assert main([*command, '--overwrite', '--no-report']) == 1
    assert kept.read_bytes() != b'kept'


def test_a_video_is_restored_beside_pictures(shots: Path, weights: Path, capsys: pytest.CaptureFixture) -> None:
    writer = cv2.VideoWriter(str(shots / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 25, (48, 32))
    for index in range(3):
        writer.write(np.ascontiguousarray(data.astronaut()[100:132, 160 + index:208 + index]))
    writer.release()
    files = [str(shots / name) for name in ('clip.avi', 'one.png')]
    assert main(['restore', *files, '--weights', str(weights), '--out', str(shots / 'o'), '--device', 'cpu']) == 0
    assert restored(shots / 'o') == ['clip.avi', 'one.png', 'report.csv']
    told = capsys.readouterr()
    assert 'clip.avi: frame 3 of 3' in told.err and '2 of 2 restored by NAFNet' in told.out


@pytest.mark.parametrize('bias, told', [(float('nan'), '100.00% of its values are not numbers'), (0.9, 'its mean level is')])
def test_garbage_is_not_written(shots: Path, tmp_path: Path, bias: float, told: str, capsys: pytest.CaptureFixture) -> None:
    command = ['restore', str(shots / 'one.png'), '--weights', str(checkpoint(tmp_path, bias)), '--out', str(tmp_path / 'o')]
    assert main([*command, '--device', 'cpu', '--no-report']) == 1
    assert told in capsys.readouterr().err and not (tmp_path / 'o').exists()


def test_bad_input_is_one_line_before_anything_is_restored(shots: Path, weights: Path, tmp_path: Path,
                                                           capsys: pytest.CaptureFixture) -> None:
    one, two, out = shots / 'one.png', tmp_path / 'two' / 'one.png', tmp_path / 'o'
    two.parent.mkdir()
    two.write_bytes(one.read_bytes())
    broken = tmp_path / 'broken.pth'
    broken.write_text('no weights')
    good = ['--weights', str(weights), '--out', str(out), '--device', 'cpu']
    cases = {
        f'PATH: {shots}/none.png does not exist': [str(shots / 'none.png'), *good],
        f'PATH: {shots}/notes.txt is no picture or video by its name': [str(shots / 'notes.txt'), *good],
        f'PATH: {two.parent}/empty holds no picture or video': [str(two.parent / 'empty'), *good],
        f'PATH: {one} and {two} would both be restored to {out}/one.png': [str(one), str(two), *good],
        f'--out: {one} would be overwritten by its result': [str(one), *good[:2], '--out', str(shots), '--overwrite'],
        f"--out: {out}/a.PNG is a file's name": [str(one), *good[:2], '--out', f'{out}/a.PNG'],
        f'--out: {shots} is the folder of the pictures': [str(shots), *good[:2], '--out', str(shots), '--overwrite'],
        f"'{tmp_path}/gone.pth'": [str(one), '--weights', str(tmp_path / 'gone.pth'), *good[2:]],
        f"'{broken}'": [str(one), '--weights', str(broken), *good[2:]],
        '--steps: is for networks that sample': [str(one), *good, '--steps', '4'],
        '--tile: expected one of auto': [str(one), *good, '--tile', 'large'],
        '--tile-overlap: 17 is not a multiple of 2': [str(one), *good, '--tile-overlap', '17'],
        '--seed': [str(one), *good, '--seed', '-1'],
    }
    (two.parent / 'empty').mkdir()
    for message, arguments in cases.items():
        assert main(['restore', *arguments]) == 2, message
        told = capsys.readouterr()
        assert message in told.err and told.err.count('\n') == 1, (message, told.err)
        assert told.out == '' and not out.exists()
