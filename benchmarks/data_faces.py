"""Faces found per minute and how well, beside facenet-pytorch's use: part of `make bench-data`.

Videos of real people, 32 frames of each. facenet-pytorch is used as in its examples: read with
OpenCV, keep the frames wanted, give one after the other to MTCNN and take the largest face. Ours is
an extraction as `two-in-one extract` runs it, crops written to disk included. Each video is there
twice, so that half a second of starting up does not pass for a rate. They are interleaved, and the
figure is the median over rounds of the ratio in the same round.

facenet-pytorch detects at full resolution: agreement is measured against its surest face.
DeepfakeBench's path reads every frame, and detects with dlib on a frame and again on its crop; it
is measured where dlib is there (`pip install dlib-bin`), on each video once.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from jsonargparse import auto_cli
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.data_rates import clip_record, project, rates
from benchmarks.machine import machine
from datamodules.crops.store import CropStore, ExtractionSettings
from datamodules.crops.store_writer import CropStoreWriter
from datamodules.layouts.layout import Layout
from experiments.extraction import Plan
from experiments.extraction_run import run_extraction
from faces.decoding import evenly_spaced, index_frames

RESULTS = Path(__file__).parent / "results" / "data"
SIZE = 256

# By video and frame, the boxes [faces, 5] with probabilities, the one taken first.
Boxes = dict[tuple[str, int], NDArray[np.float64]]


def facenet(videos: Sequence[Path], frames: int, shrink: float = 1.0, threads: int = 1) -> Boxes:
    """facenet-pytorch, one frame after the other."""
    torch.set_num_threads(threads)
    mtcnn = MTCNN()
    found: Boxes = {}
    for video in videos:
        for number, frame in _wanted(video, frames):
            if shrink != 1.0:
                frame = cv2.resize(frame, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            image = Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            boxes, probabilities = mtcnn.detect(image)
            found[video.stem, number] = (
                np.zeros((0, 5))
                if boxes is None
                else np.column_stack((boxes / shrink, probabilities)).astype(np.float64)
            )
    return found


def deepfakebench(videos: Sequence[Path], frames: int) -> Boxes:
    """DeepfakeBench's steps but for its landmarks and their alignment, which favours it."""
    import dlib

    detector = dlib.get_frontal_face_detector()
    found: Boxes = {}
    for video in videos:
        for number, frame in _wanted(video, frames, every_frame=True):
            image = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            boxes = [
                (max(face.left(), 0), max(face.top(), 0), face.right(), face.bottom())
                for face in detector(image, 1)
            ]
            boxes.sort(key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), reverse=True)
            for x0, y0, x1, y1 in boxes[:1]:
                detector(cv2.resize(image[y0:y1, x0:x1], (SIZE, SIZE)), 1)
            found[video.stem, number] = np.array([(*box, 1.0) for box in boxes]).reshape(-1, 5)
    return found


def _wanted(
    video: Path, count: int, *, every_frame: bool = False
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Evenly spaced frames as OpenCV reads them; the others are converted too where asked for."""
    capture = cv2.VideoCapture(str(video))
    length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(evenly_spaced(length, count).tolist())
    for number in range(length):
        capture.grab()
        if every_frame or number in wanted:
            _, frame = capture.retrieve()
        if number in wanted:
            yield number, frame
    capture.release()


def ours(videos: Sequence[Path], frames: int, threads: int = 1) -> Boxes:
    """An extraction into a crop store, with the command's default of two decoding threads."""
    torch.set_num_threads(threads)
    records = [clip_record(video) for video in videos]
    found: Boxes = {
        (video.stem, number): np.zeros((0, 5))
        for video in videos
        for number in evenly_spaced(index_frames(video).length, frames).tolist()
    }
    with tempfile.TemporaryDirectory() as folder:
        store = CropStoreWriter(Path(folder), ExtractionSettings(SIZE, 1.3, frames))
        run_extraction(Plan(Layout("clips", tuple(records)), store, records), 2, accelerator="cpu")
        for row in CropStore(Path(folder)).manifest.itertuples():
            box = [[row.x0, row.y0, row.x1, row.y1, row.probability]]
            found[str(row.video), int(row.frame)] = np.array(box)
    return found


def compare(found: Boxes, reference: Boxes) -> dict[str, float]:
    """Compare the faces taken with the surest ones at full resolution."""
    overlaps, lost = [], 0
    for key, faces in reference.items():
        if len(faces) and len(found[key]):
            overlaps.append(_overlap(found[key][0], faces[faces[:, 4].argmax()]))
        lost += len(faces) > 0 and not len(found[key])
    return {
        "frames": len(reference),
        "mean_iou": float(np.mean(overlaps)),
        "least_iou": float(np.min(overlaps)),
        "wrong": sum(overlap < 0.5 for overlap in overlaps),
        "lost": lost,
    }


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    sides = np.minimum(one[2:4], other[2:4]) - np.maximum(one[:2], other[:2])
    inside = float(np.prod(np.clip(sides, 0, None)))
    areas = [float(np.prod(box[2:4] - box[:2])) for box in (one, other)]
    return inside / (sum(areas) - inside)


def bench(*, clips: Path, rounds: int = 3, frames: int = 32, only: int | None = None) -> None:
    """Measure both on the videos of a folder and write benchmarks/results/data/faces.json.

    Args:
        clips: Folder of videos, each of one person.
        rounds: How often each is timed.
        frames: Evenly spaced frames of each video.
        only: Take so many videos and write nothing, to try the benchmark out.
    """
    videos = sorted(clips.glob("*.mp4"))[:only]
    cores = len(os.sched_getaffinity(0))
    contenders: dict[str, Callable[[], Boxes]] = {
        "facenet-pytorch, a thread a core": lambda: facenet(twice, frames, threads=cores),
        "facenet-pytorch, one thread": lambda: facenet(twice, frames),
        "ours": lambda: ours(twice, frames),
    }
    if find_spec("dlib"):
        contenders["DeepfakeBench's path"] = lambda: deepfakebench(videos, frames)
    else:
        print("DeepfakeBench's path is left out: pip install dlib-bin")
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    found: dict[str, Boxes] = {}
    with tempfile.TemporaryDirectory() as folder:
        again = [Path(folder) / f"{video.stem}_again.mp4" for video in videos]
        for link, video in zip(again, videos, strict=True):
            link.symlink_to(video.resolve())
        twice = [*videos, *again]
        for _ in range(rounds):
            for name, run in contenders.items():
                began = time.perf_counter()
                found[name] = run()
                seconds[name].append(time.perf_counter() - began)
    clips_of = {video.stem for video in videos}
    surest = found["facenet-pytorch, one thread"]
    reference = {key: faces for key, faces in surest.items() if key[0] in clips_of}
    each = {
        name: [t / len({video for video, _ in found[name]}) for t in times]
        for name, times in seconds.items()
    }
    quicker = [min(pair) for pair in zip(*list(each.values())[:2], strict=True)]
    speed = {
        name: {
            "videos_per_minute": 60 / statistics.median(times),
            "ratio": statistics.median(q / t for q, t in zip(quicker, times, strict=True)),
            "seconds": seconds[name],
        }
        for name, times in each.items()
    }
    agreement = {
        "ours": compare(found["ours"], reference),
        "facenet-pytorch, the largest face": compare(reference, reference),
        "facenet-pytorch, frames of half the side": compare(
            facenet(videos, frames, shrink=0.5), reference
        ),
    }
    rows = rates(videos, frames, SIZE)
    written = {
        "command": "make bench-data",
        "rounds": rounds,
        "frames_per_video": frames,
        "machine": machine(torch.device("cpu")) | {"cores": cores},
        "speed": speed,
        "agreement": agreement,
        "rates": rows,
        "projection": project(rows),
    }
    console = Console()
    console.print(_table("faces", speed))
    console.print(_table("agreement with full resolution", agreement))
    console.print(_table("rates", {row.pop("video"): row for row in map(dict, rows)}))
    if only is None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        path = RESULTS / "faces.json"
        path.write_text(json.dumps(written, indent=2) + "\n")
        console.print(str(path))


def _table(title: str, rows: dict[str, dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    columns = [name for name in next(iter(rows.values())) if name != "seconds"]
    table.add_column("")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for name, row in rows.items():
        table.add_row(name, *(f"{row[column]:.4g}" for column in columns))
    return table


if __name__ == "__main__":
    auto_cli(bench)
