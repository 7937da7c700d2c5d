"""Speed and agreement of face extraction, compared with facenet-pytorch: part of `make bench-data`.

The benchmark uses videos of real people, 32 frames of each. facenet-pytorch is used as in its
examples: read with OpenCV, keep the selected frames, pass them one by one to MTCNN and take the
largest face. Ours is an extraction as `two-in-one extract` runs it, including the writing of crops.
Each video occurs twice, so that the start-up of half a second weighs less. The contenders are
interleaved, and the result is the median over rounds of the ratio within a round.

facenet-pytorch detects at full resolution: agreement is measured against its most probable face.
DeepfakeBench's path decodes every frame, and detects with dlib in a frame and again in its crop; it
is measured on each video once, if dlib is installed (`pip install dlib-bin`).
"""

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
from faces.frame_index import evenly_spaced, index_frames
from records.files import write_record

RESULTS = Path(__file__).parent / "results" / "data"
SIZE = 256

# By video and frame, the boxes [faces, 5] with probabilities, the selected face first.
Boxes = dict[tuple[str, int], NDArray[np.float64]]


def facenet(videos: Sequence[Path], frames: int, shrink: float = 1.0, threads: int = 1) -> Boxes:
    """Detect with facenet-pytorch, frame by frame."""
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
    """Run DeepfakeBench's steps without its landmarks and alignment, which makes it faster."""
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
    """Read evenly spaced frames with OpenCV; `every_frame` converts the others too."""
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
    """Extract into a crop store, with two decoding threads, the default of the command."""
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
    """Compare the selected faces with the most probable ones at full resolution."""
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
    """Measure all contenders and write benchmarks/results/data/faces.json.

    Args:
        clips: Folder of videos, each of one person.
        rounds: Number of measurements of each contender.
        frames: Number of evenly spaced frames per video.
        only: Use this many videos and write nothing, to try the benchmark.
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
        print("DeepfakeBench's path is not measured: pip install dlib-bin")
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
    fastest_peer = [min(pair) for pair in zip(*list(each.values())[:2], strict=True)]
    speed = {
        name: {
            "videos_per_minute": 60 / statistics.median(times),
            "ratio": statistics.median(q / t for q, t in zip(fastest_peer, times, strict=True)),
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
        "machine": machine(torch.device("cpu")),
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
        path = RESULTS / "faces.json"
        write_record(path, written)
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
