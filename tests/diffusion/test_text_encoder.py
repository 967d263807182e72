"""The text encoder against diffusers' SANA pipeline, and what is refused."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip('transformers')

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.diffusion.text_encoder import TextEncoder, encoder_reference, read_instruction
from glowdeblur_plugin.errors import UserError
from tiny_language import GEMMA_CHANNELS, tiny_gemma

TEXTS = ['A red bus in the Rain ', 'night', 'a wall of old stones behind which ' * 3]
INSTRUCTION = ['Say more of it:', '- in colours', 'Prompt: ']


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Gemma 2 as transformers saves it."""
    folder = tmp_path_factory.mktemp('gemma')
    tiny_gemma(folder)
    return folder


@pytest.mark.parametrize('instruction', [None, INSTRUCTION], ids=['plain', 'instruction'])
@pytest.mark.parametrize('separate', [False, True], ids=['model', 'pipeline'])
def test_states_are_those_of_the_pipeline(tmp_path, instruction: list[str] | None, separate: bool) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler, SanaPipeline
    decoder, tokenizer = tiny_gemma(tmp_path, separate=separate)
    pipeline = SanaPipeline(tokenizer, decoder, None, None, FlowMatchEulerDiscreteScheduler())
    with torch.no_grad():
        expected, mask, _, _ = pipeline.encode_prompt(TEXTS, do_classifier_free_guidance=False, device='cpu',
                                                      max_sequence_length=60, complex_human_instruction=instruction)
    source = str(tmp_path / 'text_encoder' if separate else tmp_path)
    encoder = TextEncoder.from_pretrained('--model', source, 60, '\n'.join(instruction or []))
    states, counted = encoder.encode(TEXTS)
    assert counted.sum(dim=1).tolist() == mask.sum(dim=1).tolist() and counted.dtype == torch.bool
    assert counted.sum(dim=1).tolist()[2] == 60 and not counted[:2].all()
    assert torch.equal(counted, mask.bool())
    assert torch.allclose(states[counted], expected[mask.bool()], atol=1e-5) and expected.std() > 0.1
    assert (states[~counted] == 0).all()


def test_a_text_is_the_same_in_any_batch_and_an_empty_one_has_no_state(folder: Path) -> None:
    encoder = TextEncoder.from_pretrained('--model', str(folder), 40)
    together, mask = encoder.encode([*TEXTS, ' '])
    for text, states in zip(TEXTS, together):
        assert torch.allclose(encoder.encode([text])[0][0], states, atol=1e-5)
    assert mask.any(dim=1).tolist() == [True, True, True, False] and (together[3] == 0).all()


def test_files_in_half_precision_stay_so_also_under_autocast(tmp_path) -> None:
    decoder, _ = tiny_gemma(tmp_path, dtype=torch.bfloat16)
    encoder = TextEncoder.from_pretrained('--model', str(tmp_path), 40)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.bfloat16}
    plain, _ = encoder.encode(TEXTS)
    with torch.autocast('cpu', torch.float16):
        assert torch.equal(encoder.encode(TEXTS)[0], plain)
    assert plain.dtype == torch.float32 and torch.equal(plain, plain.bfloat16().float())


def test_weights_and_instruction_name_the_encoder(folder: Path, tmp_path) -> None:
    plain = encoder_reference(str(folder))
    assert plain.source == str(folder)
    assert plain.sha256 == hashlib.sha256((folder / 'model.safetensors').read_bytes()).hexdigest()
    led, other = encoder_reference(str(folder), 'Say: '), encoder_reference(str(folder), 'Tell: ')
    assert len({plain.sha256, led.sha256, other.sha256}) == 3
    tiny_gemma(tmp_path, seed=1)
    assert encoder_reference(str(tmp_path)).sha256 != plain.sha256


def test_an_instruction_loses_the_end_of_its_last_line_only(tmp_path) -> None:
    (tmp_path / 'a.txt').write_text('Say more:\nPrompt: \n')
    assert read_instruction('--instruction', str(tmp_path / 'a.txt')) == 'Say more:\nPrompt: '
    with pytest.raises(UserError, match='^--instruction: .*b.txt cannot be read'):
        read_instruction('--instruction', str(tmp_path / 'b.txt'))


def test_without_transformers_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'transformers', None)
    with pytest.raises(UserError, match=r'^network_g:text_encoder: needs the package transformers; .*\[semantic\]'):
        GLOWDeblur('nano', semantic='live', text_encoder=str(folder))


def test_a_pipeline_in_the_hubs_cache_gives_encoder_and_tokenizer(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, repository = 40 * 'a', tmp_path / 'models--org--sana'
    decoder, _ = tiny_gemma(repository / 'snapshots' / commit, separate=True)
    (repository / 'refs').mkdir()
    (repository / 'refs' / 'main').write_text(commit)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    encoder = TextEncoder.from_pretrained('--model', 'org/sana/text_encoder', 40)
    assert torch.equal(encoder.decoder.embed_tokens.weight, decoder.embed_tokens.weight)
    assert encoder.encode(['night'])[1].sum() == 1 + len('night')
    folder = repository / 'snapshots' / commit / 'text_encoder'
    assert encoder_reference('org/sana/text_encoder').sha256 == encoder_reference(str(folder)).sha256


def test_split_weights_load_and_have_one_hash(tmp_path) -> None:
    decoder, _ = tiny_gemma(tmp_path, separate=True)
    folder = tmp_path / 'text_encoder'
    (folder / 'model.safetensors').unlink()
    decoder.save_pretrained(folder, max_shard_size='20KB')
    shards = sorted(folder.glob('*.safetensors'))
    assert len(shards) > 1
    whole = hashlib.sha256(b''.join(shard.read_bytes() for shard in shards)).hexdigest()
    assert encoder_reference(str(folder)).sha256 == whole
    encoder = TextEncoder.from_pretrained('--model', str(folder), 40)
    assert torch.equal(encoder.decoder.norm.weight, decoder.norm.weight)


@pytest.mark.parametrize('arguments, message', [
    ({'semantic': 'live'}, 'network_g:text_encoder: semantic: live needs'),
    ({'text_encoder': 'somewhere'}, 'network_g:text_encoder: is read with semantic: live only, found semantic: none'),
    ({'semantic': 'cache', 'text_instruction': 'a.txt'}, 'network_g:text_instruction: is read with semantic: live only'),
    ({'semantic': 'live', 'text_encoder': 'no/where/at/all'}, "network_g:text_encoder: no ModelForCausalLM in 'no/where"),
])
def test_wrong_options_are_named(arguments: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    with pytest.raises(UserError, match=message):
        GLOWDeblur('nano', **arguments)


def _without_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file
    weights = load_file(folder / 'model.safetensors')
    del weights['model.layers.0.mlp.up_proj.weight']
    save_file(weights, folder / 'model.safetensors', {'format': 'pt'})


def _without_tokenizer(folder: Path) -> None:
    for file in folder.glob('tokenizer*'):
        file.unlink()


def _cut(folder: Path) -> None:
    weights = folder / 'model.safetensors'
    weights.write_bytes(weights.read_bytes()[:1000])


def _with_another_config(folder: Path) -> None:
    config = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps({**config, 'hidden_size': 64}))


@pytest.mark.parametrize('spoil, message', [
    (_without_a_weight, '1 missing, such as model.layers.0.mlp.up_proj.weight'),
    (lambda folder: (folder / 'model.safetensors').unlink(), 'no ModelForCausalLM in'),
    (_cut, 'no ModelForCausalLM in'),
    (_with_another_config, 'no ModelForCausalLM in .*mismatched'),
    (_without_tokenizer, 'no tokenizer of this model in .*: it has 5 tokens, the model 259'),
], ids=['weight', 'weights', 'end of the weights', 'shapes', 'tokenizer'])
def test_incomplete_folders_are_named(tmp_path, spoil: Any, message: str) -> None:
    tiny_gemma(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError, match=f'^--model: .*{message}') as caught:
        TextEncoder.from_pretrained('--model', str(tmp_path))
    assert '\n' not in str(caught.value)


def test_an_encoder_of_other_channels_is_refused(tmp_path) -> None:
    tiny_gemma(tmp_path, channels=GEMMA_CHANNELS // 2)
    with pytest.raises(UserError, match='network_g:text_encoder: .* gives texts of 16 channels, the backbone takes 32'):
        GLOWDeblur('nano', semantic='live', text_encoder=str(tmp_path))
