import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from callbacks.provenance import git_state
from datamodules.face_forensics import FaceForensicsDataModule
from errors import InputError
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.score_metrics import choose_threshold, evaluate_scores
from evaluation.report.slice_tables import slice_tables
from lightning_modules.detector import Detector
from records.files import write_record
from records.folder import RunFolder
from records.protocol import CONFIDENCE, Protocol
from records.results import (
    VERSION,
    ModelInfo,
    RunInfo,
    RunResults,
    TestMetrics,
    read_run_results,
)
from records.scores import read_scores
from training.run_config import config_hash


def record_test(
    folder: RunFolder,
    config: Mapping[str, Any],
    checkpoint: Path,
    model: Detector,
    data: FaceForensicsDataModule,
) -> None:
    """Write results.json of a run from the scores of a test pass.

    The thresholds maximize the balanced accuracy of the validation frames and videos, and are
    applied to the test frames and videos. `folder` holds the tables of scores.
    """
    passes = _test_passes(folder) + 1
    if passes > 1:
        print(
            f"{folder.path}: tested before; this is test pass {passes}, and results.json records "
            "it: choose nothing by it",
            file=sys.stderr,
        )
    method, seed = config["run"]["method"], config["seed_everything"]
    aggregation = config["run"]["aggregation"]
    results = RunResults(
        version=VERSION,
        run=RunInfo(
            name=f"{method}-seed{seed}",
            method=method,
            seed=seed,
            test_passes=passes,
            teacher_seed=config["run"]["teacher_seed"],
            manifest_hash=data.store.manifest_hash,
            config_hash=config_hash(config),
            git_commit=git_state()["git_commit"],
            checkpoint=checkpoint.name,
        ),
        model=ModelInfo(**model.cost()),
        protocol=_protocol(data, aggregation, checkpoint),
        metrics=_evaluate(folder, None, aggregation, data.slices),
        branches={
            name: _evaluate(folder, name, aggregation, data.slices) for name in model.heads[1:]
        },
    )
    write_record(folder.results, results)
    console = Console(markup=False, highlight=False)
    for table in slice_tables(results.metrics):
        console.print(table)


def _protocol(data: FaceForensicsDataModule, aggregation: str, checkpoint: Path) -> Protocol:
    data.setup("test")  # ranks that were forked have set up copies of it
    validated = data.store.manifest.iloc[data.rows["val"]]
    dataset = "+".join(map(str, validated["dataset"].unique()))
    compression = "+".join(data.compressions)
    settings = data.store.settings
    selected = checkpoint.name == "best.ckpt" and checkpoint.parent.name == "checkpoints"
    return Protocol(
        dataset=dataset,
        compression=compression,
        methods=data.forgeries,
        frames_per_video=_frames_per_video(settings.frames_per_video, data.frames_per_video),
        crop_scale=settings.scale,
        crop_size=settings.size,
        aggregation=aggregation,
        selected_on=f"{dataset}/val video_auc" if selected else f"given: {checkpoint.name}",
        threshold=f"highest balanced accuracy on {dataset} {compression}/val, for each level",
        intervals=f"{CONFIDENCE:.0%} over the test identities, logit scale",
    )


def _frames_per_video(extracted: int, chosen: int | None) -> int:
    """Return how many frames of a video are scored at most; 0 for all that were extracted."""
    return min(chosen or extracted, extracted or chosen or 0)


def _test_passes(files: RunFolder) -> int:
    """Return how often the run's test split has been scored before."""
    if not files.results.is_file():
        return 0
    try:
        return read_run_results(files.path).run.test_passes
    except InputError:
        return 1  # damaged, or of another version: it was written by a test


def _evaluate(
    files: RunFolder, branch: str | None, aggregation: str, slices: Sequence[str]
) -> dict[str, TestMetrics]:
    validation = read_scores(files.scores(branch, "val"))
    levels = {"frame": validation, "video": video_scores(validation, aggregation)}
    thresholds = {
        level: choose_threshold(table["label"], table["score"]) for level, table in levels.items()
    }
    scores = read_scores(files.scores(branch), slices)
    return evaluate_scores(scores, thresholds, aggregation, slices)
