"""Scores of models on the crops of one split, clean or corrupted."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from datamodules.crops.selection import select_rows
from datamodules.crops.store import CropStore
from datamodules.sampling import evenly_spaced
from datamodules.transforms import create_transform
from errors import InputError
from evaluation.comparison.protocols import check_comparable
from evaluation.measurement.corruptions import CORRUPTIONS, Crops
from evaluation.measurement.models import Model
from evaluation.measurement.score_tables import KEYS
from evaluation.metrics.aggregation import video_scores
from records.files import read_yaml
from records.measurements import CorruptionLevels, ScoreSource
from records.scores import VIDEO_KEY, check_scores

CLEAN = "clean"
LEVELS = 5
_VIDEOS_PER_BATCH = 8


@dataclass(frozen=True)
class Condition:
    """A corruption at one of its levels, 1 to 5, or the clean crops at level 0."""

    corruption: str = CLEAN
    level: int = 0

    @property
    def name(self) -> str:
        """Corruption and level; also the name of the condition's table."""
        return f"{self.corruption}-{self.level}" if self.level else self.corruption

    def apply(self, crops: Crops, video: str) -> Crops:
        """Corrupt the crops of one video; the result depends on the video's name only."""
        if not self.level:
            return crops
        corruption = CORRUPTIONS[self.corruption]
        seed = zlib.crc32(f"{video} {self.name}".encode())
        return corruption.corrupt(crops, corruption.levels[self.level - 1], seed)


def conditions(names: Sequence[str]) -> list[Condition]:
    """Return the clean crops and every level of the named corruptions."""
    return [Condition(), *(Condition(n, level + 1) for n in names for level in range(LEVELS))]


Videos = list[tuple[str, list[int]]]
"""Videos with their names and the rows of their crops in the manifest."""


@dataclass(frozen=True)
class SplitCrops:
    """The videos of one split."""

    store: CropStore
    source: ScoreSource
    videos: Videos


class _Data(Struct):
    crops: str
    compression: str | list[str]
    methods: list[str] | None = None
    datasets: list[str] | None = None


class _Config(Struct):
    data: _Data


def select_crops(
    models: Sequence[Model], crops: Path | None, split: Literal["train", "val", "test"]
) -> SplitCrops:
    """Return the crops of a split of the data set and compression that runs were trained on.

    Args:
        models: Models to score.
        crops: Crop store; default: the one that the runs were trained on.
        split: The split.

    Raises:
        InputError: The runs are not comparable, the configuration or the store is missing or
            damaged, or the store's manifest is not the one that a run was trained on.
    """
    check_comparable([model.run for model in models], any_protocol=False)
    run = models[0].run
    expected = "a run's configuration with data settings"
    remedy = "restore the file, or train the run again"
    data = read_yaml(run.files.config, _Config, expected, remedy).data
    store = CropStore(Path(crops or data.crops))
    if crops is None:
        _check_manifest(models, store)
    protocol = run.protocol
    rows = select_rows(
        store,
        compressions=[data.compression] if isinstance(data.compression, str) else data.compression,
        test_compressions=None,
        methods=data.methods,
        datasets=data.datasets,
        test_datasets=None,
    )
    table = store.manifest.loc[rows[split]]
    table = table[
        (table["dataset"] == protocol.dataset) & (table["compression"] == protocol.compression)
    ]
    if protocol.frames_per_video and split != "train":  # in training they are redrawn
        table = table[evenly_spaced(table, protocol.frames_per_video)]
    source = ScoreSource(
        test_set=f"{protocol.dataset} {protocol.compression}/{split}",
        split=split,
        manifest_sha256=store.manifest_hash,
        crop_size=store.size,
        frames_per_video=protocol.frames_per_video,
        aggregation=protocol.aggregation,
        corruptions={
            name: CorruptionLevels(corruption.quantity, list(corruption.levels))
            for name, corruption in CORRUPTIONS.items()
        },
    )
    return SplitCrops(store, source, rows_by_video(table))


def rows_by_video(table: pd.DataFrame) -> Videos:
    """Group rows of a manifest by video, in the order of the frames."""
    return [
        ("/".join(map(str, key)), group.sort_values("frame").index.to_list())
        for key, group in table.groupby(VIDEO_KEY, sort=True, observed=True)
    ]


def _check_manifest(models: Sequence[Model], store: CropStore) -> None:
    for model in models:
        trained = model.run.provenance
        if trained and trained.data_manifest_sha256 != store.manifest_hash:
            msg = (
                f"{store.root}: not the crops that {model.run.name} was trained on (the manifest "
                "has changed): choose a crop store with --crops, which may be this one"
            )
            raise InputError(msg)


@dataclass(frozen=True)
class CorruptedVideos(Dataset[tuple[list[int], Crops]]):
    """Videos under one condition: the rows of each in the manifest, and its crops."""

    split: SplitCrops
    condition: Condition

    def __len__(self) -> int:
        return len(self.split.videos)

    def __getitem__(self, index: int) -> tuple[list[int], Crops]:
        name, rows = self.split.videos[index]
        crops = np.stack([self.split.store.crop(row) for row in rows])
        return rows, self.condition.apply(crops, name)


def score_videos(
    models: Sequence[Model],
    videos: CorruptedVideos,
    device: str,
    num_workers: int,
    advance: Callable[[int], None],
) -> dict[str, pd.DataFrame]:
    """Score videos with every model; all models see the same corrupted crops.

    Args:
        models: Models, on the device.
        videos: Videos under one condition.
        device: "cpu" or "cuda".
        num_workers: Number of processes that corrupt crops.
        advance: Called with the number of videos after each batch.

    Returns:
        By run, one row per video: its key, label and score.

    Raises:
        InputError: A score is not finite; the message names run, condition and video.
    """
    loader: DataLoader[Any] = DataLoader(
        videos, batch_size=_VIDEOS_PER_BATCH, num_workers=num_workers, collate_fn=list
    )
    sizes = {model.detector.image_size for model in models}
    rows: list[int] = []
    scores: dict[str, list[float]] = {model.run.name: [] for model in models}
    for batch in loader:
        rows += [row for of_video, _ in batch for row in of_video]
        crops = [crop for _, of_video in batch for crop in of_video]
        images = {size: to_tensor(crops, size).to(device) for size in sizes}
        with torch.inference_mode():
            for model in models:
                probabilities = model.detector(images[model.detector.image_size])
                scores[model.run.name] += probabilities.float().cpu().tolist()
        advance(len(batch))
    frames = videos.split.store.manifest.loc[rows, [*KEYS, "frame"]].reset_index(drop=True)
    tables = {}
    for model in models:
        scored = frames.assign(score=scores[model.run.name])
        check_scores(scored, f"{model.run.name} under {videos.condition.name}")
        tables[model.run.name] = video_scores(scored, model.run.protocol.aggregation)
    return tables


def to_tensor(crops: Sequence[NDArray[np.uint8]], size: int) -> torch.Tensor:
    """Resize crops `[S, S, 3]` to images `[n, 3, size, size]`, as a network receives them."""
    resize = create_transform("none", size)
    resized = np.stack([resize(image=crop)["image"] for crop in crops])
    return torch.from_numpy(resized).permute(0, 3, 1, 2)
