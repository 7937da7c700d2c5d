"""Formats of a crop store, and crops a second into training: part of `make bench-data`.

Crops are centre squares of frames of real clips. The peer is DeepfakeBench's path as its README
and its published configuration describe it: a PNG a crop, read by OpenCV, augmented by
albumentations, normalized to float32 in the worker. It is measured with the machine's BLAS threads
and with one. Ours is the FaceForensicsDataModule on a crop store. All use 2 workers and batches of
32; the figure is the median over interleaved rounds.
"""

import gc
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812
import av
import cv2
import numpy as np
import pandas as pd
import torch
from jsonargparse import auto_cli
from numcodecs import Blosc
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader, Dataset

from benchmarks.machine import machine
from datamodules.crop_store_writer import CropStoreWriter, ExtractionSettings, VideoCrops
from datamodules.face_forensics import FaceForensicsDataModule
from datamodules.layouts.record import VideoRecord
from datamodules.manifest import make_manifest, manifest_bytes
from datamodules.transforms import PIPELINES

RESULTS = Path(__file__).parent / "results" / "data"
SIZE, WORKERS, BATCH = 256, 2, 32
# Crops of all of FF++ c23 (1000 originals, 4 methods) and of Celeb-DF v2, by frames a video.
FULL = {
    "FaceForensics++ c23, 32 frames a video": 5000 * 32,
    "FaceForensics++ c23, 270 frames a video": 5000 * 270,
    "Celeb-DF v2, 32 frames a video": 6529 * 32,
}


def real_crops(clips: Path, every: int) -> np.ndarray:
    """Centre squares `[n, 256, 256, 3]` of every so-manyth frame."""
    crops = []
    for path in sorted(clips.glob("*.mp4")):
        with av.open(path) as container:
            for frame in itertools.islice(container.decode(video=0), 0, 10 * every, every):
                image = frame.to_ndarray(format="rgb24")
                side = min(image.shape[:2]) * 3 // 4
                top, left = ((length - side) // 2 for length in image.shape[:2])
                square = image[top : top + side, left : left + side]
                crops.append(cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
    return np.stack(crops)


def formats(crops: np.ndarray, rounds: int) -> dict[str, Any]:
    """Bytes, milliseconds to write and to read a crop, of one thread, from memory."""
    blosc = {name: Blosc(name, level, Blosc.SHUFFLE) for name, level in (("lz4", 5), ("zstd", 3))}

    def image(suffix: str, *flags: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
        return (
            lambda x: cv2.imencode(suffix, x[..., ::-1], flags)[1].tobytes(),
            lambda b: cv2.imdecode(np.frombuffer(b, np.uint8), cv2.IMREAD_COLOR_RGB),
        )

    codecs = {
        "raw": (lambda x: x.tobytes(), lambda b: np.array(np.frombuffer(b, np.uint8))),
        "PNG": image(".png"),
        "JPEG q95": image(".jpg", cv2.IMWRITE_JPEG_QUALITY, 95),
        "WebP lossless": image(".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        **{f"Blosc {name}": (codec.encode, codec.decode) for name, codec in blosc.items()},
    }
    rows = {}
    for name, (write, read) in codecs.items():
        began = time.perf_counter()
        written = [write(np.ascontiguousarray(crop)) for crop in crops]
        to_write = (time.perf_counter() - began) / len(crops)
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            for content in written:
                read(content)
            times.append((time.perf_counter() - began) / len(crops))
        back = np.frombuffer(np.ascontiguousarray(read(written[0])), np.uint8)
        rows[name] = {
            "bytes": round(sum(map(len, written)) / len(crops)),
            "write_ms": round(1000 * to_write, 3),
            "read_ms": round(1000 * statistics.median(times), 3),
            "lossless": bool((back == crops[0].ravel()).all()),
        }
    return rows


def steps(crops: np.ndarray, rounds: int) -> dict[str, float]:
    """Milliseconds of each augmentation where it is applied; albumentations' FancyPCA is last."""
    pipeline = PIPELINES["full"]()
    members = [one for step in pipeline for one in getattr(step, "transforms", [step])]
    figures = {}
    with threadpool_limits(1):
        for member in [*members, A.FancyPCA()]:
            member.p = 1.0
            apply = A.Compose([member])
            times = []
            for _ in range(rounds):
                began = time.perf_counter()
                for crop in crops[:30]:
                    apply(image=crop)
                times.append((time.perf_counter() - began) / len(crops[:30]))
            figures[type(member).__name__] = round(1000 * statistics.median(times), 3)
    return figures


class PngCrops(Dataset):
    """DeepfakeBench's path: a file a crop, float32 made in the worker."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        colour = [
            A.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1),
            A.FancyPCA(),
            A.HueSaturationValue(),
        ]
        self.augment = A.Compose(
            [
                A.HorizontalFlip(p=0.5),
                A.GaussianBlur(blur_limit=(3, 7), p=0.5),
                A.OneOf(colour, p=0.5),
                A.ImageCompression(quality_range=(40, 100), p=0.5),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = cv2.cvtColor(cv2.imread(str(self.files[index])), cv2.COLOR_BGR2RGB)
        image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        image = self.augment(image=image)["image"]
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255
        return (tensor - 0.5) / 0.5, index % 2


def one_blas_thread(_worker: int) -> None:
    threadpool_limits(1, user_api="blas")


def write_store(crops: np.ndarray, folder: Path, copies: int) -> Path:
    """A store of real and fake videos, 8 crops each."""
    writer = CropStoreWriter(folder, ExtractionSettings(SIZE, 1.3, 8))
    writer.create()
    groups = np.array_split(crops, max(1, len(crops) // 8))
    for copy, (number, group) in itertools.product(range(copies), enumerate(groups)):
        for label, method in enumerate(("original", "Deepfakes")):
            split = ("train", "train", "val", "test")[number % 4] if copy == 0 else "train"
            video = f"{copy:03d}{number:03d}"
            record = VideoRecord(
                "FaceForensics++", method, video, label, split, "c23", folder / "none", video
            )
            frames = list(range(len(group)))
            boxes = np.zeros((len(group), 4))
            writer.write(
                record, VideoCrops(frames, frames, boxes, boxes[:, 0], group, [0] * len(group), {})
            )
    writer.finish(0.0)
    return folder


def rate(loader: DataLoader, batches: int) -> float:
    """Crops a second after the first batch."""
    iterator = iter(loader)
    next(iterator)
    began = time.perf_counter()
    count = 0
    for _ in itertools.islice(iterator, batches):
        count += BATCH
    seconds = time.perf_counter() - began
    del iterator
    gc.collect()
    return count / seconds


def loaders(crops: np.ndarray, folder: Path, rounds: int, batches: int) -> dict[str, Any]:
    (folder / "png").mkdir()
    files = []
    for number, crop in enumerate(crops):
        files.append(folder / "png" / f"{number:05d}.png")
        cv2.imwrite(str(files[-1]), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    wanted = (batches + 2) * BATCH
    files = (files * (wanted // len(files) + 1))[:wanted]
    store = write_store(crops, folder / "store", copies=wanted // len(crops) + 2)
    data = FaceForensicsDataModule(
        str(store), image_size=SIZE, batch_size=BATCH, num_workers=WORKERS, augmentation="full"
    )
    data.setup("fit")
    png = {"batch_size": BATCH, "num_workers": WORKERS}
    ways = {
        "DeepfakeBench's path": lambda: DataLoader(PngCrops(files), **png),
        "the same, one BLAS thread": lambda: DataLoader(
            PngCrops(files), worker_init_fn=one_blas_thread, **png
        ),
        "ours": data.train_dataloader,
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, make in ways.items():
            rates[name].append(rate(make(), batches))
    peer, ours = rates["the same, one BLAS thread"], rates["ours"]
    ratios = [mine / theirs for mine, theirs in zip(ours, peer, strict=True)]
    medians = {name: round(statistics.median(values), 1) for name, values in rates.items()}
    return {
        "crops_per_second": medians,
        "ratio": round(statistics.median(ratios), 2),
        "rounds": rates,
    }


def scale(crops: int, folder: Path) -> dict[str, Any]:
    """Open a manifest of this many crops and take batches of it, in a process of its own."""
    videos, frames = crops // 32, 32
    methods = ("original", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
    groups = [
        {
            "dataset": "FaceForensics++",
            "method": methods[number % 5],
            "video": f"{number // 5:06d}" + ("" if number % 5 == 0 else f"_{number:06d}"),
            "split": ("val", "test")[number // 5 % 2] if number % 50 < 10 else "train",
            "compression": "c23",
            "target": f"{number // 5:06d}",
            "source": "",
            "file": "crops/one.npy",
            "label": int(number % 5 > 0),
        }
        for number in range(videos)
    ]
    one = np.zeros((frames, 64, 64, 3), np.uint8)
    (folder / "crops").mkdir(parents=True)
    from datamodules.crop_store import crop_checksum

    generator = np.random.default_rng(0)
    count = videos * frames
    numbers = {name: generator.random(count) for name in ("x0", "y0", "x1", "y1", "probability")}
    numbers["row"] = numbers["frame"] = np.tile(np.arange(frames), videos)
    numbers["track"] = np.zeros(count)
    numbers["checksum"] = np.full(count, crop_checksum(one[0]), np.uint64)
    table = make_manifest(groups, [frames] * videos, numbers)
    # Each video has a file's name of its own; they link to one.
    names = [f"crops/{number:06d}.npy" for number in range(videos)]
    table["file"] = pd.Categorical.from_codes(np.repeat(np.arange(videos), frames), names)
    for number, name in enumerate(names):
        if number % 50_000 == 0:  # a file system allows some 65,000 links to a file
            np.save(folder / name, one)
        else:
            (folder / name).hardlink_to(folder / names[number - number % 50_000])
    (folder / "manifest.parquet").write_bytes(manifest_bytes(table))
    (folder / "store.json").write_text(json.dumps({"version": 2, "size": 64}))
    command = [sys.executable, "-m", "benchmarks.data_crops_scale", str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(
    clips: Path,
    out: Path = RESULTS / "crops.json",
    rounds: int = 5,
    batches: int = 60,
    crops: int = 5_000_000,
) -> None:
    """Measure formats, augmentations, loaders and a manifest of millions.

    Args:
        clips: Folder of videos of faces.
        out: Where the figures go.
        rounds: Interleaved rounds.
        batches: Batches of 32 in each.
        crops: Rows of the large manifest.
    """
    cv2.setNumThreads(1)
    images = real_crops(clips, every=20)
    with tempfile.TemporaryDirectory() as scratch:
        result = {
            "command": f"python -m benchmarks.data_crops --clips=CLIPS --rounds={rounds}",
            "machine": machine(torch.device("cpu")) | {"cores": os.cpu_count()},
            "crops": len(images),
            "formats": formats(images, rounds),
            "augmentation_ms": steps(images, rounds),
            "loaders": loaders(images, Path(scratch), rounds, batches),
            "scale": scale(crops, Path(scratch) / "large"),
        }
    raw, png = (result["formats"][name]["bytes"] for name in ("raw", "PNG"))
    result["bytes_over_png"] = round(raw / png, 2)
    result["disk_GB"] = {name: round(count * raw / 1e9) for name, count in FULL.items()}
    speed = result["loaders"]["crops_per_second"]["ours"]
    # Two workers are two cores here; each GPU is given 8.
    result["epoch_minutes_8_workers_a_gpu"] = {
        name: {str(gpus): round(count / (4 * speed * gpus) / 60, 1) for gpus in (1, 8)}
        for name, count in FULL.items()
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    show(result)
    print(f"written to {out}")


def show(result: dict[str, Any]) -> None:
    console = Console()
    table = Table("format", "bytes", "write ms", "read ms", "lossless")
    for name, row in result["formats"].items():
        table.add_row(name, *map(str, row.values()))
    console.print(table)
    for name in ("augmentation_ms", "scale", "bytes_over_png"):
        console.print(name, result[name])
    console.print(result["loaders"]["crops_per_second"], "ratio", result["loaders"]["ratio"])


if __name__ == "__main__":
    auto_cli(main, as_positional=False)
