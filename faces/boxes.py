"""Arithmetic on boxes `[m, 4 or more]`: x0, y0, x1, y1 in pixels, then the probability."""

import cv2
import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def suppress_overlaps(
    boxes: Boxes, of_frame: NDArray[np.int64], max_overlap: float
) -> NDArray[np.int64]:
    """Return the indices of the boxes kept, the most probable first.

    Boxes `[m, 5 or more]` whose intersection over union with a more probable box of the same frame
    exceeds `max_overlap` are suppressed; `of_frame` is `[m]`.
    """
    if not len(boxes):
        return np.zeros(0, dtype=np.int64)
    corners_and_sides = np.hstack((boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]))
    # Converting lists is faster than converting arrays row by row.
    kept = cv2.dnn.NMSBoxesBatched(
        corners_and_sides.tolist(), boxes[:, 4].tolist(), of_frame.tolist(), 0.0, max_overlap
    )
    return np.asarray(kept, dtype=np.int64).ravel()


def make_square(boxes: Boxes) -> Boxes:
    """Extend boxes around their centres to squares of their longer sides."""
    side = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, keepdims=True)
    corner = (boxes[:, :2] + boxes[:, 2:4] - side) / 2
    return np.hstack((corner, corner + side, boxes[:, 4:]))


def shift_edges(boxes: Boxes, shifts: NDArray[np.float32], margin: int = 0) -> Boxes:
    """Move the edges of boxes `[m, 5]` by shifts `[m, 4]`, in units of the sides.

    A margin in pixels is added to the sides, as in facenet-pytorch.
    """
    sides = np.tile(boxes[:, 2:4] - boxes[:, :2] + margin, 2)
    return np.hstack((boxes[:, :4] + shifts * sides, boxes[:, 4:]))


def drop_nested(faces: NDArray[np.float64], max_share: float) -> NDArray[np.float64]:
    """Drop faces `[n, 5]` of a frame that are mostly inside a more probable one, and sort the rest.

    `max_share` is the largest share of the smaller box that may be inside the other.
    """
    kept: list[NDArray[np.float64]] = []
    for face in faces[np.argsort(-faces[:, 4], kind="stable")]:
        if all(_share_of_smaller(face, other) <= max_share for other in kept):
            kept.append(face)
    return np.array(kept).reshape(-1, 5)


def _share_of_smaller(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    sides = np.minimum(one[2:4], other[2:4]) - np.maximum(one[:2], other[:2]) + 1
    if (sides <= 0).any():
        return 0.0
    return float(np.prod(sides) / min(np.prod(box[2:4] - box[:2] + 1) for box in (one, other)))
