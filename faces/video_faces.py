from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from faces.cascade import SMALLEST_FACE, FaceCascade
from faces.tracks import Detection, find_tracks

_EVERY = 8
# P-Net's windows that led to a face measured 0.42 to 2.5 times its side (real and rendered clips).
_SMALLEST_WINDOW = 0.4
# How much smaller than in the searched frames a face may be.
_SLACK = 0.9
_SURE = 0.9


@dataclass
class VideoFaces:
    """The faces detected so far in one video, by frame number, and their crops.

    Attributes:
        cascade: The detector.
        size: Side of a crop, in pixels.
        scale: Side of the cropped square, in units of the longer side of the box.
        min_face: Smallest face of the first pass, in units of the frame's shorter side.
        all_faces: Search every frame for faces much smaller than the main person's.
    """

    cascade: FaceCascade
    size: int
    scale: float = 1.3
    min_face: float = 0.1
    all_faces: bool = False
    detections: dict[int, list[Detection]] = field(default_factory=dict)
    crops: dict[Detection, NDArray[np.uint8]] = field(default_factory=dict)

    def add(self, frames: Mapping[int, NDArray[np.uint8]]) -> None:
        """Detect and crop the faces of further frames `[H, W, 3]` RGB of one size.

        Frames without the video's main person are searched again for faces down to `SMALLEST_FACE`.
        """
        if not frames:
            return
        height, width = next(iter(frames.values())).shape[:2]
        min_face = self.min_face * min(height, width)
        self.detections |= self._detect(frames, min_face)
        if min_face > SMALLEST_FACE:
            tracks = find_tracks(self.detections)
            seen = tracks[0].faces if tracks else {}
            without = {number: frame for number, frame in frames.items() if number not in seen}
            self.detections |= self.cascade.detect(without, SMALLEST_FACE)
        for number, frame in frames.items():
            for face in self.detections[number]:
                self.crops[face] = crop_square(frame, face.box, self.scale, self.size)

    def _detect(
        self, frames: Mapping[int, NDArray[np.uint8]], min_face: float
    ) -> dict[int, list[Detection]]:
        """Search every eighth frame, and the others at the size of the person found there.

        All frames are searched in full if those show no person, or several. So is a frame in which
        the person is not found at this size.
        """
        numbers = list(frames)
        searched = numbers if self.all_faces or len(numbers) <= _EVERY else numbers[::_EVERY]
        found = self.cascade.detect({number: frames[number] for number in searched}, min_face)
        tracks = find_tracks(found)
        if len(tracks) == 1 and len(tracks[0].faces) == len(searched):
            side = _SLACK * min(face.side for face in tracks[0].faces.values())
            others = {number: frame for number, frame in frames.items() if number not in found}
            at_size = self.cascade.detect(others, max(min_face, _SMALLEST_WINDOW * side))
            found |= {
                number: faces
                for number, faces in at_size.items()
                if any(face.probability >= _SURE and face.side >= side for face in faces)
            }
        rest = {number: frame for number, frame in frames.items() if number not in found}
        found |= self.cascade.detect(rest, min_face)
        return {number: found[number] for number in numbers}


def crop_square(
    frame: NDArray[np.uint8], box: NDArray[np.float64], scale: float, size: int
) -> NDArray[np.uint8]:
    """Crop the square around a box, `scale` times its longer side, to `[size, size, 3]`.

    Outside the frame, the frame is reflected: a constant border would reveal to a detector where in
    the frame the face was.
    """
    side = max(1, round(float((box[2:] - box[:2]).max()) * scale))
    left, top = np.round((box[:2] + box[2:]) / 2 - side / 2).astype(int).tolist()
    height, width = frame.shape[:2]
    above, before = max(0, -top), max(0, -left)
    below, after = max(0, top + side - height), max(0, left + side - width)
    if above or below or before or after:
        frame = np.asarray(
            cv2.copyMakeBorder(frame, above, below, before, after, cv2.BORDER_REFLECT_101), np.uint8
        )
    square = frame[top + above :, left + before :][:side, :side]
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=interpolation), dtype=np.uint8)
