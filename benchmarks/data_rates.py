"""CPU time of decoding and detection, extrapolated to whole data sets."""

import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from datamodules.layouts.record import VideoRecord
from datamodules.videos import VideoFramesDataModule
from faces.decoding import decode_frames
from faces.frame_index import evenly_spaced, index_frames
from lightning_modules.face_extractor import FaceExtractor

# Videos, mean frames and pixels per video. FaceForensics++: originals and four methods; the 509,128
# frames of the paper's table over 1000 originals, assumed to be 720p. Celeb-DF v2: 13 s at 30
# frames per second, assumed to be 942 x 500.
DATA_SETS = {
    "FaceForensics++ c23": (5000, 509, 1280 * 720),
    "Celeb-DF v2": (6529, 390, 942 * 500),
}


def clip_record(video: Path) -> VideoRecord:
    return VideoRecord("clips", "original", video.stem, 0, "test", "raw", video)


def rates(videos: Sequence[Path], frames: int, size: int) -> list[dict[str, Any]]:
    """Measure the CPU seconds, over all cores, of decoding and detection per video."""
    torch.set_num_threads(1)
    extractor = FaceExtractor(size).eval()
    rows = []
    for video in videos:
        began = time.process_time()
        index = index_frames(video)
        wanted = evenly_spaced(index.length, frames)
        pictures = [frame for _, frame in decode_frames(video, index, wanted)]
        decoded = time.process_time()
        height, width = pictures[0].shape[:2]
        for (part,) in VideoFramesDataModule([clip_record(video)], frames).predict_dataloader():
            began_part = time.process_time()
            extractor.extract(part)
            seconds = time.process_time() - began_part
        rows.append(
            {
                "video": video.stem,
                "width": width,
                "height": height,
                "source_frames": index.length,
                "decoding_seconds": decoded - began,
                "frames": len(pictures),
                "detection_seconds": seconds,
            }
        )
    return rows


def project(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Estimate the CPU core hours of whole data sets.

    Decoding time is assumed proportional to pixels, detection time that of the video of the
    nearest size.
    """
    decoding = statistics.median(
        row["decoding_seconds"] / (row["source_frames"] * row["width"] * row["height"])
        for row in rows
    )
    projected = []
    for (name, (videos, length, pixels)), frames in itertools.product(DATA_SETS.items(), (32, 270)):
        alike = min(rows, key=lambda row: abs(row["width"] * row["height"] - pixels))
        detection = alike["detection_seconds"] / alike["frames"]
        row = {
            "data_set": name,
            "frames": frames,
            "decoding_core_hours": videos * length * pixels * decoding / 3600,
            "detection_core_hours": videos * frames * detection / 3600,
        }
        projected.append(row)
    return projected
