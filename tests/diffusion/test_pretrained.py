"""Folders, hub ids and sub-folders are told apart, and which weights lie there is told by a hash."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel
from diffusers.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file, save_file

from glowdeblur_plugin.diffusion.pretrained import load_part, split_source, weights_reference
from glowdeblur_plugin.errors import UserError
from tiny_parts import tiny_transformer

COMMIT = '0' * 40


@pytest.mark.parametrize(('source', 'expected'), [
    ('org/repository', ('org/repository', None)),
    ('org/repository/transformer', ('org/repository', 'transformer')),
    ('org/repository/a/b', ('org/repository', 'a/b')),
    ('./weights/sana/transformer', ('./weights/sana/transformer', None)),
])
def test_hub_ids(source: str, expected: tuple[str, str | None]) -> None:
    assert split_source(source) == expected


def test_a_folder_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'weights' / 'sana' / 'transformer').mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert split_source('weights/sana/transformer') == ('weights/sana/transformer', None)
    assert split_source(str(tmp_path / 'missing' / 'here')) == (str(tmp_path / 'missing' / 'here'), None)


def test_the_reference_is_the_hash_of_the_weights_file_wherever_it_lies(tmp_path: Path) -> None:
    tiny_transformer(tmp_path / 'first')
    shutil.copytree(tmp_path / 'first', tmp_path / 'copy')
    tiny_transformer(tmp_path / 'other', seed=1)
    first, copy, other = (weights_reference(str(tmp_path / name)) for name in ('first', 'copy', 'other'))
    assert first.sha256 == hashlib.sha256((tmp_path / 'first' / SAFETENSORS_WEIGHTS_NAME).read_bytes()).hexdigest()
    assert first.sha256 == copy.sha256 != other.sha256
    assert copy.source == str(tmp_path / 'copy')


def test_split_weights_are_hashed_in_the_order_of_their_names(tmp_path: Path) -> None:
    saved = tiny_transformer(tmp_path)
    (tmp_path / SAFETENSORS_WEIGHTS_NAME).unlink()
    saved.save_pretrained(tmp_path, max_shard_size='20KB')
    shards = sorted(tmp_path.glob('*.safetensors'))
    assert len(shards) > 1
    whole = b''.join(shard.read_bytes() for shard in shards)
    assert weights_reference(str(tmp_path)).sha256 == hashlib.sha256(whole).hexdigest()
    loaded = load_part('network_g:backbone', SanaTransformer2DModel, str(tmp_path))
    assert torch.equal(loaded.proj_out.weight, saved.proj_out.weight)


def test_a_hub_id_with_a_sub_folder_loads_from_the_hubs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / 'models--org--sana'
    saved = tiny_transformer(repository / 'snapshots' / COMMIT / 'transformer')
    (repository / 'refs').mkdir()
    (repository / 'refs' / 'main').write_text(COMMIT)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    loaded = load_part('network_g:backbone', SanaTransformer2DModel, 'org/sana/transformer')
    assert torch.equal(loaded.proj_out.weight, saved.proj_out.weight)
    reference = weights_reference('org/sana/transformer')
    assert reference.source == 'org/sana/transformer'
    assert reference.sha256 == weights_reference(str(repository / 'snapshots' / COMMIT / 'transformer')).sha256
    with pytest.raises(UserError, match="network_g:codec: no AutoencoderDC in folder or hub id 'org/sana/vae'"):
        load_part('network_g:codec', AutoencoderDC, 'org/sana/vae')


def _cut(folder: Path) -> None:
    weights = folder / SAFETENSORS_WEIGHTS_NAME
    weights.write_bytes(weights.read_bytes()[:1000])


def _without_a_weight(folder: Path) -> None:
    weights = load_file(folder / SAFETENSORS_WEIGHTS_NAME)
    del weights['proj_out.weight']
    save_file(weights, folder / SAFETENSORS_WEIGHTS_NAME, metadata={'format': 'pt'})


def _with_another_config(key: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG_NAME).read_text())
        (folder / CONFIG_NAME).write_text(json.dumps({**config, key: value}))

    return change


@pytest.mark.parametrize('damage, message', [
    (_cut, 'no SanaTransformer2DModel in folder .*Unable to load weights'),
    (_without_a_weight, 'the weights in folder .* are not those of its config: 1 missing, such as proj_out.weight'),
    (_with_another_config('num_layers', 3), 'the weights in .*: [0-9]+ missing, such as transformer_blocks.2'),
    (_with_another_config('caption_channels', 16), 'no SanaTransformer2DModel in .*caption_projection'),
])
def test_weights_that_are_torn_or_of_another_config_are_refused(tmp_path: Path, damage: Callable[[Path], None],
                                                                message: str) -> None:
    tiny_transformer(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=f'^network_g:backbone: {message}') as error:
        load_part('network_g:backbone', SanaTransformer2DModel, str(tmp_path))
    assert '\n' not in str(error.value)
