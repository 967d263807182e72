"""From the light of an exposure to an 8-bit picture, in the order of physics: clip, noise, response, 8 bit, JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np

from glowdeblur_plugin.data.simulate.camera import Response, expose

GREEN_KERNEL = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
RED_BLUE_KERNEL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4


@dataclass(frozen=True)
class Development:
    """What the camera does to the light.

    Attributes:
        response: see `camera`.
        noise: standard deviation of the photon noise at white in linear light (full scale 1); 0 for none.
        read_noise: standard deviation of the read-out noise as a share of `noise`.
        noise_seed: seed of the noise.
        bayer: the noise is that of an RGGB mosaic, which is then demosaiced.
        jpeg_quality: of the JPEG compression, 1 to 100; None for none.
    """

    response: Response
    noise: float = 0.0
    read_noise: float = 0.0
    noise_seed: int = 0
    bayer: bool = False
    jpeg_quality: int | None = None


def develop(linear: np.ndarray, development: Development) -> np.ndarray:
    """A blurry picture, uint8 RGB (H, W, 3), from linear light, float32 (H, W, 3), in which white is 1 and lights exceed it."""
    linear = np.clip(linear, 0, 1)
    rng = np.random.default_rng(development.noise_seed)
    if development.bayer:
        linear = demosaic(add_noise(mosaic(linear), development, rng))
    elif development.noise > 0:
        linear = add_noise(linear, development, rng)
    picture = expose(linear, development.response)
    return picture if development.jpeg_quality is None else _jpeg(picture, development.jpeg_quality)


def add_noise(linear: np.ndarray, development: Development, rng: np.random.Generator) -> np.ndarray:
    """Poisson-Gaussian noise in linear light, its Gaussian approximation: variance noise^2 (x + read_noise^2) at light x.

    Args:
        linear: float32 of any shape, clipped to [0, 1].
    """
    noise = rng.standard_normal(linear.shape, dtype=np.float32)
    deviation = linear * np.float32(development.noise ** 2)
    deviation += np.float32((development.noise * development.read_noise) ** 2)
    noise *= np.sqrt(deviation, out=deviation)
    noise += linear
    return noise


def mosaic(picture: np.ndarray) -> np.ndarray:
    """What an RGGB colour filter lets through: (H, W) from RGB (H, W, 3)."""
    seen = picture[..., 1].copy()
    seen[::2, ::2] = picture[::2, ::2, 0]
    seen[1::2, 1::2] = picture[1::2, 1::2, 2]
    return seen


def demosaic(mosaic: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3) from an RGGB mosaic (H, W), H and W at least 2: a missing colour is the mean of its nearest neighbours.

    At the picture's rim it is the mean of those that exist. White noise of variance v in the mosaic has the variance
    5/8 v in green and 9/16 v in red and blue, as a mean over the four sites.
    """
    planes = []
    for rows, columns in (((0,), (0,)), ((0, 1), (1, 0)), ((1,), (1,))):
        plane = np.zeros_like(mosaic)
        for row, column in zip(rows, columns):
            plane[row::2, column::2] = mosaic[row::2, column::2]
        kernel = GREEN_KERNEL if len(rows) == 2 else RED_BLUE_KERNEL
        planes.append(cv2.filter2D(plane, -1, kernel, borderType=cv2.BORDER_REFLECT_101))
    return cv2.merge(planes)


def _jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode('.jpg', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
