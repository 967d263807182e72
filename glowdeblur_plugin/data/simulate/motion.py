"""The true motion of a sample: the blur tensor (D cos 2a, D sin 2a, L_minor) of every pixel.

a is the principal direction of the point's positions over the exposure (x to the right, towards y downwards), L and L_minor are
sqrt(12) x their standard deviations along and across it in pixels of the sharp frame, D = L - L_minor. Our choice: unlike net
displacement it does not vanish for a path that returns, has no sign and no jump, and may be pooled.
"""

import numpy as np

from glowdeblur_plugin.data.simulate.trajectory import path_covariance

SQRT12 = 12 ** 0.5


def blur_tensor(xx: np.ndarray, xy: np.ndarray, yy: np.ndarray) -> np.ndarray:
    """Blur tensor float32 (3, ...) from the covariance of a point's positions in square pixels, each (...).

    With eigenvalues p >= q, (sqrt p - sqrt q) / (p - q) = 1 / (sqrt p + sqrt q), and (sqrt p + sqrt q)^2 = trace + 2 sqrt(det):
    no angle is needed, and nothing jumps where p = q.
    """
    determinant = np.maximum(xx * yy - xy * xy, 0)
    root_sum = np.sqrt(np.maximum(xx + yy, 0) + 2 * np.sqrt(determinant))
    scale = SQRT12 / np.maximum(root_sum, 1e-12)
    along, across = (xx - yy) * scale, 2 * xy * scale
    minor = (SQRT12 * root_sum - np.hypot(along, across)) / 2
    return np.stack([along, across, np.maximum(minor, 0)]).astype(np.float32)


def path_motion(path: np.ndarray, height: int, width: int) -> np.ndarray:
    """Blur tensor float32 (3, H, W) of a rigid path (K + 1, 3) turning about the middle of the picture.

    A point u from the middle lies at t + u cos(angle) + u_perpendicular sin(angle), which is linear in (t, cos, sin): the
    covariance of these four over time gives that of every point as a quadratic form in u, without a loop over sub-frames.
    """
    turn = path[:, 2]
    covariance = path_covariance(np.stack([path[:, 0], path[:, 1], np.cos(turn) - 1, np.sin(turn)], axis=1))
    if not turn.any():
        constant = blur_tensor(covariance[0, 0], covariance[0, 1], covariance[1, 1])
        return np.broadcast_to(constant[:, None, None], (3, height, width)).copy()
    x = np.arange(width) - (width - 1) / 2
    y = (np.arange(height) - (height - 1) / 2)[:, None]
    (tx_tx, tx_ty, tx_c, tx_s), (_, ty_ty, ty_c, ty_s), (_, _, c_c, c_s), (_, _, _, s_s) = covariance
    product = x * y
    xx = (tx_tx + 2 * tx_c * x + c_c * x * x) + (s_s * y * y - 2 * tx_s * y) - 2 * c_s * product
    yy = (ty_ty + 2 * ty_s * x + s_s * x * x) + (c_c * y * y + 2 * ty_c * y) + 2 * c_s * product
    xy = (tx_ty + (tx_s + ty_c) * x + c_s * x * x) + ((tx_c - ty_s) * y - c_s * y * y) + (c_c - s_s) * product
    return blur_tensor(xx, xy, yy)


def flip_motion(motion: np.ndarray, horizontal: bool, vertical: bool, transpose: bool) -> np.ndarray:
    """The blur tensor (3, H, W) after flips and then a transpose of the picture; crops need no change of values.

    One flip turns a into -a, so D sin 2a changes its sign; a transpose turns a into 90 degrees - a, so D cos 2a does.
    """
    signs = np.array([1, -1 if horizontal != vertical else 1, 1], np.float32)
    flipped = motion[:, ::-1 if vertical else 1, ::-1 if horizontal else 1] * signs[:, None, None]
    if transpose:
        flipped = flipped.transpose(0, 2, 1) * np.array([-1, 1, 1], np.float32)[:, None, None]
    return np.ascontiguousarray(flipped)
