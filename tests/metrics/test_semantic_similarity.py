"""Similarity of features, with tiny random models of the classes that the published ones have."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from photographs import degraded, sharp

from glowdeblur_plugin.metrics.catalogue import MetricUnavailable, open_metric

transformers = pytest.importorskip('transformers')
SIDE = 28
SHAPE = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2)
STATISTICS = dict(image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.3, 0.4])


@pytest.fixture(scope='module')
def dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('dino')
    save(transformers.Dinov2Model(dino_config(layers=2)), folder)
    return folder


@pytest.fixture(scope='module')
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('clip')
    config = transformers.CLIPConfig(text_config=dict(**SHAPE, vocab_size=20), projection_dim=8,
                                     vision_config=dict(**SHAPE, image_size=SIDE, patch_size=14))
    save(transformers.CLIPModel(config), folder)
    return folder


def dino_config(layers: int) -> Any:
    return transformers.Dinov2Config(hidden_size=16, num_hidden_layers=layers, num_attention_heads=2, image_size=SIDE,
                                     patch_size=14)


def save(model: torch.nn.Module, folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and 'cls_token' not in name:
                parameter.normal_(std=0.5, generator=generator)
    model.save_pretrained(folder)
    transformers.CLIPImageProcessor(size={'shortest_edge': SIDE}, crop_size={'height': SIDE, 'width': SIDE},
                                    **STATISTICS).save_pretrained(folder)


def expected(name: str, folder: Path, pictures: list[np.ndarray]) -> float:
    """The cosine by the model alone, of pictures that need no scaling."""
    mean, deviation = (torch.tensor(STATISTICS[key]).view(3, 1, 1) for key in ('image_mean', 'image_std'))
    pixels = torch.stack([(torch.from_numpy(picture).permute(2, 0, 1) - mean) / deviation for picture in pictures])
    with torch.no_grad():
        if name == 'clip':
            model = transformers.CLIPModel.from_pretrained(folder)
            first, second = model.vision_model(pixel_values=pixels).pooler_output @ model.visual_projection.weight.T
        else:
            first, second = transformers.Dinov2Model.from_pretrained(folder)(pixel_values=pixels).last_hidden_state[:, 0]
    return float(torch.dot(first, second) / first.norm() / second.norm())


@pytest.mark.parametrize('name', ['dinov2', 'clip'])
def test_it_is_the_cosine_of_the_models_features(name: str, dino: Path, clip: Path) -> None:
    folder, truth = (dino if name == 'dinov2' else clip), sharp(SIDE, SIDE)
    metric, other = open_metric(name, 'rgb-float', model=str(folder)), sharp(SIDE, SIDE, 'coffee')
    assert metric(truth, truth) == pytest.approx(1)
    assert metric(other, truth) == pytest.approx(expected(name, folder, [other, truth]), abs=1e-5)
    assert metric(other, truth) < 0.98


def test_pictures_of_any_size_are_scaled_by_the_models_processor(dino: Path) -> None:
    truth, metric = sharp(90, 60), open_metric('dinov2', model=str(dino))
    assert metric(sharp(90, 60, 'coffee'), truth) < metric(degraded(truth), truth) < 1


def test_a_model_that_is_not_there_is_named(dino: Path, tmp_path: Path) -> None:
    with pytest.raises(MetricUnavailable, match=f"^dinov2: no model in '{re.escape(str(tmp_path / 'none'))}' on this machine"):
        open_metric('dinov2', model=str(tmp_path / 'none'))
    for file in dino.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    dino_config(layers=3).save_pretrained(tmp_path)
    with pytest.raises(MetricUnavailable, match='^dinov2: the weights in .* are not those of its config: .* missing, such as'):
        open_metric('dinov2', model=str(tmp_path))
