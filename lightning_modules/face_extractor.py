from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.crops.store_writer import VideoCrops
from datamodules.videos import VideoFrames
from faces.cascade import FaceCascade
from faces.containers import UnreadableVideoError
from faces.decoding import decode_frames
from faces.frame_index import index_frames
from faces.torch_networks import TorchFaceNetworks
from faces.tracks import Track, find_tracks, most_covered
from faces.video_faces import VideoFaces

# H.264 blurs the edges of a mask of 0 and 255.
_MASKED = 64


class FaceExtractor(pl.LightningModule):
    """Detect the faces of videos with MTCNN and crop them; used with `Trainer.predict`.

    Args:
        size: Side of a crop, in pixels.
        scale: Side of the cropped square, in units of the longer side of the box.
        min_face: Smallest face of the first pass, in units of the frame's shorter side.
        all_faces: Crop the faces of every person, instead of the main person's only.
    """

    def __init__(
        self,
        size: int = 112,
        scale: float = 1.3,
        min_face: float = VideoFaces.min_face,
        all_faces: bool = False,
    ) -> None:
        super().__init__()
        self.size, self.scale = size, scale
        self.min_face, self.all_faces = min_face, all_faces
        self.networks = TorchFaceNetworks()
        self.cascade = FaceCascade(self.networks)
        self._videos: dict[int, VideoFaces] = {}

    def on_predict_start(self) -> None:
        """Start threads that detect in a video each, with one torch thread per video on a CPU.

        The networks' maps are so small that a second torch thread mostly spins. Numpy, OpenCV and
        torch release Python's lock.
        """
        self._torch_threads = torch.get_num_threads()
        threads = 1 if self.device.type == "cpu" else self._torch_threads
        torch.set_num_threads(threads)
        # The pool starts as many threads as a batch has videos.
        self._pool = ThreadPoolExecutor(None, "detect", torch.set_num_threads, (threads,))

    def on_predict_end(self) -> None:
        """End the threads."""
        self._pool.shutdown()
        torch.set_num_threads(self._torch_threads)

    def predict_step(
        self, batch: Sequence[VideoFrames], batch_idx: int
    ) -> list[tuple[int, VideoCrops]]:
        """Detect faces in parts of videos, in parallel; return what `extract` does for each."""
        by_video: dict[int, list[VideoFrames]] = {}
        for part in batch:
            by_video.setdefault(part["record"], []).append(part)
        of_videos = self._pool.map(lambda parts: [*map(self.extract, parts)], by_video.values())
        return [found for of_video in of_videos for found in of_video if found]

    def extract(self, part: VideoFrames) -> tuple[int, VideoCrops] | None:
        """Detect faces in a part of a video; return its record and crops after its last part."""
        new = VideoFaces(self.cascade, self.size, self.scale, self.min_face, self.all_faces)
        video = self._videos.setdefault(part["record"], new)
        video.add(dict(zip(part["frame_numbers"], part["frames"], strict=True)))
        if not part["is_last"]:
            return None
        del self._videos[part["record"]]
        tracks = find_tracks(video.detections)
        if len(tracks) > 1 and part["mask"] is not None:
            masks = _read_masks(part["mask"], list(video.detections))
            tracks.insert(0, tracks.pop(most_covered(tracks, masks)))
        return part["record"], _video_crops(video, part, tracks[: None if self.all_faces else 1])


def _video_crops(video: VideoFaces, last_part: VideoFrames, tracks: list[Track]) -> VideoCrops:
    found = [(n, index, face) for index, one in enumerate(tracks) for n, face in one.faces.items()]
    with_crop = {number for number, _, _ in found}
    without_crop = {
        number: "only other faces" if faces else "no face found"
        for number, faces in video.detections.items()
        if number not in with_crop
    }
    without_crop |= dict.fromkeys(last_part["undecoded"], "cannot be decoded")
    crops = np.array([video.crops[face] for _, _, face in found], dtype=np.uint8)
    return VideoCrops(
        frame_numbers=list(video.detections),
        crop_frames=[number for number, _, _ in found],
        boxes=np.array([face.box for _, _, face in found]).reshape(-1, 4),
        probabilities=np.array([face.probability for _, _, face in found]),
        crops=crops.reshape(-1, video.size, video.size, 3),
        tracks=[index for _, index, _ in found],
        without_crop=dict(sorted(without_crop.items())),
        reason=last_part["reason"],
        claimed_frames=last_part["claimed_frames"],
    )


def _read_masks(path: Path, numbers: list[int]) -> dict[int, NDArray[np.bool_]]:
    """Decode a video of masks, as far as possible: by frame number `[H, W]`."""
    try:
        masks = decode_frames(path, index_frames(path), numbers)
        return {number: mask.max(axis=2) > _MASKED for number, mask in masks}
    except UnreadableVideoError:
        return {}
