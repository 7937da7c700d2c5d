"""Crop stores of small noise images, written without videos or a detector."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamodules.crops.store import ExtractionSettings
from datamodules.crops.store_writer import CropStoreWriter, VideoCrops
from datamodules.layouts.record import VideoRecord

SIZE, FRAMES = 32, 2
PEOPLE = {
    "train": ("000", "001", "002", "003"),
    "val": ("004", "005"),
    "test": ("006", "007"),
}


@pytest.fixture(scope="session")
def noise_crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of noise; copy it before changing it."""
    return write_store(tmp_path_factory.mktemp("noise") / "crops")


def write_store(folder: Path) -> Path:
    """Write a store of FaceForensics++ with two methods, and of Celeb-DF's train and test split."""
    writer = CropStoreWriter(folder, ExtractionSettings(SIZE, 1.3, FRAMES))
    writer.create()
    generator = np.random.default_rng(0)
    for record in _records(folder):
        crops = generator.integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
        boxes = np.zeros((FRAMES, 4))
        frames = range(FRAMES)
        writer.write(record, VideoCrops(frames, frames, boxes, boxes[:, 0], crops, [0, 0], {}))
    writer.finish(0.0)
    return folder


def change_manifest(store: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Rewrite the manifest with another library's defaults."""
    path = store / "manifest.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)


def _records(folder: Path) -> Iterator[VideoRecord]:
    for split, people in PEOPLE.items():
        for person, other in zip(people, reversed(people), strict=True):
            shown = {"target": person, "path": folder / "none.mp4", "split": split}
            ffpp = {"dataset": "FaceForensics++", "compression": "c23", **shown}
            yield VideoRecord(**ffpp, method="original", video=person, label=0)
            for method in ("Deepfakes", "FaceSwap"):
                yield VideoRecord(
                    **ffpp, method=method, video=f"{person}_{other}", label=1, source=other
                )
    for split in ("train", "test"):  # of the same people, as in Celeb-DF's official list
        shown = {"target": "id0", "path": folder / "none.mp4", "split": split}
        celeb = {"dataset": "Celeb-DF-v2", "compression": "release", **shown}
        yield VideoRecord(**celeb, method="Celeb-real", video=f"id0_{split}", label=0)
        yield VideoRecord(
            **celeb, method="Celeb-synthesis", video=f"id0_id1_{split}", label=1, source="id1"
        )
