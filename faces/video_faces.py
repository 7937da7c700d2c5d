from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from faces.cascade import SMALLEST_FACE, FaceCascade
from faces.tracks import Detection, find_tracks


@dataclass
class VideoFaces:
    """The faces detected so far in one video, by frame number, and their crops.

    Attributes:
        cascade: The detector.
        size: Side of a crop, in pixels.
        scale: Side of the cropped square, in units of the longer side of the box.
        min_face: Smallest face of the first pass, in units of the frame's shorter side.
    """

    cascade: FaceCascade
    size: int
    scale: float = 1.3
    min_face: float = 0.1
    detections: dict[int, list[Detection]] = field(default_factory=dict)
    crops: dict[Detection, NDArray[np.uint8]] = field(default_factory=dict)

    def add(self, frames: Mapping[int, NDArray[np.uint8]]) -> None:
        """Detect and crop the faces of further frames `[H, W, 3]` RGB of one size.

        Frames in which the first pass does not find the main person of the video are searched
        again for faces down to `SMALLEST_FACE`.
        """
        if not frames:
            return
        height, width = next(iter(frames.values())).shape[:2]
        min_face = self.min_face * min(height, width)
        self.detections |= self.cascade.detect(frames, min_face)
        if min_face > SMALLEST_FACE:
            tracks = find_tracks(self.detections)
            found = tracks[0].faces if tracks else {}
            without = {number: frame for number, frame in frames.items() if number not in found}
            self.detections |= self.cascade.detect(without, SMALLEST_FACE)
        for number, frame in frames.items():
            for face in self.detections[number]:
                self.crops[face] = crop_square(frame, face.box, self.scale, self.size)


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
