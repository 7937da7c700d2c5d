"""One video through the runtime or through torch, in a process of its own: part of `bench-check`.

    python benchmarks/check_paths.py runtime PACKAGE VIDEO
    python -m benchmarks.check_paths torch PACKAGE VIDEO CHECKPOINT

Both sample the same frames, detect the same faces and score the same crops. The first runs where
only the runtime's packages are installed, on the package's own files.
"""

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any


def memory() -> float:
    """Memory of this process and of those that it started, in MB, shared pages counted once."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    total = 0
    for process in ("self", *children):
        with suppress(OSError):  # it has ended
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += int(rollup.split("\nPss:")[1].split()[0])
    return round(total / 1024, 1)


def runtime(package: Path, video: Path) -> dict[str, Any]:
    sys.path.insert(0, str(package))
    began = time.perf_counter()
    from checking.sampling import Sampling
    from faces.media import open_media
    from inference.detector import Detector

    imported = time.perf_counter()
    detector = Detector.open(package)
    opened = time.perf_counter()
    used: list[float] = []
    with open_media(video) as media:
        chosen = Sampling().choose(media.index.seconds)
        found = detector.video_scores(media, chosen, lambda _: used.append(memory()))
    return {
        "peak_mb": max(used),
        "import_seconds": imported - began,
        "warm_seconds": time.perf_counter() - opened,
        "frames": len(found.numbers),
        "faces": sum(len(person.faces) for person in found.people),
    }


def torch_path(package: Path, video: Path, checkpoint: Path) -> dict[str, Any]:
    import cv2
    import numpy as np
    import torch

    from checking.sampling import Sampling
    from faces.cascade import FaceCascade
    from faces.decoding import decode_frames
    from faces.frame_index import index_frames
    from faces.torch_networks import TorchFaceNetworks
    from faces.tracks import find_tracks
    from faces.video_faces import VideoFaces
    from inference.card import read_card
    from lightning_modules.checkpoints import load_detector

    card, network = read_card(package), load_detector(checkpoint).network
    cascade = FaceCascade(TorchFaceNetworks())
    opened = time.perf_counter()
    index = index_frames(video)
    frames = list(Sampling().choose(index.seconds))
    rule, side = card.crops, card.network.image_size
    faces = VideoFaces(cascade, rule.size, rule.scale, rule.min_face, all_faces=True)
    part: dict[int, Any] = {}
    used: list[float] = []
    with torch.inference_mode():
        for number, frame in decode_frames(video, index, frames):
            part[number] = frame
            if len(part) == 8 or number == frames[-1]:
                faces.add(part)
                crops = [faces.crops[face] for n in part for face in faces.detections[n]]
                sized = [cv2.resize(crop, (side, side)) for crop in crops]
                if sized:
                    images = torch.from_numpy(np.stack(sized)).permute(0, 3, 1, 2)
                    network(images.float() / 255).sigmoid()
                used.append(memory())
                part = {}
    found = find_tracks(faces.detections)
    return {
        "peak_mb": max(used),
        "warm_seconds": time.perf_counter() - opened,
        "frames": len(faces.detections),
        "faces": sum(len(track.faces) for track in found),
    }


if __name__ == "__main__":
    name, *paths = sys.argv[1:]
    figures = {"runtime": runtime, "torch": torch_path}[name](*map(Path, paths))
    print(json.dumps(figures))
