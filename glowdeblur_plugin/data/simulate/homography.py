"""Motion as homographies: from the pixels of the sharp picture to their places at an instant of the exposure.

Motion over an exposure is float64 (K + 1, 3, 3): one homography at each of K + 1 nodes, see `trajectory`, its last entry 1, in
pixels from the middle of the window (x to the right, y downwards). Between nodes a point moves straight and evenly, and
sub-frame k shows the middle of segment k. K is odd and the middle sub-frame is the identity: there the sharp picture was taken.
With a rolling shutter every row has homographies of its own, (K + 1, H, 3, 3).
"""

import numpy as np


def still(count: int = 1) -> np.ndarray:
    """No motion over `count` sub-frames."""
    return np.broadcast_to(np.eye(3), (count + 1, 3, 3))


def translation(offsets: np.ndarray) -> np.ndarray:
    """Motion along `offsets` (K + 1, 2) in pixels."""
    matrices = np.tile(np.eye(3), (len(offsets), 1, 1))
    matrices[:, :2, 2] = offsets
    return matrices


def similarity(angles: np.ndarray, scales: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Turns by `angles` (K + 1) in radians, x towards y, and magnifications by `scales` (K + 1) about the point `centre`."""
    cosine, sine = scales * np.cos(angles), scales * np.sin(angles)
    matrices = np.tile(np.eye(3), (len(angles), 1, 1))
    matrices[:, :2, :2] = np.stack([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2)
    matrices[:, :2, 2] = centre - matrices[:, :2, :2] @ centre
    return matrices


def camera_motion(poses: np.ndarray, focal_length: float, depth: float) -> np.ndarray:
    """What a moving camera makes of a plane that faces it: H = K (R + t n^T / d) K^-1 with K = diag(f, f, 1), n = (0, 0, 1).

    Hartley and Zisserman, Multiple View Geometry, 2nd edition, equation 13.2. The camera's axis goes through the window's
    middle.

    Args:
        poses: (K + 1, 6) translation (tx, ty, tz) of the scene in the unit of `depth` and its turns (rx, ry, rz) in radians
            about the camera's axes, x first.
        focal_length: f in pixels.
        depth: d of the plane; a nearer one moves more under the same translation.
    """
    matrices = _rotations(poses[:, 3:])
    matrices[:, :, 2] += poses[:, :3] / depth
    lens = np.array([focal_length, focal_length, 1])
    return normalised(matrices * lens[:, None] / lens)


def normalised(matrices: np.ndarray) -> np.ndarray:
    """Homographies (..., 3, 3) scaled so that their last entry is 1."""
    return matrices / matrices[..., 2:, 2:]


def centred(nodes: np.ndarray) -> np.ndarray:
    """Motion (K + 1, ..., 3, 3) seen from where it is at the middle sub-frame, which becomes the identity."""
    middle = (len(nodes) - 1) // 2
    return normalised(nodes @ inverse((nodes[middle] + nodes[middle + 1]) / 2))


def sub_frames(nodes: np.ndarray) -> np.ndarray:
    """Homographies of the sub-frames, (K, ..., 3, 3); the middle one is the identity to the last bit."""
    frames = (nodes[1:] + nodes[:-1]) / 2
    frames[len(frames) // 2] = np.eye(3)
    return frames


def rows_of_rolling_shutter(nodes: np.ndarray, instants: np.ndarray) -> np.ndarray:
    """Motion of every row, (K + 1, H, 3, 3), at the row's own instants.

    The sharp picture is taken to be what the same shutter showed at every row's own exposure centre, so each row's motion is
    centred for itself and the target needs no warp (our choice: it stays as sharp as the photograph).

    Args:
        nodes: (N + 1, 3, 3) equally spaced over the time from the first row's first light to the last row's last.
        instants: (K + 1, H) within that time, from -1/2 to 1/2; see `trajectory.instants_along`.
    """
    position = np.clip((instants + 0.5) * (len(nodes) - 1), 0, len(nodes) - 1)
    before = np.minimum(position.astype(int), len(nodes) - 2)
    share = (position - before)[..., None, None]
    return centred((1 - share) * nodes[before] + share * nodes[before + 1])


def positions(nodes: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where points go: x and y of each, (K + 1, *shape), for points x, y that broadcast to `shape`.

    `nodes` is (K + 1, 3, 3) for all points, or (K + 1, *shape, 3, 3) with axes of length 1 where it is the same.
    """
    nodes = nodes.reshape(len(nodes), *(nodes.shape[1:-2] or (1,) * np.broadcast(x, y).ndim), 3, 3)
    weight = nodes[..., 2, 0] * x + nodes[..., 2, 1] * y + nodes[..., 2, 2]
    return ((nodes[..., 0, 0] * x + nodes[..., 0, 1] * y + nodes[..., 0, 2]) / weight,
            (nodes[..., 1, 0] * x + nodes[..., 1, 1] * y + nodes[..., 1, 2]) / weight)


def corners(height: int, width: int) -> np.ndarray:
    """The four corners of a window from its middle, (4, 2) x and y."""
    return np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]]) * [(width - 1) / 2, (height - 1) / 2]


def reach(nodes: np.ndarray, height: int, width: int) -> float:
    """Largest distance along x or y between a pixel of the window and where it looks for its light, at any node.

    The window as a homography sees it is a quadrilateral, so its corners bound all of it; with a rolling shutter, the ends of
    each row bound that row.
    """
    if nodes.ndim == 3:
        x, y = corners(height, width).T
    else:
        x, y = corners(1, width)[:2, 0], (np.arange(height) - (height - 1) / 2)[:, None]
        nodes = nodes[:, :, None]
    from_x, from_y = positions(inverse(nodes), x, y)
    return float(max(np.abs(from_x - x).max(), np.abs(from_y - y).max()))


def inverse(matrices: np.ndarray) -> np.ndarray:
    """Inverse homographies (..., 3, 3) by the adjugate, with their last entry 1."""
    first, second, third = np.moveaxis(matrices, -1, 0)
    return normalised(np.stack([np.cross(second, third), np.cross(third, first), np.cross(first, second)], axis=-2))


def _rotations(angles: np.ndarray) -> np.ndarray:
    """Rotation matrices (K + 1, 3, 3) Rz Ry Rx of `angles` (K + 1, 3) about x, y and z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles).T, np.sin(angles).T
    rows = [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx,
            sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx,
            -sy, cy * sx, cy * cx]
    return np.stack(rows, axis=1).reshape(-1, 3, 3)
