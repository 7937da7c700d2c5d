from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.crops.store_writer import VideoCrops
from datamodules.videos import VideoFrames
from faces.cascade import FaceCascade
from faces.decoding import UnreadableVideoError, decode_frames, index_frames
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
        self, size: int = 112, scale: float = 1.3, min_face: float = 0.1, all_faces: bool = False
    ) -> None:
        super().__init__()
        self.size, self.scale = size, scale
        self.min_face, self.all_faces = min_face, all_faces
        self.networks = TorchFaceNetworks()
        self.cascade = FaceCascade(self.networks)
        self._videos: dict[int, VideoFaces] = {}

    def on_predict_start(self) -> None:
        """Limit a CPU process to one thread.

        The networks' maps are so small that a second thread mostly spins: a frame of 256 px takes
        8 ms with two threads on two idle cores and 9 ms with one, but 30 to 120 ms where the
        decoding threads or other processes use the cores. Use several ranks for several cores.
        """
        self._threads = torch.get_num_threads()
        if self.device.type == "cpu":
            torch.set_num_threads(1)

    def on_predict_end(self) -> None:
        """Restore the number of threads."""
        torch.set_num_threads(self._threads)

    def predict_step(self, batch: VideoFrames, batch_idx: int) -> list[VideoCrops]:
        """Detect faces in a part of a video; return the video's crops after its last part."""
        new = VideoFaces(self.cascade, self.size, self.scale, self.min_face)
        video = self._videos.setdefault(batch["record"], new)
        video.add(dict(zip(batch["frame_numbers"], batch["frames"], strict=True)))
        if not batch["is_last"]:
            return []
        del self._videos[batch["record"]]
        tracks = find_tracks(video.detections)
        if len(tracks) > 1 and batch["mask"] is not None:
            masks = _read_masks(batch["mask"], list(video.detections))
            tracks.insert(0, tracks.pop(most_covered(tracks, masks)))
        return [_video_crops(video, batch, tracks if self.all_faces else tracks[:1])]


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
