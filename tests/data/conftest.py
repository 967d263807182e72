"""Sets that several tests of the data part read."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from glowdeblur_plugin.data.packers.photographs import pack_photographs


@pytest.fixture(scope='session')
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with train.lmdb and val.lmdb of the sample photographs."""
    out = tmp_path_factory.mktemp('photographs')
    pack_photographs(out)
    return out


@pytest.fixture
def pair_folders(tmp_path: Path) -> Path:
    """Folder with `lq` and `gt`, each with 'a', 'b' and 'c' of 40x32 pixels; `lq` is `gt` with its levels halved."""
    rng = np.random.default_rng(0)
    for name in 'abc':
        picture = rng.integers(0, 256, (32, 40, 3), dtype=np.uint8)
        for side, levels in (('gt', picture), ('lq', picture // 2)):
            (tmp_path / side).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / side / f'{name}.png'), levels)
    return tmp_path
