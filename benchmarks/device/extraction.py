"""Detection and cropping with MTCNN on the device; frames come from memory, not from videos."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.device.faces import render_faces
from benchmarks.device.timing import wait_for
from faces.cascade import FaceCascade
from faces.torch_networks import TorchFaceNetworks
from faces.video_faces import VideoFaces

# Width and height of frames; a face fills half of the shorter side.
FRAMES = {"256x256": (256, 256), "1280x720": (1280, 720)}


def measure(
    name: str, device: torch.device, work: Path, *, quick: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure videos of 32 frames, and count the frames in which the face was found."""
    videos, frames = (1, 2) if quick else (8, 32)
    rendered = render_faces(1, frames)[0]
    cascade = FaceCascade(TorchFaceNetworks().to(device))
    for size, (width, height) in FRAMES.items():
        side = min(width, height) * 3 // 4
        picture = np.full((frames, height, width, 3), 96, np.uint8)
        top, left = (height - side) // 2, (width - side) // 2
        for number, face in enumerate(rendered):
            picture[number, top : top + side, left : left + side] = cv2.resize(face, (side, side))
        seconds, found = [], 0
        for _ in range(videos + 1):
            wait_for(device)
            began = time.perf_counter()
            video = VideoFaces(cascade, 256)
            video.add(dict(enumerate(picture)))
            wait_for(device)
            seconds.append(time.perf_counter() - began)
            found = sum(bool(faces) for faces in video.detections.values())
        yield (
            size,
            {
                "frames_per_second": frames * videos / sum(seconds[1:]),
                "frames_with_a_face": found / frames,
            },
        )
