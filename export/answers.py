"""Known answers: a rendered person, scored by torch."""

import tempfile
from itertools import compress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.mini_ffpp.people import FFPP, Population
from datamodules.mini_ffpp.video import CRF, add_grain, draw_grain, encode
from datamodules.transforms import create_transform
from faces.cascade import FaceCascade
from faces.decoding import decode_frames
from faces.frame_index import evenly_spaced, index_frames
from faces.torch_networks import TorchFaceNetworks
from faces.tracks import find_tracks
from faces.video_faces import VideoFaces
from inference.aggregation import aggregate, keeps_evenly
from inference.answers import Answers
from inference.card import Crops, Frames
from lightning_modules.detector import Detector, unit_range

_CLIP = Population(seed=17, data_set=FFPP, frames=8, size=160)


def make_answers(detector: Detector, crops: Crops, frames: Frames, aggregation: str) -> Answers:
    """Render a person and compute the answers with torch, as extraction and test do.

    The faces are rendered because those of a data set may not be passed on.
    """
    clip = _CLIP.film(person=0, take=0, group=0)
    pictures = add_grain(clip.frames, draw_grain(clip, _CLIP.grain_rng(0)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        encode(pictures, path, CRF["c23"])
        index = index_frames(path)
        chosen = evenly_spaced(index.length, frames.per_video or index.length).tolist()
        decoded = dict(decode_frames(path, index, chosen))
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    cascade = FaceCascade(TorchFaceNetworks())
    video = VideoFaces(cascade, crops.size, crops.scale, crops.min_face, crops.all_faces)
    video.add(decoded)
    found = list(find_tracks(video.detections)[0].faces.values())
    kept = keeps_evenly(np.arange(len(found)), len(found), frames.scored or len(found))
    faces = list(compress(found, kept))
    cut = np.stack([video.crops[face] for face in faces])
    # Mirrored faces instead of noise, on which torch's own float32 is off by 2e-4.
    shown = np.concatenate((cut, cut[:, :, ::-1]))
    logits = _logits(detector, shown)
    probabilities = 1 / (1 + np.exp(-logits[: len(faces)]))
    return Answers(
        crops=shown,
        logits=logits,
        clip=content,
        clip_score=np.array(aggregate(aggregation, probabilities)),
        clip_boxes=np.stack([face.box for face in faces]),
    )


@torch.inference_mode()
def _logits(detector: Detector, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    resize = create_transform("none", detector.image_size)
    resized = np.stack([resize(image=crop)["image"] for crop in crops])
    images = torch.from_numpy(resized).permute(0, 3, 1, 2)
    logits = detector.network(unit_range(images))
    return np.asarray(logits.double().numpy(), dtype=np.float64)
