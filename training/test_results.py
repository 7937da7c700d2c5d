import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from errors import InputError
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.score_metrics import choose_threshold, evaluate_scores
from records.results import read_results, write_results
from records.scores import read_scores


def write_run_results(
    folder: Path,
    run: dict[str, Any],
    model: dict[str, Any],
    protocol: dict[str, Any],
    branches: Sequence[str],
) -> None:
    """Write a run's results.json from its scores.

    The thresholds maximize the balanced accuracy of the validation frames and of its videos; the
    test frames and videos are judged at them.

    Args:
        folder: The run's folder, with `scores.csv` and `scores-<branch>.csv`.
        run: The `run` block: name, method, seed, config hash, commit, checkpoint.
        model: The `model` block: the deployed detector's cost.
        protocol: The `protocol` block, see `records.protocol.create_protocol`.
        branches: Branches with scores of their own.
    """
    aggregation = protocol["aggregation"]
    passes = _test_passes(folder) + 1
    if passes > 1:
        print(
            f"{folder}: tested before; this is test pass {passes}, and results.json says so: "
            "choose nothing by it",
            file=sys.stderr,
        )
    results: dict[str, Any] = {
        "run": {**run, "test_passes": passes},
        "model": model,
        "protocol": protocol,
        "metrics": _evaluate(folder, "scores", aggregation),
    }
    if branches:
        results["branches"] = {
            branch: _evaluate(folder, f"scores-{branch}", aggregation) for branch in branches
        }
    write_results(folder / "results.json", results)


def _test_passes(folder: Path) -> int:
    """How often the run's test split has been scored before."""
    if not (folder / "results.json").is_file():
        return 0
    try:
        return int(read_results(folder)["run"]["test_passes"])
    except (InputError, KeyError):
        return 1  # cut short, or of another version: what it held was a test


def _evaluate(folder: Path, name: str, aggregation: str) -> dict[str, Any]:
    validation = read_scores(folder / f"{name}-val.csv")
    levels = {"frame": validation, "video": video_scores(validation, aggregation)}
    thresholds = {
        level: choose_threshold(table["label"], table["score"]) for level, table in levels.items()
    }
    return evaluate_scores(read_scores(folder / f"{name}.csv"), thresholds, aggregation)
