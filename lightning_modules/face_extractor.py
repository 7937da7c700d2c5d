from dataclasses import dataclass, field
from pathlib import Path

import cv2
import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.crops.store_writer import VideoCrops
from datamodules.videos import VideoFrames
from faces.cascade import SMALLEST_FACE, FaceCascade
from faces.decoding import UnreadableVideoError, decode_frames, index_frames
from faces.tracks import Detection, Track, find_tracks, most_covered

# Summed area tables take 12 bytes a pixel. Up to 32 MB the allocator gives the same memory again,
# above it fresh pages, which cost more than the sums; a GPU wants many frames at a time.
_PIXELS_ON_CPU, _PIXELS_PER_CALL = 2**21, 2**24
# H.264 blurs a mask of 0 and 255.
_MASKED = 64


@dataclass
class _Video:
    """What was found in the parts of a video that came so far."""

    looked_at: list[int] = field(default_factory=list)
    detections: dict[int, list[Detection]] = field(default_factory=dict)
    crops: dict[Detection, NDArray[np.uint8]] = field(default_factory=dict)


class FaceExtractor(pl.LightningModule):
    """Finds the face of a video with MTCNN and cuts it out of its frames.

    It looks for faces down to `min_face` of the frame's shorter side, and in frames where that
    finds the video's person nowhere once more down to 20 px. The square around a detected box is
    `scale` times its longer side; where it leaves the picture, the picture is reflected at its
    border, since a constant border would tell the networks where the face was.

    Args:
        size: Side of a crop, pixels.
        scale: Side of the square, in units of the longer side of the box; 1.3 in FaceForensics++.
        min_face: Smallest face to look for first, in units of the frame's shorter side.
        all_faces: Keep everyone's face, not that of the video's person alone.
    """

    def __init__(
        self, size: int = 112, scale: float = 1.3, min_face: float = 0.1, all_faces: bool = False
    ) -> None:
        super().__init__()
        self.size = size
        self.scale = scale
        self.min_face = min_face
        self.all_faces = all_faces
        self.cascade = FaceCascade()
        self._videos: dict[int, _Video] = {}

    def on_predict_start(self) -> None:
        """Let a CPU process detect in one thread.

        The networks' maps are so small that a second thread mostly spins: 8 ms a 256 px frame
        with two threads on two idle cores against 9 ms with one, and where other processes want
        the cores too (the decoding threads do), 30 to 120 ms. More cores are used by more ranks.
        """
        self._threads = torch.get_num_threads()
        if self.device.type == "cpu":
            torch.set_num_threads(1)

    def on_predict_end(self) -> None:
        """Give the process its threads back."""
        torch.set_num_threads(self._threads)

    def predict_step(self, batch: VideoFrames, batch_idx: int) -> list[VideoCrops]:
        """Look at one part of a video; gives its crops when it was the last one."""
        video = self._videos.setdefault(batch["record"], _Video())
        self._look_at(video, batch)
        if not batch["is_last"]:
            return []
        del self._videos[batch["record"]]
        tracks = find_tracks(video.detections)
        if len(tracks) > 1 and batch["mask"] is not None:
            masks = _read_masks(batch["mask"], list(video.detections))
            tracks.insert(0, tracks.pop(most_covered(tracks, masks)))
        if not self.all_faces:
            tracks = tracks[:1]
        return [self._crops(video, batch, tracks)]

    def _look_at(self, video: _Video, part: VideoFrames) -> None:
        """Find the faces in some frames, cut them out, and let the frames go."""
        frames = dict(zip(part["frame_numbers"], part["frames"], strict=True))
        if not frames:
            return
        video.looked_at += frames
        least = self.min_face * min(part["frames"][0].shape[:2])
        video.detections |= self.detect(frames, least)
        if least > SMALLEST_FACE:
            tracks = find_tracks(video.detections)
            seen = tracks[0].faces if tracks else {}
            lost = {number: frame for number, frame in frames.items() if number not in seen}
            video.detections |= self.detect(lost, SMALLEST_FACE)
        for number, frame in frames.items():
            for face in video.detections[number]:
                video.crops[face] = cut_out(frame, face.box, self.scale, self.size)

    def _crops(self, video: _Video, batch: VideoFrames, tracks: list[Track]) -> VideoCrops:
        found = [
            (number, index, face)
            for index, track in enumerate(tracks)
            for number, face in track.faces.items()
        ]
        without = {
            number: "only other faces" if video.detections[number] else "no face found"
            for number in video.looked_at
            if not any(number in track.faces for track in tracks)
        }
        without |= dict.fromkeys(batch["undecoded"], "cannot be decoded")
        crops = [video.crops[face] for _, _, face in found]
        return VideoCrops(
            frame_numbers=video.looked_at,
            crop_frames=[number for number, _, _ in found],
            boxes=np.array([face.box for _, _, face in found]).reshape(-1, 4),
            probabilities=np.array([face.probability for _, _, face in found]),
            crops=np.array(crops, dtype=np.uint8).reshape(-1, self.size, self.size, 3),
            tracks=[index for _, index, _ in found],
            without_crop=dict(sorted(without.items())),
            reason=batch["reason"],
            claimed_frames=batch["claimed_frames"],
        )

    def detect(
        self, frames: dict[int, NDArray[np.uint8]], min_face: float
    ) -> dict[int, list[Detection]]:
        """Detect all faces.

        Args:
            frames: By number, frames `[H, W, 3]` of one size, RGB.
            min_face: Side of the smallest face to look for, pixels.

        Returns:
            By number, the frame's faces.
        """
        numbers, pictures = list(frames), list(frames.values())
        found: dict[int, list[Detection]] = {}
        pixels = _PIXELS_ON_CPU if self.device.type == "cpu" else _PIXELS_PER_CALL
        step = max(1, pixels // (pictures[0][..., 0].size if pictures else 1))
        for start in range(0, len(pictures), step):
            faces = self.cascade(pictures[start : start + step], max(min_face, SMALLEST_FACE))
            for number, of_frame in zip(numbers[start : start + step], faces, strict=True):
                # Rounded, so that the last bits of float32 sums do not show in the crops.
                found[number] = [
                    Detection(face[:4].round(2), round(float(face[4]), 4)) for face in of_frame
                ]
        return found


def _read_masks(path: Path, numbers: list[int]) -> dict[int, NDArray[np.bool_]]:
    """Decode what is there of a video of masks: by frame number `[H, W]`."""
    try:
        masks = decode_frames(path, index_frames(path), numbers)
        return {number: mask.max(axis=2) > _MASKED for number, mask in masks}
    except UnreadableVideoError:
        return {}


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
    left, top = np.round((box[:2] + box[2:]) / 2 - side / 2).astype(int).tolist()
    height, width = frame.shape[:2]
    above, before = max(0, -top), max(0, -left)
    below, after = max(0, top + side - height), max(0, left + side - width)
    padded = (
        cv2.copyMakeBorder(frame, above, below, before, after, cv2.BORDER_REFLECT_101)
        if above or below or before or after
        else frame
    )
    square = padded[top + above :, left + before :][:side, :side]
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=interpolation), dtype=np.uint8)
