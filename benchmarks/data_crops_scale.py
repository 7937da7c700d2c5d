"""Writes a store of millions of crops, opens it and loads from it, in a separate process."""

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datamodules.crops.manifest import make_manifest, manifest_bytes
from datamodules.crops.store import CODEC, CropStore, ExtractionSettings, crop_checksum
from records.files import write_record


def private_mb(pid: int | str) -> float:
    """Return the memory that a process shares with no other, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def peak_mb() -> float:
    """Return the peak memory of this process in MB; getrusage would include its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def scale(crops: int, folder: Path) -> dict[str, Any]:
    """Measure a store of this many 64 px crops, written to `folder`."""
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
            "file": "crops/one.blosc",
            "label": int(number % 5 > 0),
        }
        for number in range(videos)
    ]
    one = CODEC.encode(np.zeros((64, 64, 3), np.uint8))
    (folder / "crops").mkdir(parents=True)
    generator = np.random.default_rng(0)
    count = videos * frames
    numbers = {name: generator.random(count) for name in ("x0", "y0", "x1", "y1", "probability")}
    numbers["frame"] = np.tile(np.arange(frames), videos)
    numbers["offset"], numbers["bytes"] = numbers["frame"] * len(one), np.full(count, len(one))
    numbers["track"] = np.zeros(count)
    numbers["checksum"] = np.full(count, crop_checksum(one), np.uint64)
    table = make_manifest(groups, [frames] * videos, numbers)
    # Each video has its own file name; all are links to one file.
    names = [f"crops/{number:06d}.blosc" for number in range(videos)]
    table["file"] = pd.Categorical.from_codes(np.repeat(np.arange(videos), frames), names)
    for number, name in enumerate(names):
        if number % 50_000 == 0:  # a file system allows about 65,000 links to one file
            (folder / name).write_bytes(one * frames)
        else:
            (folder / name).hardlink_to(folder / names[number - number % 50_000])
    (folder / "manifest.parquet").write_bytes(manifest_bytes(table))
    write_record(folder / "store.json", ExtractionSettings(64, 1.3, frames))
    command = [sys.executable, "-m", "benchmarks.data_crops_scale", str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(folder: Path, batches: int = 1500) -> None:
    began = time.perf_counter()
    rows = len(CropStore(folder))
    opened = time.perf_counter() - began
    peak = peak_mb()
    # The time to import torch and Lightning belongs neither to opening nor to the first batch.
    from datamodules.face_forensics import FaceForensicsDataModule

    began = time.perf_counter()
    data = FaceForensicsDataModule(
        str(folder), image_size=64, batch_size=64, num_workers=2, augmentation="none"
    )
    data.setup("fit")
    iterator = iter(data.train_dataloader())
    next(iterator)
    first = time.perf_counter() - began
    memory = []
    for number, _ in enumerate(itertools.islice(iterator, batches)):
        if number % (batches // 5) == batches // 10:
            workers = [worker.pid for worker in iterator._workers]
            memory.append(round(sum(private_mb(pid) for pid in (*workers, "self"))))
    print(
        json.dumps(
            {
                "crops": rows,
                "open_seconds": round(opened, 2),
                "open_peak_MB": round(peak),
                "first_batch_seconds": round(first, 2),
                "private_MB_over_the_epoch": memory,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
