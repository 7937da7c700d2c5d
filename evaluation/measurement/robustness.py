"""Scores of models on corrupted crops, and what is said about them."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from datamodules.crops.store import CropStore
from datamodules.transforms import create_transform
from evaluation.comparison.run import Run
from evaluation.measurement.corruptions import CORRUPTIONS, Crops
from evaluation.measurement.models import Model
from evaluation.measurement.score_tables import KEYS, ScoreTables
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.bootstrap import auc_resamples, percentile_interval
from evaluation.metrics.score_metrics import binary_metrics
from records.scores import VIDEO_KEY, check_scores

CLEAN = "clean"
LEVELS = 5
_VIDEOS_A_BATCH = 8


@dataclass(frozen=True)
class Condition:
    """A corruption at one of its levels, 1 to 5; or the crops as they are."""

    corruption: str = CLEAN
    level: int = 0

    @property
    def name(self) -> str:
        """Name of its table."""
        return f"{self.corruption}-{self.level}" if self.level else self.corruption

    def apply(self, crops: Crops, video: str) -> Crops:
        """Corrupt the crops of one video, always in the same way."""
        if not self.level:
            return crops
        corruption = CORRUPTIONS[self.corruption]
        seed = zlib.crc32(f"{video} {self.name}".encode())
        return corruption.corrupt(crops, corruption.levels[self.level - 1], seed)


def conditions(names: Sequence[str]) -> list[Condition]:
    """The clean crops, and every level of these corruptions."""
    return [Condition(), *(Condition(n, level + 1) for n in names for level in range(LEVELS))]


class CorruptedVideos(Dataset[tuple[list[int], Crops]]):
    """Videos of a crop store under one condition: each its rows of the manifest and its crops."""

    def __init__(self, store: CropStore, rows: Sequence[int], condition: Condition) -> None:
        self.store = store
        self.condition = condition
        crops = store.manifest.loc[list(rows)]
        self.videos = [
            ("/".join(map(str, key)), group.sort_values("frame").index.to_list())
            for key, group in crops.groupby(VIDEO_KEY, sort=True)
        ]

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> tuple[list[int], Crops]:
        name, rows = self.videos[index]
        crops = np.stack([self.store.crop(row) for row in rows])
        return rows, self.condition.apply(crops, name)


def score_videos(
    models: Sequence[Model],
    videos: CorruptedVideos,
    device: str,
    workers: int,
    progress: Callable[[int], None],
) -> pd.DataFrame:
    """Score videos by every model, each crop corrupted once for all of them.

    Args:
        models: On the device.
        videos: Under one condition.
        device: cpu or cuda.
        workers: Processes that corrupt crops; with 0 it is done here.
        progress: Is told the videos of each batch.

    Returns:
        One row a video: its key, its label, and a score for each run.

    Raises:
        InputError: A score is not finite; the run, the condition and the video are named.
    """
    loader: DataLoader[Any] = DataLoader(
        videos, batch_size=_VIDEOS_A_BATCH, num_workers=workers, collate_fn=list
    )
    sizes = {model.detector.image_size for model in models}
    resize = {size: create_transform("none", size) for size in sizes}
    rows: list[int] = []
    scores: dict[str, list[float]] = {model.run.name: [] for model in models}
    for batch in loader:
        crops = [crop for _, of_video in batch for crop in of_video]
        rows += [row for of_video, _ in batch for row in of_video]
        images = {size: _tensor(crops, resize[size]).to(device) for size in sizes}
        with torch.inference_mode():
            for model in models:
                probabilities = model.detector(images[model.detector.image_size])
                scores[model.run.name] += probabilities.float().cpu().tolist()
        progress(len(batch))
    frames = videos.store.manifest.loc[rows, [*KEYS, "frame"]].reset_index(drop=True)
    columns = []
    for model in models:
        scored = frames.assign(score=scores[model.run.name])
        check_scores(scored, f"{model.run.name} under {videos.condition.name}")
        table = video_scores(scored, model.run.protocol.aggregation)
        columns.append(table.set_index(KEYS)["score"].rename(model.run.name))
    return pd.concat(columns, axis=1).reset_index()


def summarise(tables: ScoreTables, runs: Sequence[Run], names: Sequence[str]) -> dict[str, Any]:
    """AUC and its interval of every run and method, clean and under every corruption.

    A method's figure is the median over its seeds. `mean` of a corruption is over its levels.
    Intervals are of 95 %, over resamples of the identities of the videos.

    Args:
        tables: With the scores of these runs under all levels of these corruptions.
        runs: Whose columns are meant.
        names: Of the corruptions.
    """
    assessed = {
        c: _assess(tables.read(c.name), [run.name for run in runs]) for c in conditions(names)
    }
    methods: dict[str, list[Run]] = {}
    for run in runs:
        methods.setdefault(run.method, []).append(run)
    videos = tables.read(CLEAN)

    def lines(group: Sequence[Run]) -> dict[str, Any]:
        own = {c: [assessed[c][run.name] for run in group] for c in assessed}
        curves: dict[str, dict[str, Any]] = {}
        for name in names:
            levels = [own[Condition(name, level + 1)] for level in range(LEVELS)]
            means = [_mean(of_run) for of_run in zip(*levels, strict=True)]
            curves[name] = {
                "levels": [_over_seeds(level) for level in levels],
                "mean": _over_seeds(means),
            }
        return {"clean": _over_seeds(own[Condition()]), "curves": curves}

    return {
        "videos": {"real": int((videos["label"] == 0).sum()), "fake": int(videos["label"].sum())},
        "corruptions": {
            n: {"quantity": CORRUPTIONS[n].quantity, "levels": CORRUPTIONS[n].levels} for n in names
        },
        "methods": [
            {"method": method, "seeds": [run.seed for run in group], **lines(group)}
            for method, group in methods.items()
        ],
        "runs": [
            {"run": run.name, "method": run.method, "seed": run.seed, **lines([run])}
            for run in runs
        ],
    }


@dataclass(frozen=True)
class _Assessed:
    auc: float | None
    resamples: np.ndarray


def _assess(table: pd.DataFrame, runs: Sequence[str]) -> dict[str, _Assessed]:
    assessed = {}
    for run in runs:
        videos = table[KEYS].assign(score=table[run])
        auc = binary_metrics(videos["label"], videos["score"], 0.5).auc
        assessed[run] = _Assessed(auc, auc_resamples(videos))
    return assessed


def _mean(levels: Sequence[_Assessed]) -> _Assessed:
    aucs = [level.auc for level in levels if level.auc is not None]
    mean = float(np.mean(aucs)) if aucs else None
    return _Assessed(mean, np.mean([level.resamples for level in levels], axis=0))


def _over_seeds(seeds: Sequence[_Assessed]) -> dict[str, Any]:
    aucs = [seed.auc for seed in seeds if seed.auc is not None]
    interval = percentile_interval(np.median([seed.resamples for seed in seeds], axis=0))
    return {"auc": float(np.median(aucs)) if aucs else None, "interval": interval}


def _tensor(crops: Sequence[Crops], resize: Any) -> torch.Tensor:
    resized = np.stack([resize(image=crop)["image"] for crop in crops])
    return torch.from_numpy(resized).permute(0, 3, 1, 2)
