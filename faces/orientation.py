"""Size and orientation of a picture on the screen: pixels may be oblong, turned and mirrored."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

# Closer ratios are rounding errors of encoders.
_SQUARE_ENOUGH = 0.01
# No display has wider pixels; a damaged header would ask for a huge picture.
_WIDEST = 16
# Sine and cosine of a quarter turn, as players round it.
_QUARTER_TURN = 0.02
# A matrix that maps a unit square to a smaller area is damaged.
_FLATTEST = 0.5


def displayed_size(width: int, height: int, pixel_ratio: Fraction | None) -> tuple[int, int]:
    """Return width and height with square pixels; the shorter side of a pixel is stretched.

    Args:
        width: Of the stored picture, in pixels.
        height: Likewise.
        pixel_ratio: Width of a pixel divided by its height; None or 0 if unknown.
    """
    ratio = float(pixel_ratio or 1)
    if not 1 / _WIDEST <= ratio <= _WIDEST or abs(ratio - 1) <= _SQUARE_ENOUGH:
        return width, height
    return (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))


def turn_upright(
    picture: NDArray[np.uint8], matrix: NDArray[np.float64] | None
) -> NDArray[np.uint8]:
    """Turn and mirror a picture `[H, W, 3]` according to its display matrix.

    Args:
        picture: With square pixels.
        matrix: `[2, 2]`: stored x and y, as a row, times the matrix are the displayed x and y, up
            to translation and scale (ISO 14496-12, 6.2.2). None: the picture is upright.

    Returns:
        A permutation of the pixels for quarter turns; otherwise a larger picture with black
        corners.
    """
    if matrix is None or not matrix.any(axis=1).all():
        return picture
    directions = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    if abs(np.linalg.det(directions)) < _FLATTEST:
        return picture
    nearest = np.round(directions)
    if np.abs(directions - nearest).max() > _QUARTER_TURN:
        return _turn_freely(picture, directions)
    if nearest[0, 0] == 0:
        picture = picture.transpose(1, 0, 2)
    along_x, along_y = nearest.sum(axis=0)
    return picture[:: int(along_y), :: int(along_x)]


def _turn_freely(picture: NDArray[np.uint8], directions: NDArray[np.float64]) -> NDArray[np.uint8]:
    import cv2  # takes a fifth of a second, and few videos need it

    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ directions
    shift = -corners.min(axis=0)
    right, bottom = np.ceil(corners.max(axis=0) + shift - 1e-6).astype(int).tolist()
    # OpenCV places pixels by their centres.
    centre = np.full(2, 0.5)
    offset = centre @ directions + shift - centre
    transform = np.hstack((directions.T, offset[:, None]))
    turned = cv2.warpAffine(picture, transform, (right, bottom), flags=cv2.INTER_LINEAR)
    return np.asarray(turned, dtype=np.uint8)
