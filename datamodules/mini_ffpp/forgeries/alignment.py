"""The face patch: a forgery is made in coordinates aligned to the face."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

PATCH = 144
UNIT = 52.0
ORIGIN = np.array([PATCH / 2, 59.0], dtype=np.float32)
# The five landmarks of an average face, in half face widths from between the eyes.
AVERAGE_FACE = np.array(
    [[-0.385, -0.13], [0.385, -0.13], [0.0, 0.33], [-0.315, 0.68], [0.315, 0.68]],
    dtype=np.float32,
)
TEMPLATE = AVERAGE_FACE * UNIT + ORIGIN


@dataclass(frozen=True)
class Placement:
    """Position of a patch in a frame: `matrix` `[2, 3]` maps frame pixels to patch pixels."""

    matrix: NDArray[np.float64]

    @classmethod
    def of(cls, landmarks: Array) -> "Placement":
        """Fit the affine map from five landmarks `[5, 2]` to the average face, by least squares."""
        points = np.concatenate([landmarks, np.ones((5, 1))], axis=1)
        solution, *_ = np.linalg.lstsq(points.astype(np.float64), TEMPLATE, rcond=None)
        return cls(solution.T)

    def moved(self, shift: Array) -> "Placement":
        """Return a placement with the content of the patch shifted by `[2]` patch pixels."""
        matrix = self.matrix.copy()
        matrix[:, 2] -= shift
        return Placement(matrix)

    def cut(self, frame: Array) -> Array:
        """Return the patch `[PATCH, PATCH, 3]` of a frame."""
        patch = cv2.warpAffine(
            frame,
            self.matrix,
            (PATCH, PATCH),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        return np.asarray(patch, dtype=np.float32)

    def paste(self, frame: Array, patch: Array, alpha: Array) -> tuple[Array, Array]:
        """Blend a patch into a frame.

        Args:
            frame: `[H, W, 3]`; unchanged.
            patch: `[PATCH, PATCH, 3]`.
            alpha: `[PATCH, PATCH]` opacity, 0 on the patch's border.

        Returns:
            The new frame, and the opacity of the patch in it, `[H, W]`.
        """
        height, width = frame.shape[:2]
        x0, y0, x1, y1 = self._extent(width, height)
        opacity = np.zeros((height, width), dtype=np.float32)
        result = frame.copy()
        if x1 <= x0 or y1 <= y0:
            return result, opacity
        back = cv2.invertAffineTransform(self.matrix)
        back[:, 2] -= (x0, y0)
        window = (x1 - x0, y1 - y0)
        placed = cv2.warpAffine(
            patch, back, window, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        mask = np.clip(cv2.warpAffine(alpha, back, window, flags=cv2.INTER_LINEAR), 0, 1)
        region = result[y0:y1, x0:x1]
        region += mask[..., None] * (np.clip(placed, 0, 255) - region)
        opacity[y0:y1, x0:x1] = mask
        return result, opacity

    def _extent(self, width: int, height: int) -> tuple[int, int, int, int]:
        corners = np.array([[0, 0, 1], [PATCH, 0, 1], [0, PATCH, 1], [PATCH, PATCH, 1]])
        placed = corners @ cv2.invertAffineTransform(self.matrix).T
        low, high = np.floor(placed.min(axis=0)), np.ceil(placed.max(axis=0)) + 1
        limit = np.array([width, height])
        low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def patch_grid() -> tuple[Array, Array]:
    """Return the face coordinates (u, v) of the pixels of the patch, in half face widths."""
    y, x = np.mgrid[0:PATCH, 0:PATCH].astype(np.float32)
    return (x - ORIGIN[0]) / UNIT, (y - ORIGIN[1]) / UNIT


def oval(centre: float, across: float, down: float, power: float = 2.3) -> Array:
    """Return the mask `[PATCH, PATCH]` of an upright oval; lengths in half face widths."""
    u, v = patch_grid()
    radius = np.abs(u / across) ** power + np.abs((v - centre) / down) ** power
    distance = (radius ** (1 / power) - 1) * min(across, down) * UNIT
    mask: Array = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    return mask


def feather(mask: Array, softness: float) -> Array:
    """Soften a mask inwards; nothing outside of it becomes opaque.

    Args:
        mask: `[PATCH, PATCH]`.
        softness: Standard deviation of the blur in patch pixels.
    """
    if softness <= 0:
        return mask
    blurred = cv2.GaussianBlur(mask, (0, 0), softness)
    faded = np.clip(2 * blurred - 1, 0, 1) * (mask > 0)
    return np.asarray(faded, dtype=np.float32)
