"""Embeddings of packed captions by a tiny Gemma 2, from the command line to the samples of a data set."""

import os
import signal
import traceback
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('transformers')

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_store import read_manifest
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.side_data import Caption, EmbeddingSource, encode_caption
from glowdeblur_plugin.data.verify import verify_set
from glowdeblur_plugin.diffusion.text_encoder import TextEncoder, encoder_reference
from glowdeblur_plugin.guidance.embedding_set import embed_captions
from tiny_language import GEMMA_CHANNELS, tiny_gemma

TEXTS = {'a': 'A bus in the rain', 'b': '', 'c': 'A long wall of old stones, and behind it a garden', 'd': 'Night', 'e': 'Snow'}


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('gemma')
    tiny_gemma(folder)
    return folder


def pack_captions(root: Path, **origins: str) -> Path:
    with LmdbWriter(root, 'toys', encoding='caption') as writer:
        for key, text in TEXTS.items():
            writer.put_encoded(key, encode_caption(Caption(text, origins.get(key, 'blurry'))))
    return root


def test_the_command_packs_states_that_samples_hold(tmp_path, model: Path, capsys: pytest.CaptureFixture) -> None:
    captions, instruction = pack_captions(tmp_path / 'val_caption.lmdb'), tmp_path / 'instruction.txt'
    instruction.write_text('Describe: \n')
    arguments = ['embed', str(captions), '--model', str(model), '--length', '20', '--batch', '2']
    assert cli.main([*arguments, '--instruction', str(instruction)]) == 0
    root = tmp_path / 'val_embedding.lmdb'
    assert capsys.readouterr().out == f'{root}: embedded\n' and verify_set(root) == []
    reference = encoder_reference(str(model), 'Describe: ')
    assert read_manifest(root).details == {
        'of': 'val_caption.lmdb', 'origin': 'blurry', 'encoder': str(model), 'encoder_sha256': reference.sha256, 'length': 20,
        'instruction': 'Describe: '
    }
    states, mask = TextEncoder.from_pretrained('--model', str(model), 20, 'Describe: ').encode(list(TEXTS.values()))
    source = EmbeddingSource(root)
    assert [source.sizes[key] for key in TEXTS] == [(int(count), GEMMA_CHANNELS) for count in mask.sum(dim=1)]
    assert source.sizes['b'] == (0, GEMMA_CHANNELS) and source.sizes['c'] == (20, GEMMA_CHANNELS)
    for key, expected, counted in zip(TEXTS, states, mask):
        found, found_mask = source.read(key, 20)
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-5)
        assert found_mask.tolist() == counted.tolist()
    (tmp_path / 'lq').mkdir()
    for key in TEXTS:
        cv2.imwrite(str(tmp_path / 'lq' / f'{key}.png'), np.zeros((32, 32, 3), np.uint8))
    dataset = PairedLMDBDataset({'name': 'toys', 'phase': 'val', 'type': 'PairedLMDBDataset', 'text_length': 20,
                                 'dataroot_lq': str(tmp_path / 'lq'), 'dataroot_embedding': str(root)})
    assert dataset[0]['text'].shape == (20, GEMMA_CHANNELS) and dataset[0]['text_origin'] == 'blurry'
    assert not dataset[1]['text_mask'].any()
    assert cli.main([*arguments, '--instruction', str(instruction)]) == 0
    assert capsys.readouterr().out == f'{root}: is embedded already\n'
    assert cli.main(arguments) == 2
    assert 'is there already and differs (encoder_sha256 is' in capsys.readouterr().err


def test_one_caption_of_a_sharp_picture_makes_the_set_one_of_sharp_pictures(tmp_path, model: Path) -> None:
    root = pack_captions(tmp_path / 'mixed.lmdb', c='sharp')
    out, _ = embed_captions(root, str(model), 20, '', 2)
    assert out == tmp_path / 'mixed_embedding.lmdb' and EmbeddingSource(out).origin == 'sharp'


def test_killed_embedding_goes_on_and_ends_as_an_undisturbed_one(tmp_path, model: Path) -> None:
    captions = pack_captions(tmp_path / 'train_caption.lmdb')
    process = os.fork()
    if process == 0:
        _embed_and_die(captions, model)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    partial = tmp_path / '.train_embedding.lmdb.partial' / 'journal.txt'
    assert [line.split()[0] for line in partial.read_text().splitlines()] == ['a', 'b', 'c', 'd']
    written = []
    out, now = embed_captions(captions, str(model), 20, '', 2, progress=lambda task, done, total: written.append((done, total)))
    assert now and written == [(0, 1), (1, 1)]
    whole, _ = embed_captions(captions, str(model), 20, '', 2, tmp_path / 'whole.lmdb')
    files = ('meta_info.txt', 'manifest.json', 'checksums.txt')
    assert [(out / name).read_bytes() for name in files] == [(whole / name).read_bytes() for name in files]


def _embed_and_die(captions: Path, model: Path) -> None:
    """Be killed when four of the five are written."""
    torch.set_num_threads(1)

    def die(task: str, done: int, total: int) -> None:
        if done == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        embed_captions(captions, str(model), 20, '', 2, progress=die)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def test_states_that_float16_cannot_hold_are_named(tmp_path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captions, encode = pack_captions(tmp_path / 'train_caption.lmdb'), TextEncoder.encode
    monkeypatch.setattr(TextEncoder, 'encode', lambda self, texts: (encode(self, texts)[0] * 1e6, encode(self, texts)[1]))
    assert cli.main(['embed', str(captions), '--model', str(model)]) == 2
    assert not (tmp_path / 'train_embedding.lmdb').exists()


def test_bad_input_is_one_line(tmp_path, model: Path, capsys: pytest.CaptureFixture) -> None:
    def said(*arguments: object) -> str:
        assert cli.main(['embed', *map(str, arguments)]) == 2
        return capsys.readouterr().err.splitlines()[-1]

    captions = pack_captions(tmp_path / 'train_caption.lmdb')
    with LmdbWriter(tmp_path / 'train_lq.lmdb', 'toys') as writer:
        writer.put('a', np.zeros((8, 8, 3), np.uint8))
    assert 'expected a packed set of caption records, found png records' in said(tmp_path / 'train_lq.lmdb', '--model', model)
    assert 'expected a packed set of caption records, found nothing packed' in said(tmp_path / 'no.lmdb', '--model', model)
    assert '--length: 0 is out of range' in said(captions, '--model', model, '--length', 0)
    assert '--instruction: no.txt cannot be read' in said(captions, '--model', model, '--instruction', 'no.txt')
    assert "--model: no ModelForCausalLM in './nowhere': there is no such folder" in said(captions, '--model', './nowhere')
