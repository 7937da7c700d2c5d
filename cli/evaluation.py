from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.metrics import choose_threshold, evaluate_scores, video_scores
from evaluation.results import read_scores, write_results


def write_run_results(
    folder: Path, run: dict[str, Any], model: dict[str, Any], branches: Sequence[str]
) -> None:
    """Write a run's results.json from its scores.

    The threshold maximizes the balanced accuracy of the validation videos; the test videos are
    judged at it.

    Args:
        folder: The run's folder, with `scores.csv` and `scores-<branch>.csv`.
        run: The `run` block: name, method, seed, config hash, commit, checkpoint.
        model: The `model` block: the deployed detector's cost.
        branches: Branches with scores of their own.
    """
    selected_on, metrics = _evaluate(folder, "scores")
    results: dict[str, Any] = {
        "run": {**run, "selected_on": selected_on},
        "model": model,
        "metrics": metrics,
    }
    if branches:
        results["branches"] = {
            branch: _evaluate(folder, f"scores-{branch}")[1] for branch in branches
        }
    write_results(folder / "results.json", results)


def _evaluate(folder: Path, name: str) -> tuple[str, dict[str, Any]]:
    validation = read_scores(folder / f"{name}-val.csv")
    videos = video_scores(validation)
    threshold = choose_threshold(videos["label"], videos["score"])
    test = evaluate_scores(read_scores(folder / f"{name}.csv"), threshold)
    return f"{validation['dataset'].iloc[0]}/val video_auc", test
