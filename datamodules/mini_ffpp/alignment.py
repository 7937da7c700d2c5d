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
    [[-0.385, -0.13], [0.385, -0.13], [0.0, 0.33], [-0.315, 0.68], [0.315, 0.68]], dtype=np.float32
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

    def overlay(self, frame: Array, opacity: Array, patch: Array, alpha: Array) -> None:
        """Paste a patch into a frame, in place.

        The difference to the frame's own patch is added, so that the frame is not resampled where
        they are equal.

        Args:
            frame: `[H, W, 3]`.
            opacity: `[H, W]` zeros, which become the opacity of the patch.
            patch: `[PATCH, PATCH, 3]`.
            alpha: `[PATCH, PATCH]` opacity, 0 on the patch's border.
        """
        x0, y0, x1, y1 = self._extent(frame.shape[1], frame.shape[0])
        if x1 <= x0 or y1 <= y0:
            return
        back = cv2.invertAffineTransform(self.matrix)
        back[:, 2] -= (x0, y0)
        window = (x1 - x0, y1 - y0)
        change = in_rgb(alpha) * (patch - self.cut(frame))
        region = frame[y0:y1, x0:x1]
        region += cv2.warpAffine(change, back, window, flags=cv2.INTER_LINEAR)
        np.clip(region, 0, 255, out=region)
        mask = cv2.warpAffine(alpha, back, window, flags=cv2.INTER_LINEAR)
        opacity[y0:y1, x0:x1] = np.clip(mask, 0, 1)

    def _extent(self, width: int, height: int) -> tuple[int, int, int, int]:
        corners = np.array([[0, 0, 1], [PATCH, 0, 1], [0, PATCH, 1], [PATCH, PATCH, 1]])
        placed = corners @ cv2.invertAffineTransform(self.matrix).T
        low, high = np.floor(placed.min(axis=0)), np.ceil(placed.max(axis=0)) + 1
        limit = np.array([width, height])
        low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def in_rgb(grey: Array) -> Array:
    """Repeat an image `[H, W]` in three channels; NumPy is slow with a last axis of length 1."""
    return np.asarray(cv2.merge([grey, grey, grey]), dtype=np.float32)


def patch_grid() -> tuple[Array, Array]:
    """Return the face coordinates u `[1, P]` and v `[P, 1]` of the pixels of the patch."""
    pixels = np.arange(PATCH, dtype=np.float32)
    return ((pixels - ORIGIN[0]) / UNIT)[None], ((pixels - ORIGIN[1]) / UNIT)[:, None]


def oval(centre: float, across: float, down: float, power: float) -> Array:
    """Return the mask `[PATCH, PATCH]` of an upright oval; lengths in half face widths."""
    u, v = patch_grid()
    radius = np.abs(u / across) ** power + np.abs((v - centre) / down) ** power
    distance = (radius ** (1 / power) - 1) * min(across, down) * UNIT
    mask: Array = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    return mask


def feather(mask: Array, softness: float) -> Array:
    """Blur a mask inwards by `softness` patch pixels: pixels outside of it stay transparent."""
    blurred = cv2.GaussianBlur(mask, (0, 0), softness)
    return np.asarray(np.clip(2 * blurred - 1, 0, 1) * (mask > 0), dtype=np.float32)
