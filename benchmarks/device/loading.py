"""Crops per second of the loader alone, by number of workers."""

import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.device.faces import SIZE, small_store
from datamodules.face_forensics import FaceForensicsDataModule


def measure(
    name: str, device: torch.device, work: Path, *, quick: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure the batches of configs/data/ffpp.yaml, moved to the device."""
    store = small_store(work / "store", *((2, 4) if quick else (30, 32)))
    batch, batches = (4, 1) if quick else (64, 25)
    for workers in (0,) if quick else (2, 8, max(8, (os.cpu_count() or 1) - 1)):
        data = FaceForensicsDataModule(
            str(store),
            image_size=SIZE,
            batch_size=batch,
            num_workers=workers,
            augmentation="full",
        )
        data.setup("fit")
        loader = data.train_dataloader()
        seconds = []
        for _ in range(2):  # the first epoch starts the workers
            iterator = iter(loader)
            next(iterator)
            began = time.perf_counter()
            for views in islice(iterator, batches):
                torch.as_tensor(views["image"]).to(device, non_blocking=True)
            seconds.append(time.perf_counter() - began)
        yield f"{workers} workers", {"crops_per_second": batch * batches / seconds[-1]}
