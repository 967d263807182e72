"""Captions of packed sets by a tiny Qwen2.5-VL, from the command line to the samples of a data set."""

import os
import signal
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

pytest.importorskip('transformers')

from glowdeblur_plugin import cli
from glowdeblur_plugin.data.lmdb_store import CHECKED_FILES, CHECKSUM_FILE, read_manifest, read_sizes
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.paired_lmdb_dataset import PairedLMDBDataset
from glowdeblur_plugin.data.side_data import CaptionSource
from glowdeblur_plugin.data.verify import verify_set
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.guidance.caption_set import caption_set, caption_side
from glowdeblur_plugin.guidance.captioner import Captioner
from tiny_language import tiny_blip, tiny_gemma, tiny_qwen

KEYS = tuple('abcdefg')
SETTINGS = {'prompt': 'What is this?', 'max_tokens': 8, 'batch': 3}


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('qwen')
    tiny_qwen(folder)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """`train_lq.lmdb` and `train_gt.lmdb` with seven pictures of different sizes; both sides are the same."""
    photograph = data.astronaut()
    for side in ('lq', 'gt'):
        with LmdbWriter(tmp_path / f'train_{side}.lmdb', 'toys', encoding='raw') as writer:
            for number, key in enumerate(KEYS):
                writer.put(key, photograph[60 * number:60 * number + 64, 100:196 + 16 * (number % 2)])
    return tmp_path / 'train_lq.lmdb'


def content(root: Path) -> tuple[dict[str, tuple[str, str]], list[bytes]]:
    """Captions of a set and its lists."""
    source = CaptionSource(root)
    lists = [(root / name).read_bytes() for name in (*CHECKED_FILES, CHECKSUM_FILE)]
    return {key: source.read(key) for key in source.sizes}, lists


def test_the_command_packs_captions_that_samples_hold(pictures: Path, model: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ['caption', str(pictures), '--model', str(model), '--prompt', 'What?', '--max-tokens', '8', '--batch', '4']
    assert cli.main(arguments) == 0
    out = pictures.with_name('train_caption.lmdb')
    said = capsys.readouterr()
    assert said.out == f'{out}: captioned\n' and 'train_caption.lmdb: written 7 of 7' in said.err
    captions, _ = content(out)
    assert set(captions) == set(KEYS) and {caption.origin for caption in captions.values()} == {'blurry'}
    assert len({caption.text for caption in captions.values()}) > 4, 'captions do not change with the picture'
    assert verify_set(out) == []
    details = read_manifest(out).details
    assert details['captioner'] == str(model) and len(details['captioner_sha256']) == 64 and details['prompt'] == 'What?'
    roots = {f'dataroot_{side}': str(pictures.with_name(f'train_{side}.lmdb')) for side in ('lq', 'gt', 'caption')}
    dataset = PairedLMDBDataset({'name': 'toys', 'phase': 'val', 'type': 'PairedLMDBDataset', **roots})
    assert dataset[2]['caption'] == captions['c'].text and dataset[2]['caption_origin'] == 'blurry'
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == f'{out}: is captioned already\n'
    assert cli.main([*arguments[:-1], '3']) == 0 and cli.main(['caption', str(pictures), '--model', str(model)]) == 2
    assert "train_caption.lmdb: is there already and differs (prompt is 'What?', not 'Describe" in capsys.readouterr().err


def test_killed_captioning_goes_on_and_ends_as_an_undisturbed_one(pictures: Path, model: Path) -> None:
    """Each process dies for real: after a batch, in the middle of one, and at its end; the last one has smaller batches."""
    out, journal = pictures.with_name('killed.lmdb'), pictures.with_name('.killed.lmdb.partial') / 'journal.txt'
    lines = []
    for puts in (3, 2, 1):
        process = os.fork()
        if process == 0:
            _caption_and_die(pictures, model, out, puts)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
        assert not out.exists()
        lines.append(journal.read_text().splitlines())
    assert [len(entries) for entries in lines] == [3, 5, 6]
    assert lines[1][:3] == lines[0] and lines[2][:5] == lines[1]
    steps = []
    assert caption_set(pictures, str(model), **{**SETTINGS, 'batch': 2}, out=out,
                       progress=lambda task, done, total: steps.append((done, total))) == (out, True)
    assert steps == [(0, 1), (1, 1)]
    whole, _ = caption_set(pictures, str(model), **SETTINGS, out=pictures.with_name('whole.lmdb'))
    assert content(out) == content(whole)
    assert not journal.parent.exists()


def _caption_and_die(pictures: Path, model: Path, out: Path, puts: int) -> None:
    """Caption, and be killed right after so many records."""
    torch.set_num_threads(1)
    put, count = LmdbWriter.put_encoded, 0

    def put_and_die(writer: LmdbWriter, *arguments: object) -> None:
        nonlocal count
        put(writer, *arguments)
        count += 1
        if count == puts:
            os.kill(os.getpid(), signal.SIGKILL)

    LmdbWriter.put_encoded = put_and_die
    try:
        caption_set(pictures, str(model), **SETTINGS, out=out)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def test_captions_depend_on_picture_and_prompt_and_not_on_the_batch(model: Path) -> None:
    photograph = data.astronaut()
    pictures = [photograph[:64, :96], photograph[200:300, 100:200], np.zeros((64, 64, 3), np.uint8)]
    captioner = Captioner.from_pretrained('--model', str(model), 'What is this?', 12)
    together = captioner.describe(pictures)
    assert len(set(together)) == 3 and [captioner.describe([picture])[0] for picture in pictures] == together
    assert all(caption and '\n' not in caption and '<|' not in caption and 'What' not in caption for caption in together)
    other = Captioner.from_pretrained('--model', str(model), 'Which colour?', 12)
    assert other.describe(pictures[:1]) != together[:1]
    shorter = Captioner.from_pretrained('--model', str(model), 'What is this?', 2)
    assert all(len(short) < len(long) for short, long in zip(shorter.describe(pictures), together))


def test_a_model_without_a_chat_template_goes_on_from_the_prompt_and_does_not_repeat_it(tmp_path) -> None:
    tiny_blip(tmp_path)
    photograph, seen = data.astronaut(), []
    pictures = [photograph[:64, :96], photograph[200:300, 100:200]]
    for prompt in ('A photo of', 'Night and'):
        captioner = Captioner.from_pretrained('--model', str(tmp_path), prompt, 8)
        seen += captioner.describe(pictures)
    assert len(set(seen)) == 4 and all(0 < len(caption) <= 8 for caption in seen)


def test_shards_join_to_what_one_process_makes(pictures: Path, model: Path) -> None:
    arguments = ['caption', str(pictures), '--model', str(model), '--prompt', 'What is this?', '--max-tokens', '8']
    assert cli.main([*arguments, '--shard', '1/2']) == 0 and cli.main([*arguments, '--shard', '2/2']) == 0
    folder = pictures.parent
    assert len(read_sizes(folder / 'train_caption.shard-1-of-2.lmdb')) == 4
    assert cli.main(['pack', 'merge', str(folder)]) == 0
    assert cli.main([*arguments, '--out', str(folder / 'whole.lmdb')]) == 0
    assert content(folder / 'train_caption.lmdb') == content(folder / 'whole.lmdb')


@pytest.mark.parametrize('name, side, expected', [
    ('train_lq', None, ('blurry', 'train_caption')), ('val_gt', None, ('sharp', 'val_caption')),
    ('val_gt', 'sharp', ('sharp', 'val_caption')), ('photographs', 'sharp', ('sharp', 'photographs_caption')),
    ('two_words', 'blurry', ('blurry', 'two_words_caption')),
])
def test_the_name_says_the_side(name: str, side: str | None, expected: tuple[str, str]) -> None:
    assert caption_side(Path('sets', f'{name}.lmdb'), side) == (expected[0], Path('sets', f'{expected[1]}.lmdb'))


@pytest.mark.parametrize('name, side, message', [
    ('train.lmdb', None, '--side: the name train.lmdb does not say whether'),
    ('train_motion.lmdb', None, '--side: the name train_motion.lmdb does not say whether'),
    ('train_gt.lmdb', 'blurry', '--side: blurry, but the name train_gt.lmdb says that these pictures are sharp'),
])
def test_an_unclear_side_is_refused(name: str, side: str | None, message: str) -> None:
    with pytest.raises(UserError, match=f'^{message}'):
        caption_side(Path('sets', name), side)


def test_bad_input_is_one_line(pictures: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    def said(*arguments: object) -> str:
        assert cli.main(['caption', *map(str, arguments)]) == 2
        return capsys.readouterr().err.splitlines()[-1]

    tiny_gemma(tmp_path / 'gemma')
    assert 'no ModelForImageTextToText in' in said(pictures, '--model', tmp_path / 'gemma')
    assert "nowhere.lmdb: does not exist" in said(tmp_path / 'nowhere.lmdb', '--model', model)
    assert "pictures: is not the name of a packed set, which ends in '.lmdb'" in said(tmp_path / 'pictures', '--model', model)
    assert '--batch: 0 is out of range' in said(pictures, '--model', model, '--batch', 0)
    assert cli.main(['caption', str(pictures), '--model', str(model), '--prompt', '?', '--max-tokens', '2']) == 0
    captions = tmp_path / 'train_caption.lmdb'
    assert 'holds caption records, expected pictures' in said(captions, '--model', model, '--side', 'sharp')
    monkeypatch.setitem(sys.modules, 'transformers', None)
    assert said(pictures, '--model', model) == ('glowdeblur: --model: needs the package transformers; install it with pip '
                                               'install "glowdeblur_plugin[semantic]"')
    assert set(read_sizes(pictures)) == set(KEYS)
