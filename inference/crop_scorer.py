"""The exported network on crops."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faces.onnx_networks import open_session

INPUT = "images"
OUTPUTS = ("logit", "probability", "evidence")
_CROPS_PER_CALL = 16


@dataclass(frozen=True)
class CropScores:
    """Scores of n crops.

    Attributes:
        logits: `[n]`, of being fake.
        probabilities: `[n]`, of being fake.
        evidence: `[n, h, w]`, the classifier applied to each position of the last map: their mean
            is the logit, positive where a region looks forged.
    """

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    evidence: NDArray[np.float32]


class CropScorer:
    """A network of uint8 images `[B, 3, S, S]` RGB in an ONNX file.

    Args:
        path: The file.
        image_size: Side S, in pixels.
        threads: See `open_session`.

    Raises:
        InputError: The file is missing or damaged.
    """

    def __init__(self, path: Path, image_size: int, threads: int | None = None) -> None:
        self._session = open_session(path, threads)
        self._size = image_size

    def score(self, crops: NDArray[np.uint8]) -> CropScores:
        """Score crops `[n, H, W, 3]` RGB, which are resized to the network's input by area."""
        images = np.empty((len(crops), 3, self._size, self._size), dtype=np.uint8)
        for image, crop in zip(images, crops, strict=True):
            image[:] = self._resized(crop).transpose(2, 0, 1)
        parts = [
            self._session.run(OUTPUTS, {INPUT: images[start : start + _CROPS_PER_CALL]})
            for start in range(0, max(1, len(images)), _CROPS_PER_CALL)
        ]
        return CropScores(*(np.concatenate(outputs) for outputs in zip(*parts, strict=True)))

    def _resized(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if crop.shape[:2] == (self._size, self._size):
            return crop
        size = (self._size, self._size)
        return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
