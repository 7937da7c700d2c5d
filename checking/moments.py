"""Pictures of the most suspicious faces, with the evidence of the network."""

import base64
import heapq
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.video import ScoredFace, ScoredFrame

# Pictures kept while a video is read, whatever its length: 10 kB each.
_KEPT = 240
_SIDE = 160
_JPEG_QUALITY = 85
# BGR: orange where the face looks forged, blue where it does not; colour-blind people see both.
_FORGED, _REAL = np.array([0, 120, 255.0]), np.array([200, 110, 0.0])
_OPACITY = 0.65
# A region of this logit has the full colour, unless another one of the face has a larger one.
_FULL_LOGIT = 3.0


@dataclass(frozen=True)
class Moment:
    """A face at one time, as JPEG files.

    Attributes:
        seconds: Presentation time.
        probability: Of being fake, of this frame.
        picture: The crop.
        evidence: The crop with the evidence map over it.
    """

    seconds: float
    probability: float
    picture: bytes
    evidence: bytes


class MomentKeeper:
    """Keep the pictures of the faces with the highest scores of a video."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, ScoredFace]] = []
        self._moments: dict[ScoredFace, Moment] = {}
        self._count = 0

    def add(self, frame: ScoredFrame) -> None:
        """Add the faces of the next frame."""
        for face, crop in zip(frame.faces, frame.crops, strict=True):
            if len(self._heap) == _KEPT and face.probability <= self._heap[0][0]:
                continue
            self._moments[face] = _moment(frame.seconds, face, crop)
            self._count += 1
            heapq.heappush(self._heap, (face.probability, self._count, face))
            if len(self._heap) > _KEPT:
                del self._moments[heapq.heappop(self._heap)[2]]

    def find(self, face: ScoredFace) -> Moment | None:
        """Return the pictures of a face, if kept."""
        return self._moments.get(face)


def data_uri(jpeg: bytes) -> str:
    """Return a JPEG file as a URI that an HTML page can hold."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _moment(seconds: float, face: ScoredFace, crop: NDArray[np.uint8]) -> Moment:
    picture = cv2.cvtColor(cv2.resize(crop, (_SIDE, _SIDE)), cv2.COLOR_RGB2BGR)
    evidence = cv2.resize(face.evidence.astype(np.float32), (_SIDE, _SIDE))
    strength = evidence[..., None] / max(_FULL_LOGIT, float(np.abs(evidence).max()))
    colour = np.where(strength > 0, _FORGED, _REAL)
    grey = picture.mean(axis=2, keepdims=True)
    blended = grey + _OPACITY * np.abs(strength) * (colour - grey)
    return Moment(seconds, face.probability, _jpeg(picture), _jpeg(blended))


def _jpeg(picture: Any) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return bytes(cv2.imencode(".jpg", np.asarray(picture, dtype=np.uint8), quality)[1])
