"""From the scores of a test pass to the run's results.json."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from callbacks.provenance import git_state
from datamodules.face_forensics import FaceForensicsDataModule
from errors import InputError
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.score_metrics import choose_threshold, evaluate_scores
from lightning_modules.detector import Detector
from records.folder import RunFolder
from records.protocol import Protocol, create_protocol
from records.results import (
    VERSION,
    ModelInfo,
    RunInfo,
    RunResults,
    TestMetrics,
    read_run_results,
    write_results,
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
    """Write results.json of a run whose scores have just been written.

    Args:
        folder: The run's folder.
        config: The run's configuration, as it is saved.
        checkpoint: The checkpoint that was tested.
        model: The tested model.
        data: The data that it was tested on.
    """
    method, seed = config["run"]["method"], config["seed_everything"]
    run = RunInfo(
        name=f"{method}-seed{seed}",
        method=method,
        seed=seed,
        test_passes=0,
        config_hash=config_hash(config),
        git_commit=git_state()["git_commit"],
        checkpoint=checkpoint.name,
    )
    selected = checkpoint.name == folder.best.name and checkpoint.parent.name == "checkpoints"
    protocol = _protocol(
        data, config["run"]["aggregation"], given=None if selected else checkpoint.name
    )
    cost = ModelInfo(**model.cost())
    write_run_results(folder.path, run, cost, protocol, model.heads[1:])


def _protocol(data: FaceForensicsDataModule, aggregation: str, given: str | None) -> Protocol:
    data.setup("test")  # ranks that were forked have set up copies of it
    validated = data.store.manifest.iloc[data.rows["val"]]
    dataset = "+".join(map(str, validated["dataset"].unique()))
    settings = data.store.settings
    return create_protocol(
        dataset=dataset,
        compression="+".join(data.compressions),
        methods=data.forgeries,
        frames_per_video=settings.frames_per_video,
        crop_scale=settings.scale,
        crop_size=settings.size,
        aggregation=aggregation,
        selected_on=f"given: {given}" if given else f"{dataset}/val video_auc",
    )


def write_run_results(
    folder: Path, run: RunInfo, model: ModelInfo, protocol: Protocol, branches: Sequence[str]
) -> None:
    """Write a run's results.json from its scores.

    The thresholds maximize the balanced accuracy of the validation frames and videos, and are
    applied to the test frames and videos.

    Args:
        folder: The run's folder, with its tables of scores.
        run: Description of the run; its `test_passes` are counted here.
        model: Cost of the deployed detector.
        protocol: How the run was trained, selected and tested.
        branches: Branches of a teacher with scores of their own.
    """
    files = RunFolder(folder)
    passes = _test_passes(files) + 1
    if passes > 1:
        print(
            f"{folder}: tested before; this is test pass {passes}, and results.json records it: "
            "choose nothing by it",
            file=sys.stderr,
        )
    results = RunResults(
        version=VERSION,
        run=replace(run, test_passes=passes),
        model=model,
        protocol=protocol,
        metrics=_evaluate(files, None, protocol.aggregation),
        branches={name: _evaluate(files, name, protocol.aggregation) for name in branches},
    )
    write_results(files.results, results)


def _test_passes(files: RunFolder) -> int:
    """Return how often the run's test split has been scored before."""
    if not files.results.is_file():
        return 0
    try:
        return read_run_results(files.path).run.test_passes
    except InputError:
        return 1  # damaged, or of another version: it was written by a test


def _evaluate(files: RunFolder, branch: str | None, aggregation: str) -> dict[str, TestMetrics]:
    validation = read_scores(files.scores(branch, "val"))
    levels = {"frame": validation, "video": video_scores(validation, aggregation)}
    thresholds = {
        level: choose_threshold(table["label"], table["score"]) for level, table in levels.items()
    }
    return evaluate_scores(read_scores(files.scores(branch)), thresholds, aggregation)
