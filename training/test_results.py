"""From the scores of a test pass to the run's results.json."""

import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from errors import InputError
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.score_metrics import choose_threshold, evaluate_scores
from records.folder import RunFolder
from records.protocol import Protocol
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
