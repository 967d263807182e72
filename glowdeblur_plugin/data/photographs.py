"""The sharp photographs inside the scikit-image wheel: the sample data that needs no download.

Split by scene: `chelsea` is the picture that scikit-image also calls `cat`, and the two motorcycle views are one scene.
`clock_motion` is never used: it is blurred.
"""

import importlib.util
from pathlib import Path

import numpy as np

from glowdeblur_plugin.data.decode import decode_picture
from glowdeblur_plugin.errors import UserError

TRAIN = {
    'astronaut': 'astronaut.png',
    'rocket': 'rocket.jpg',
    'motorcycle_left': 'motorcycle_left.png',
    'motorcycle_right': 'motorcycle_right.png',
    'camera': 'camera.png',
    'coins': 'coins.png',
    'brick': 'brick.png',
    'grass': 'grass.png',
    'gravel': 'gravel.png',
}
VALIDATION = {'coffee': 'coffee.png', 'chelsea': 'chelsea.png'}


def training_photographs() -> dict[str, np.ndarray]:
    """Name to uint8 RGB (H, W, 3): four colour pictures and five grey ones repeated to RGB (without these, training overfits).

    Raises:
        UserError: the installed scikit-image lacks one of the files.
    """
    return _read(TRAIN)


def validation_photographs() -> dict[str, np.ndarray]:
    """Name to uint8 RGB (H, W, 3) of the scenes kept for validation.

    Raises:
        UserError: the installed scikit-image lacks one of the files.
    """
    return _read(VALIDATION)


def _read(files: dict[str, str]) -> dict[str, np.ndarray]:
    spec = importlib.util.find_spec('skimage')
    if spec is None or not spec.submodule_search_locations:
        raise UserError('scikit-image is not installed; it brings the sample photographs: pip install scikit-image')
    folder = Path(spec.submodule_search_locations[0]) / 'data'
    pictures = {}
    for name, file in files.items():
        path = folder / file
        if not path.is_file():
            raise UserError(f'{path}: missing; the sample photographs come with the wheel of scikit-image 0.22 or later')
        pictures[name] = decode_picture(path.read_bytes(), str(path))
    return pictures
