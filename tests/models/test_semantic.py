"""Texts in training and in evaluation: dropout, no leak from the sharp side, and oracle guidance that marks what it touches."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

pytest.importorskip('transformers')

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur, resize_motion
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.side_data import Caption, encode_caption, encode_embedding
from glowdeblur_plugin.diffusion.text_encoder import encoder_reference
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.guidance.embedding_set import embed_captions
from glowdeblur_plugin.models.frozen_parts import read_frozen
from glowdeblur_plugin.models.glowdeblur_evaluation import restore
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from glowdeblur_plugin.models.seeds import picture_generator
from glowdeblur_plugin.models.semantic import allowed_texts
from tiny_language import GEMMA_CHANNELS, tiny_gemma
from toy_model import toy_options, train

LENGTH = 12
CAPTIONS = ('a red bus', 'night in a street', 'two dogs')


@pytest.fixture(scope='module')
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('gemma')
    tiny_gemma(folder)
    return folder


@pytest.fixture(scope='module')
def embeddings(tmp_path_factory: pytest.TempPathFactory, gemma: Path) -> Path:
    """Packed embeddings of `CAPTIONS`."""
    root = tmp_path_factory.mktemp('sets') / 'train_caption.lmdb'
    with LmdbWriter(root, 'toys', encoding='caption') as writer:
        for number, text in enumerate(CAPTIONS):
            writer.put_encoded(str(number), encode_caption(Caption(text, 'blurry')))
    return embed_captions(root, str(gemma), LENGTH, '', 2)[0]


class Pictures(torch.utils.data.Dataset):
    """Samples as a validation set gives them."""

    def __init__(self, samples: list[dict[str, Any]]) -> None:
        self.opt, self.samples = {'name': 'toys', 'dataroot_lq': '.'}, samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.samples[index]


def sample(seed: int, height: int = 35, width: int = 50, origin: str = 'blurry') -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    lq, gt = (torch.rand(3, height, width, generator=generator) for _ in range(2))
    motion = 9 * torch.rand(3, height, width, generator=generator)
    return {'lq': lq, 'gt': gt, 'domain': 'some', 'motion': motion, 'motion_known': True,
            'lq_path': f'picture_{seed}', 'caption': CAPTIONS[seed], 'caption_origin': origin,
            'text': 2 * torch.randn(LENGTH, GEMMA_CHANNELS, generator=generator), 'text_mask': torch.arange(LENGTH) < 4 + seed,
            'text_origin': origin}


def network_options(semantic: str, gemma: Path) -> dict[str, Any]:
    live = {'text_encoder': str(gemma)} if semantic == 'live' else {}
    return {'type': 'GLOWDeblur', 'variant': 'nano', 'target': 'around', 'semantic': semantic, 'text_length': LENGTH, **live}


@pytest.fixture
def build(tmp_path: Path, gemma: Path, embeddings: Path) -> Any:
    """Builds a model whose conditions all have a say from the start."""
    def build(semantic: str, val: dict[str, Any] | None = None, datasets: dict[str, Any] | None = None,
              **settings: Any) -> GLOWDeblurModel:
        roots = {'dataroot_embedding': str(embeddings), 'text_length': LENGTH, 'dataroot_caption': 'read by the data set'}
        options = {**toy_options(tmp_path, **settings), 'model_type': 'GLOWDeblurModel',
                   'datasets': {'train': {'parts': {'some': roots, 'other': {}}}} if datasets is None else datasets,
                   'network_g': network_options(semantic, gemma), 'val': {'steps': 2, 'warm_steps': 1, **(val or {})}}
        options['path']['experiments_root'] = str(tmp_path)
        model = GLOWDeblurModel(options)
        net, generator = model.bare_net, torch.Generator().manual_seed(4)
        for part in (net.backbone.proj_out.weight, net.null_text, net.motion.head.weight):
            torch.nn.init.normal_(part, std=0.3, generator=generator)
        torch.nn.init.normal_(net.backbone.patch_embed.proj.weight[:, net.latent_channels:], std=0.2, generator=generator)
        return model

    return build


@pytest.mark.parametrize('draws', [1, 2])
def test_without_a_state_that_counts_the_null_embedding_stands_in(draws: int) -> None:
    torch.manual_seed(0)
    net, generator = GLOWDeblur('nano').eval(), torch.Generator().manual_seed(1)
    torch.nn.init.normal_(net.backbone.proj_out.weight, std=0.03)
    torch.nn.init.normal_(net.null_text, std=0.3)
    lq, gt = torch.rand(2, 3, 3, 32, 32, generator=generator)
    noise, sigma = torch.randn(3 * draws, net.latent_channels, 4, 4, generator=generator), torch.rand(3 * draws)
    text, mask = torch.randn(3, 5, GEMMA_CHANNELS, generator=generator), torch.tensor([[1, 1, 0, 0, 0], [0] * 5, [1] * 5])
    with torch.no_grad():
        mixed = net(lq, gt, noise, sigma, text=text, text_mask=mask)['flow_error']
        null = net(lq, gt, noise, sigma)['flow_error']
        full = net(lq, gt, noise, sigma, text=text, text_mask=mask | torch.tensor([[0], [1], [0]]))['flow_error']
    dropped = torch.tensor([False, True, False] * draws)
    assert torch.allclose(mixed[dropped], null[dropped], atol=1e-6)
    assert torch.allclose(mixed[~dropped], full[~dropped], atol=1e-6)
    assert (mixed - null)[~dropped].abs().amax(dim=(1, 2, 3)).min() > 0.01 and (full - null)[dropped].abs().max() > 0.01


def _losses(model: GLOWDeblurModel, **changes: Any) -> float:
    model.feed_data(default_collate([{**sample(seed, 32, 32, origin='sharp'), **changes} for seed in range(3)]))
    with torch.no_grad():
        return float(model.compute_losses(torch.Generator().manual_seed(2), 1)['l_flow'])


@pytest.mark.parametrize('semantic', ['cache', 'live'])
def test_training_reads_texts_of_any_side_and_drops_some(build: Any, semantic: str) -> None:
    """Other random numbers of a step stay what they are without texts, so a run that drops all is one without texts."""
    plain = _losses(build('none'))
    assert _losses(build(semantic, caption_drop=1.0)) == pytest.approx(plain, rel=1e-6)
    kept, some = _losses(build(semantic, caption_drop=0.0)), _losses(build(semantic, caption_drop=0.6))
    assert len({round(value, 5) for value in (plain, kept, some)}) == 3
    if semantic == 'live':
        assert _losses(build('live', caption_drop=0.0), caption='') == pytest.approx(plain, rel=1e-6)
        assert _losses(build('live', caption_drop=0.0), caption='fog') != pytest.approx(kept, rel=1e-4)
    else:
        blanks = {'text_mask': torch.zeros(LENGTH, dtype=torch.bool)}
        assert _losses(build('cache', caption_drop=0.0), **blanks) == pytest.approx(plain, rel=1e-6)


def test_without_semantic_guidance_texts_are_not_read(build: Any) -> None:
    model = build('none')
    assert _losses(model, text=torch.zeros(LENGTH, GEMMA_CHANNELS), caption='') == _losses(model)
    first, second = (_restored(model, changes) for changes in ({}, {'text': torch.zeros(LENGTH, GEMMA_CHANNELS)}))
    assert torch.equal(first, second)


def _restored(model: GLOWDeblurModel, changes: dict[str, Any], origin: str = 'blurry') -> torch.Tensor:
    model.evaluation_network().eval()
    with torch.inference_mode():
        batch = default_collate([{**sample(1, origin=origin), **changes}])
        return model.evaluate_picture(batch, 0, picture_generator(0, 0))['restored'].clone()


OTHER_TEXT = {'caption': 'a snowed-in garden', 'text': torch.full((LENGTH, GEMMA_CHANNELS), -1.0),
              'text_mask': torch.ones(LENGTH, dtype=torch.bool)}
OF_THE_SHARP = {'gt': torch.zeros(3, 35, 50), 'motion': torch.full((3, 35, 50), 7.0)}


@pytest.mark.parametrize('semantic', ['cache', 'live'])
def test_what_is_restored_depends_on_nothing_of_the_sharp_picture(build: Any, semantic: str) -> None:
    model = build(semantic, {'full_report': True, 'guidance': 2.0})
    plain = _restored(model, {}, 'sharp')
    assert torch.equal(plain, _restored(model, {**OF_THE_SHARP, **OTHER_TEXT}, 'sharp'))
    assert torch.equal(plain, _restored(build('none'), {}))
    without = {key: value for key, value in sample(1).items() if not key.endswith('_origin')}
    with torch.inference_mode():
        unknown = model.evaluate_picture(default_collate([without]), 0, picture_generator(0, 0))['restored']
    assert torch.equal(plain, unknown)
    led = _restored(model, {}, 'blurry')
    assert torch.equal(led, _restored(model, OF_THE_SHARP, 'blurry'))
    assert (led - plain).abs().max() > 1e-3 and (_restored(model, OTHER_TEXT, 'blurry') - led).abs().max() > 1e-3


@pytest.mark.parametrize('semantic', ['cache', 'live'])
def test_the_oracle_sees_the_true_motion_and_every_text(build: Any, semantic: str) -> None:
    model = build(semantic, {'oracle_guidance': True})
    plain = _restored(model, {}, 'sharp')
    assert torch.equal(plain, _restored(model, {'gt': OF_THE_SHARP['gt']}, 'sharp'))
    for changes in ({'motion': OF_THE_SHARP['motion']}, OTHER_TEXT, {'motion_known': False}):
        assert (_restored(model, changes, 'sharp') - plain).abs().max() > 1e-3
    net, batch = model.bare_net, default_collate([sample(1, origin='sharp')])
    with torch.inference_mode():
        condition = net.condition(pad_to_multiple(batch['lq'], net.size_multiple))
        condition.motion_map = resize_motion(pad_to_multiple(batch['motion'], net.size_multiple),
                                             condition.motion_map.shape[-2:]) / net.compression
        expected = restore(net, condition, [picture_generator(0, 0)], 2, **allowed_texts(net, batch, oracle=True))
    assert torch.equal(plain, expected[..., :35, :50].clamp(0, 1))


@pytest.mark.parametrize('oracle', [False, True])
def test_oracle_guidance_marks_every_number_and_file(build: Any, tmp_path: Path, oracle: bool, caplog: pytest.LogCaptureFixture,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter
    val = {'full_report': True, 'save_img': True, 'oracle_guidance': oracle,
           'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}}
    model, writer = build('cache', val, total_iter=2), SummaryWriter(str(tmp_path / 'tb'))
    train(model, *[default_collate([sample(seed, 32, 32) for seed in range(2)])] * 2)
    monkeypatch.setattr(logging.getLogger('basicsr'), 'propagate', True)
    with caplog.at_level(logging.INFO, 'basicsr'):
        model.validation(type('Loader', (), {'dataset': Pictures([sample(0), sample(1)])})(), 3, writer, save_img=True)
    writer.close()
    figures = set(model.metric_results)
    assert {'oracle_psnr', 'oracle_motion_error'} <= figures if oracle else {'psnr', 'motion_error'} <= figures
    assert set(model.best_metric_results['toys']) == {'oracle_psnr' if oracle else 'psnr'}
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert set().union(*summary['pictures']) - {'index', 'path'} == figures <= summary.keys()
    reader = EventAccumulator(str(tmp_path / 'tb')).Reload()
    tags = {tag.removeprefix('metrics/toys/') for tag in reader.Tags()['scalars']}
    shown = {tag.removeprefix('toys/') for tag in reader.Tags()['images']}
    said = {line.split('# ')[1].split(':')[0] for text in caplog.messages for line in text.splitlines() if '\t # ' in line}
    files = {path.name for path in (tmp_path / 'visualization').rglob('*')}
    assert tags == said == figures and len(files) > 4 and shown
    for name in (*figures, *shown, *files):
        assert name.startswith('oracle_') == oracle, name


def test_cached_embeddings_restore_what_the_encoder_does_live(build: Any, embeddings: Path, gemma: Path) -> None:
    from glowdeblur_plugin.data.side_data import EmbeddingSource
    text, mask = EmbeddingSource(embeddings).read('1', LENGTH)
    cached = {'text': torch.from_numpy(text), 'text_mask': torch.from_numpy(mask)}
    live, cache = _restored(build('live'), {}), _restored(build('cache'), cached)
    assert torch.allclose(live, cache, atol=2e-3) and (_restored(build('none'), {}) - cache).abs().max() > 0.02


def test_guidance_is_an_option(build: Any) -> None:
    model, batch = build('cache', {'guidance': 3.0}), default_collate([sample(1)])
    restored, net = _restored(model, {}), model.bare_net
    with torch.inference_mode():
        expected = restore(net, net.condition(pad_to_multiple(batch['lq'], net.size_multiple)), [picture_generator(0, 0)], 2,
                           guidance=3.0, text=batch['text'], text_mask=batch['text_mask'])
    assert torch.equal(restored, expected[..., :35, :50].clamp(0, 1))
    assert (restored - _restored(build('cache'), {})).abs().max() > 0.01


@pytest.mark.parametrize('semantic', ['cache', 'live'])
def test_checkpoints_name_the_encoder_and_do_not_hold_it(build: Any, gemma: Path, tmp_path: Path, semantic: str) -> None:
    model = build(semantic, ema_decay=0.9)
    train(model, default_collate([sample(seed, 32, 32) for seed in range(2)]))
    model.save(0, 1)
    checkpoint, reference = tmp_path / 'models' / 'net_g_1.pth', encoder_reference(str(gemma))
    assert read_frozen(checkpoint)['text_encoder'] == {'source': str(gemma), 'sha256': reference.sha256}
    assert not any('text_encoder' in name for name in torch.load(checkpoint, weights_only=True)['params'])
    assert model.net_g_ema.text_encoder.held is model.bare_net.text_encoder.held
    tiny_gemma(tmp_path / 'other', seed=1)
    options = {**model.opt, 'network_g': network_options('live', tmp_path / 'other')}
    options['path'] = {**options['path'], 'pretrain_network_g': str(checkpoint)}
    with pytest.raises(UserError, match=f"network_g:text_encoder: '{tmp_path}/other' .* is not what checkpoint '{checkpoint}'"):
        GLOWDeblurModel(options)
    GLOWDeblurModel({**options, 'network_g': network_options('live', gemma)})


def test_texts_that_do_not_fit_are_named(build: Any, tmp_path: Path, embeddings: Path) -> None:
    for semantic, key in (('cache', 'dataroot_embedding'), ('live', 'dataroot_caption')):
        with pytest.raises(UserError, match=f'^network_g:semantic: {semantic} needs {key} in datasets:train, found none'):
            build(semantic, datasets={'train': {'dataroot_lq': 'a'}, 'val': {key: str(embeddings)}})
    model = build('cache')
    for shape, message in (((LENGTH, 16), 'dataroot_embedding: texts have 16 channels, network_g takes 32'),
                           ((7, GEMMA_CHANNELS), 'text_length: texts have 7 tokens, network_g takes 12')):
        with pytest.raises(UserError, match=message):
            _restored(model, {'text': torch.zeros(shape), 'text_mask': torch.ones(shape[0], dtype=torch.bool)})
    other = tmp_path / 'other_embedding.lmdb'
    with LmdbWriter(other, 'toys', encoding='embedding', details={'encoder': 'theirs', 'encoder_sha256': 64 * '0'}) as writer:
        writer.put_encoded('a', encode_embedding(np.ones((3, GEMMA_CHANNELS))))
    with pytest.raises(UserError, match="dataroot_embedding: .*other_embedding.lmdb was made by 'theirs' .*, but .*train_embed"):
        build('cache', datasets={name: {'dataroot_embedding': str(root), 'text_length': LENGTH}
                                 for name, root in (('train', embeddings), ('val', other))})


def test_sizes_of_texts_are_compared_before_the_run(build: Any, tmp_path: Path, embeddings: Path) -> None:
    """The flow, which alone reads texts, may join after days."""
    narrow = tmp_path / 'narrow_embedding.lmdb'
    with LmdbWriter(narrow, 'toys', encoding='embedding') as writer:
        writer.put_encoded('a', encode_embedding(np.ones((3, 16))))
    part = {'dataroot_embedding': str(embeddings), 'text_length': LENGTH}
    for changes, message in (({'text_length': 7}, 'text_length: is 7, network_g:text_length is 12; make them the same'),
                             ({'dataroot_embedding': str(narrow)},
                              'dataroot_embedding: texts of .*narrow_embedding.lmdb have 16 channels, network_g takes 32')):
        with pytest.raises(UserError, match=f'^datasets:train:parts:some:{message}'):
            build('cache', datasets={'train': {'parts': {'some': {**part, **changes}, 'other': part}}})
