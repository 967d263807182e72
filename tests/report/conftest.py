"""Photographs blurred by the simulator, with their true motion."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from glowdeblur_plugin.data.simulate.domains import Domain
from glowdeblur_plugin.data.simulate.pipeline import Sample, simulate
from glowdeblur_plugin.data.simulate.plan import margin
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.report.blur_record import SetRecord, measure_set
from glowdeblur_plugin.report.blur_set import open_set

Blurred = Callable[..., list[Sample]]
SIDE = 192


@pytest.fixture(scope='session')
def sharp_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with two sharp pictures, a and b, of 320x256 pixels."""
    folder = tmp_path_factory.mktemp('sharp') / 'photos'
    folder.mkdir()
    for name, picture in (('a', data.coffee()), ('b', data.astronaut())):
        cv2.imwrite(str(folder / f'{name}.png'), np.ascontiguousarray(picture[:256, :320, ::-1]))
    return folder


@pytest.fixture(scope='session')
def blurred() -> Blurred:
    """Makes samples of one kind of blur, (192, 192, 3) each: `blurred(kind, count, shortest, longest, noise=...)`."""
    pictures = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]

    @lru_cache
    def make(kind: str, count: int, shortest: float, longest: float, noise: float = 0.0) -> list[Sample]:
        domain = Domain({kind: 1.0}, (shortest, longest), (noise, noise))
        edge = margin(domain)
        samples = []
        for index in range(count):
            rng = np.random.default_rng(index)
            picture = pictures[index % len(pictures)]
            top, left = (int(rng.integers(edge, length - edge - SIDE)) for length in picture.shape[:2])
            samples.append(simulate(picture, Window(top, left, SIDE, SIDE), domain, rng))
        return samples

    return make


@pytest.fixture(scope='session')
def domain_records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SetRecord]:
    """Measured sets of 20 pictures of four domains, on four photographs."""
    folder = tmp_path_factory.mktemp('photographs')
    for name in ('astronaut', 'coffee', 'chelsea', 'rocket'):
        picture = getattr(data, name)()[:384, :384, ::-1]
        cv2.imwrite(str(folder / f'{name}.png'), np.ascontiguousarray(picture[:300]))
    return {domain: measure_set(open_set(f'{domain}:{folder}', 20), 20) for domain in ('gentle', 'bsd', 'gopro', 'pretraining')}
