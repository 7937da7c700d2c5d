import cv2
import numpy as np

from datamodules.mini_ffpp.forgeries.alignment import (
    AVERAGE_FACE,
    UNIT,
    Array,
    Placement,
    patch_grid,
)


def expression_of(landmarks: Array) -> Array:
    """Measure the motion of the mouth in each frame, relative to the clip's mean.

    Args:
        landmarks: `[n, 5, 2]`.

    Returns:
        `[n, 2, 2]`: displacements of the two corners of the mouth, in patch pixels.
    """
    corners = []
    for points in landmarks:
        matrix = Placement.of(points).matrix
        corners.append(points[3:] @ matrix[:, :2].T + matrix[:, 2])
    placed = np.stack(corners)
    return (placed - placed.mean(axis=0)).astype(np.float32)


def move_mouth(patch: Array, corners: Array, opening: float) -> Array:
    """Warp the lower face.

    Args:
        patch: `[P, P, 3]` of the average face's geometry.
        corners: `[2, 2]` displacement of the corners of the mouth, in patch pixels.
        opening: Relative stretch of the mouth's height; 0 keeps it, negative closes it.
    """
    u, v = patch_grid()
    flow_x, flow_y = np.zeros_like(u), np.zeros_like(u)
    for (x, y), shift in zip(AVERAGE_FACE[3:], corners, strict=True):
        near = np.exp(-0.5 * (np.square((u - x) / 0.2) + np.square((v - y) / 0.17)))
        flow_x += near * shift[0]
        flow_y += near * shift[1]
    middle = AVERAGE_FACE[3, 1]
    near = np.exp(-0.5 * (np.square(u / 0.3) + np.square((v - middle) / 0.17)))
    flow_y += near * opening * (v - middle) * UNIT
    rows, columns = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]].astype(np.float32)
    moved = cv2.remap(
        patch, columns - flow_x, rows - flow_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(moved, dtype=np.float32)
