"""Opens a large store and loads from it; prints its figures as JSON. Run by data_crops."""

import itertools
import json
import sys
import time
from pathlib import Path

from datamodules.crop_store import CropStore


def private_mb(pid: int | str) -> float:
    """Memory of a process that it shares with no other, MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def peak_mb() -> float:
    """Most memory that this process has held; getrusage would count its parent's too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main(folder: Path, batches: int = 1500) -> None:
    began = time.perf_counter()
    rows = len(CropStore(folder))
    opened = time.perf_counter() - began
    peak = peak_mb()
    # Importing torch and Lightning is not part of opening a store, nor of the first batch.
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
