from dataclasses import dataclass, field
from typing import Any

import cv2
import lightning.pytorch as pl
import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

from datamodules.crop_store_writer import VideoCrops
from datamodules.videos import VideoFrames

# MTCNN's own smallest window; below it there is nothing to find.
_SMALLEST_FACE = 20
# MTCNN holds a call's frames as float32: 200 MB of them.
_PIXELS_PER_CALL = 2**24


class FaceExtractor(pl.LightningModule):
    """Finds the face of a video with MTCNN and cuts it out of its frames.

    The detector is facenet-pytorch's MTCNN at its default thresholds (Zhang et al., "Joint Face
    Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016). It looks for
    faces down to `min_face` of the frame's shorter side. The square around a detected box is
    `scale` times its longer side; where it leaves the picture, the picture is reflected at its
    border, since a constant border would tell the networks where the face was.

    Args:
        size: Side of a crop, pixels.
        scale: Side of the square, in units of the longer side of the box; 1.3 in FaceForensics++.
        min_face: Smallest face to look for, in units of the frame's shorter side.
    """

    def __init__(self, size: int = 112, scale: float = 1.3, min_face: float = 0.1) -> None:
        super().__init__()
        self.size = size
        self.scale = scale
        self.min_face = min_face
        # In this order of memory max pooling on a CPU is 5 to 10 times as fast, and pooling was
        # half of the time.
        self.mtcnn = MTCNN(keep_all=True).to(memory_format=torch.channels_last)

    def on_predict_start(self) -> None:
        """Let a CPU process detect in one thread.

        The networks' maps are so small that a second thread mostly spins: 8 ms a 256 px frame
        with two threads on two idle cores against 9 ms with one, and where other processes want
        the cores too (the decoding workers do), 30 to 120 ms. More cores are used by more ranks.
        """
        self._threads = torch.get_num_threads()
        if self.device.type == "cpu":
            torch.set_num_threads(1)

    def on_predict_end(self) -> None:
        """Give the process its threads back."""
        torch.set_num_threads(self._threads)

    def predict_step(self, batch: VideoFrames, batch_idx: int) -> VideoCrops:
        """Extract one video's face, the same person's in every frame."""
        frames, numbers = batch["frames"], batch["frame_numbers"]
        face = choose_face(self.detect(frames)) if len(frames) else {}
        crops = [
            cut_out(frames[index], found.box, self.scale, self.size)
            for index, found in face.items()
        ]
        return VideoCrops(
            frame_numbers=numbers.tolist(),
            crop_frames=[int(numbers[index]) for index in face],
            boxes=np.array([found.box for found in face.values()]).reshape(-1, 4),
            probabilities=np.array([found.probability for found in face.values()]),
            crops=np.array(crops, dtype=np.uint8).reshape(-1, self.size, self.size, 3),
            tracks=[0] * len(face),
            without_crop={
                int(number): "no face found"
                for index, number in enumerate(numbers)
                if index not in face
            },
            reason=batch["reason"],
            claimed_frames=batch["claimed_frames"],
        )

    def detect(self, frames: NDArray[np.uint8]) -> "list[list[Detection]]":
        """Detect all faces.

        Args:
            frames: `[n, H, W, 3]` RGB.

        Returns:
            For each frame its faces, boxes in pixels.
        """
        height, width = frames.shape[1:3]
        if min(height, width) < _SMALLEST_FACE:
            return [[] for _ in frames]
        self.mtcnn.device = self.device
        self.mtcnn.min_face_size = max(_SMALLEST_FACE, round(min(height, width) * self.min_face))
        # MTCNN takes [n, H, W, 3]; planes in memory make its resizing 1.4 times as fast.
        images = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
        images = images.permute(0, 2, 3, 1)
        step = max(1, _PIXELS_PER_CALL // (height * width))
        found: list[list[Detection]] = []
        for start in range(0, len(frames), step):
            boxes, probabilities = self.mtcnn.detect(images[start : start + step])
            found += [_detections(*of_frame) for of_frame in zip(boxes, probabilities, strict=True)]
        return found


@dataclass(frozen=True)
class Detection:
    """A face in a frame.

    Attributes:
        box: `[4]` x0, y0, x1, y1 in pixels.
        probability: The detector's.
    """

    box: NDArray[np.float64]
    probability: float

    @property
    def side(self) -> float:
        """Mean side of the box, pixels."""
        return float((self.box[2:] - self.box[:2]).mean())

    @property
    def centre(self) -> NDArray[np.float64]:
        """`[2]` x, y in pixels."""
        return (self.box[:2] + self.box[2:]) / 2


def _detections(boxes: Any, probabilities: Any) -> list[Detection]:
    """Take over what MTCNN says of one frame: None, or one row a face.

    Rounded, so that the last bits of float32 sums do not show in the crops.
    """
    if boxes is None:
        return []
    return [
        Detection(np.asarray(box, dtype=np.float64).round(2), round(float(probability), 4))
        for box, probability in zip(boxes, probabilities, strict=True)
    ]


@dataclass
class _Track:
    """One person over the frames: by frame index, where the face is."""

    faces: dict[int, Detection] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        return sum(face.probability * face.side for face in self.faces.values())

    def distance(self, face: Detection) -> float:
        """How far off a face lies from where the track was last seen, in sides of the face.

        Infinite where the sizes differ by more than a factor of two.
        """
        last = self.faces[max(self.faces)]
        if not 0.5 <= face.side / last.side <= 2:
            return np.inf
        shift = float(np.linalg.norm(face.centre - last.centre))
        return shift / ((face.side + last.side) / 2)


def choose_face(detections: list[list[Detection]], reach: float = 0.75) -> dict[int, Detection]:
    """Choose the video's person: the track with the greatest sum of probability times size.

    A frame's largest box is now and then a false positive in the background; one that stays
    over the video is not.

    Args:
        detections: Each frame's faces.
        reach: How far a face may move from frame to frame, in its own sides.

    Returns:
        By frame index, the person's face; frames where it was not found are absent.
    """
    tracks: list[_Track] = []
    for index, faces in enumerate(detections):
        free = list(tracks)
        for face in sorted(faces, key=lambda face: -face.probability * face.side):
            nearest = min(free, key=lambda track: track.distance(face), default=None)
            if nearest is not None and nearest.distance(face) <= reach:
                nearest.faces[index] = face
                free.remove(nearest)
            else:
                tracks.append(_Track({index: face}))
    return max(tracks, key=lambda track: track.weight).faces if tracks else {}


def cut_out(
    frame: NDArray[np.uint8], box: NDArray[np.float64], scale: float, size: int
) -> NDArray[np.uint8]:
    """Cut a square around a box out of a frame, reflecting the frame at its border.

    Args:
        frame: `[H, W, 3]`.
        box: `[4]` x0, y0, x1, y1 in pixels.
        scale: Side of the square in units of the longer side of the box.
        size: Side of the result, pixels.

    Returns:
        `[size, size, 3]`.
    """
    side = max(1, round(float((box[2:] - box[:2]).max()) * scale))
    left, top = np.round((box[:2] + box[2:]) / 2 - side / 2).astype(int)
    rows = _reflected(top, side, frame.shape[0])
    columns = _reflected(left, side, frame.shape[1])
    square = frame[rows[:, None], columns]
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=interpolation), dtype=np.uint8)


def _reflected(start: int, length: int, limit: int) -> NDArray[np.int64]:
    """Indices start ... start + length - 1, reflected into 0 ... limit - 1."""
    period = max(1, 2 * (limit - 1))
    indices = np.abs(np.arange(start, start + length)) % period
    reflected: NDArray[np.int64] = np.minimum(indices, period - indices)
    return reflected
