"""Formats of a crop store, and training crops per second: part of `make bench-data`.

Crops are faces of real clips, as `two-in-one extract` cuts them. The peer is DeepfakeBench's
published path: one PNG per crop, read by OpenCV, converted to a PIL image, augmented by
albumentations, then converted to a float32 tensor and normalized by torchvision in the worker. It
is measured with the machine's BLAS threads and with one. Ours is the FaceForensicsDataModule on a
crop store. All use 2 workers and batches of 32; the result is the median over interleaved rounds.
"""

import gc
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812
import cv2
import numpy as np
import torch
from jsonargparse import auto_cli
from PIL import Image
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose, Normalize, ToTensor

from benchmarks.data_crops_scale import scale
from benchmarks.data_faces import clip_record
from benchmarks.data_formats import STORED, formats, steps
from benchmarks.machine import machine
from datamodules.crops.store import CropStore, ExtractionSettings
from datamodules.crops.store_writer import CropStoreWriter, VideoCrops
from datamodules.face_forensics import FaceForensicsDataModule
from datamodules.layouts.layout import Layout
from datamodules.layouts.record import VideoRecord
from experiments.extraction import Plan
from experiments.extraction_run import run_extraction
from records.files import write_record

RESULTS = Path(__file__).parent / "results" / "data"
SIZE, WORKERS, BATCH = 256, 2, 32
# Crops of all of FF++ c23 (1000 originals, 4 methods) and of Celeb-DF v2, by frames per video.
FULL = {
    "FaceForensics++ c23, 32 frames per video": 5000 * 32,
    "FaceForensics++ c23, 270 frames per video": 5000 * 270,
    "Celeb-DF v2, 32 frames per video": 6529 * 32,
}


def face_crops(clips: Path, folder: Path) -> np.ndarray:
    """Return faces `[n, 256, 256, 3]` of ten frames per clip."""
    records = [clip_record(path) for path in sorted(clips.glob("*.mp4"))]
    store = CropStoreWriter(folder, ExtractionSettings(SIZE, 1.3, frames_per_video=10))
    run_extraction(Plan(Layout("clips", tuple(records)), store, records), 0, accelerator="cpu")
    crops = CropStore(folder)
    return np.stack([crops.crop(index) for index in range(len(crops))])


class PngCrops(Dataset):
    """DeepfakeBench's path: one file per crop, converted to float32 in the worker."""

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
                A.Rotate(limit=(-10, 10), p=0.0),
                A.GaussianBlur(blur_limit=(3, 7), p=0.5),
                # Isotropic resizing in one of three ways; these crops have the size already.
                A.OneOf([A.NoOp()] * 3, p=1),
                A.OneOf(colour, p=0.5),
                A.ImageCompression(quality_range=(40, 100), p=0.5),
            ]
        )
        self.normalize = Compose([ToTensor(), Normalize([0.5] * 3, [0.5] * 3)])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = cv2.cvtColor(cv2.imread(str(self.files[index])), cv2.COLOR_BGR2RGB)
        image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        picture = np.array(Image.fromarray(image))
        return self.normalize(self.augment(image=picture)["image"]), index % 2


def one_blas_thread(_worker: int) -> None:
    threadpool_limits(1, user_api="blas")


def write_store(crops: np.ndarray, folder: Path, copies: int) -> Path:
    """Write a store of real and fake videos with 8 crops each."""
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
    """Return crops per second after the first batch."""
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
        out: JSON file to write.
        rounds: Number of interleaved rounds.
        batches: Batches of 32 per round.
        crops: Rows of the large manifest.
    """
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        images = face_crops(clips, Path(scratch) / "faces")
        result = {
            "command": f"python -m benchmarks.data_crops --clips=CLIPS --rounds={rounds}",
            "machine": machine(torch.device("cpu")),
            "crops": len(images),
            "formats": formats(images, rounds),
            "augmentation_ms": steps(images, rounds),
            "loaders": loaders(images, Path(scratch), rounds, batches),
            "scale": scale(crops, Path(scratch) / "large"),
        }
    ours, png = (result["formats"][name]["bytes"] for name in (STORED, "PNG"))
    result["bytes_over_png"] = round(ours / png, 2)
    result["disk_GB"] = {name: round(count * ours / 1e9) for name, count in FULL.items()}
    speed = result["loaders"]["crops_per_second"]["ours"]
    # These rates are of two workers; each GPU is assumed to have eight.
    result["epoch_minutes_8_workers_a_gpu"] = {
        name: {str(gpus): round(count / (4 * speed * gpus) / 60, 1) for gpus in (1, 8)}
        for name, count in FULL.items()
    }
    write_record(out, result)
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
