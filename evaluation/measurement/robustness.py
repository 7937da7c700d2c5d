"""Robustness of methods: video AUC with its interval on clean and on corrupted crops."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from evaluation.comparison.estimate import estimate
from evaluation.comparison.run import Run
from evaluation.measurement.corrupted_scores import (
    CLEAN,
    LEVELS,
    Condition,
    CorruptedVideos,
    SplitCrops,
    conditions,
    score_videos,
)
from evaluation.measurement.models import Model
from evaluation.measurement.score_tables import ScoreTables
from evaluation.metrics.score_metrics import binary_metrics
from evaluation.metrics.spread import Spread, interval, mean_spread, spread_of
from records.files import sha256
from records.identities import IdentityUnits, shown_people
from records.measurements import SCORES, Curve, Level, MethodRobustness, Robustness


def measure_robustness(
    models: Sequence[Model],
    crops: SplitCrops,
    corruptions: Sequence[str],
    folder: Path,
    *,
    device: str,
    num_workers: int,
    console: Console,
) -> Robustness:
    """Score models on clean and corrupted crops, and summarize the scores.

    Args:
        models: Models of comparable runs.
        crops: Result of `select_crops`.
        corruptions: Names of `CORRUPTIONS`.
        folder: Folder of the report. Scores in it are reused if the crops and the checkpoint are
            the same.
        device: "cpu" or "cuda".
        num_workers: Number of processes that corrupt crops.
        console: Where to show the progress.

    Raises:
        InputError: A stored table is damaged, or a score is not finite.
    """
    checkpoints = {model.run.name: sha256(model.checkpoint) for model in models}
    tables = ScoreTables(folder / SCORES / crops.source.split, crops.source, checkpoints)
    for model in models:
        model.detector.to(device)
    required = conditions(corruptions)
    todo = [(c, missing) for c in required if (missing := tables.missing(c.name))]
    if reused := len(required) - len(todo):
        console.print(f"reused: the scores of {reused} conditions")
    with Progress(console=console) as progress:
        task = progress.add_task("scoring", total=len(todo) * len(crops.videos))
        for condition, missing in todo:
            progress.update(task, description=condition.name)
            scores = score_videos(
                [model for model in models if model.run.name in missing],
                CorruptedVideos(crops, condition),
                device,
                num_workers,
                partial(progress.advance, task),
            )
            for run, table in scores.items():
                tables.write(run, condition.name, table)
    return _summarize(tables, [model.run for model in models], corruptions)


def _summarize(tables: ScoreTables, runs: Sequence[Run], names: Sequence[str]) -> Robustness:
    """Average AUCs over the runs of each method, and over the levels of each named corruption."""
    assessed = {
        (run.name, condition): _assess(tables.read(run.name, condition.name))
        for condition in conditions(names)
        for run in runs
    }
    labels = tables.read(runs[0].name, CLEAN)["label"]

    def summary(method: str, group: Sequence[Run]) -> MethodRobustness:
        curves = {}
        for name in names:
            by_run = [
                [assessed[run.name, Condition(name, level + 1)] for level in range(LEVELS)]
                for run in group
            ]
            levels = [_over_runs(level, group) for level in zip(*by_run, strict=True)]
            mean = _over_runs([_mean(of_run) for of_run in by_run], group)
            curves[name] = Curve(levels, mean)
        clean = _over_runs([assessed[run.name, Condition()] for run in group], group)
        return MethodRobustness(method, [run.seed for run in group], clean, curves)

    source = msgspec.structs.asdict(tables.source)
    return Robustness(
        **source | {"corruptions": {name: source["corruptions"][name] for name in names}},
        checkpoints=tables.checkpoints,
        videos={"real": int((labels == 0).sum()), "fake": int(labels.sum())},
        methods=[
            summary(method, [run for run in runs if run.method == method])
            for method in dict.fromkeys(run.method for run in runs)
        ],
        runs={run.name: summary(run.method, [run]) for run in runs},
    )


@dataclass(frozen=True)
class _Assessed:
    """AUC of one run under one condition, and its variation over the test identities."""

    auc: float | None
    spread: Spread


def _assess(videos: pd.DataFrame) -> _Assessed:
    auc = binary_metrics(videos["label"], videos["score"], 0.5).auc
    return _Assessed(auc, spread_of(videos, 0.5, IdentityUnits(shown_people(videos)), ["auc"]))


def _mean(levels: Sequence[_Assessed]) -> _Assessed:
    aucs = [level.auc for level in levels if level.auc is not None]
    mean = float(np.mean(aucs)) if aucs else None
    return _Assessed(mean, mean_spread([level.spread for level in levels]))


def _over_runs(assessed: Sequence[_Assessed], runs: Sequence[Run]) -> Level:
    aucs = [one.auc for one in assessed if one.auc is not None]
    if len(aucs) < len(assessed):
        return Level(None, None)
    units = assessed[0].spread.units
    covariance = units.covariance(np.array([one.spread.parts["auc"] for one in assessed]))
    teachers = [run.teacher_seed for run in runs]
    mean = estimate(aucs, teachers, covariance, units.df)
    return Level(float(mean.mean), interval(mean))
