"""Condense a finished reproduction into tables that are small enough to commit.

python -m benchmarks.condense runs/reproduce-ffpp/latest benchmarks/results/reproduce-mini
"""

from pathlib import Path
from typing import Any

import pandas as pd
from jsonargparse import auto_cli
from msgspec.structs import asdict

from evaluation.comparison.reproduction import Reproduction, read_reproduction
from evaluation.comparison.run import Run
from records.files import replacing, write_record
from records.measurements import Robustness, read_measurements
from records.results import FIGURES
from records.scores import VIDEO_KEY


def condense(reproduction: Path, out: Path) -> None:
    """Write claims.json, runs.csv, and scores.csv.gz and robustness.csv if they can be made.

    `runs.csv` has one row per run, branch, test set, scope and level, with every figure and the
    bounds of its interval. `scores.csv.gz` has one row per test video and one column per run, from
    which the intervals can be computed again. `robustness.csv` has one row per method or run,
    corruption and level; `mean` is the mean over the levels, `median` that over the seeds.

    Args:
        reproduction: Folder of the reproduction.
        out: Folder for the tables.
    """
    read = read_reproduction(reproduction)
    out.mkdir(parents=True, exist_ok=True)
    write_record(out / "claims.json", claims(read))
    write_table(runs_table(read.runs), out / "runs.csv", digits=5)
    if all(run.files.scores().is_file() for run in read.runs):
        write_table(scores_table(read.runs), out / "scores.csv.gz", digits=9)
    if robustness := read_measurements(reproduction).robustness:
        write_table(robustness_table(robustness), out / "robustness.csv", digits=5)


def claims(reproduction: Reproduction) -> dict[str, Any]:
    """Return the verdicts with their differences, the data, and what identifies each run."""
    return {
        "protocol": reproduction.runs[0].protocol,
        "data": reproduction.data,
        "claims": reproduction.claims,
        "runs": {run.name: asdict(run.results.run) for run in reproduction.runs},
    }


def runs_table(runs: list[Run]) -> pd.DataFrame:
    """Return every figure of every run with its interval."""
    rows = []
    for run in runs:
        for branch in (None, *run.results.branches):
            for test, metrics in run.metrics(branch).items():
                scopes = {"overall": metrics.overall, **metrics.by_method, "macro": metrics.macro}
                for scope, levels in scopes.items():
                    for level in ("frame", "video") if levels else ():
                        key = {"run": run.name, "branch": branch or "", "test": test}
                        rows.append({**key, "scope": scope, "level": level} | cells(levels, level))
    return pd.DataFrame(rows)


def cells(levels: Any, level: str) -> dict[str, Any]:
    figures = getattr(levels, level)
    row = {name: getattr(figures, name, None) for name in ("threshold", "real", "fake")}
    for name in FIGURES:
        low, high = getattr(figures.intervals, name) or (None, None)
        row |= {name: getattr(figures, name), f"{name}_low": low, f"{name}_high": high}
    return row


def scores_table(runs: list[Run]) -> pd.DataFrame:
    """Return the video scores of all runs on all of their test sets."""
    columns = []
    for run in runs:
        videos = pd.concat([run.scored(test) for test in run.metrics()])
        columns.append(videos.set_index([*VIDEO_KEY, "label"])["score"].rename(run.name))
    return pd.concat(columns, axis=1).reset_index()


def robustness_table(robustness: Robustness) -> pd.DataFrame:
    """Return the video AUC of every method and run under every corruption, with its interval."""
    rows = []
    lines = [(line, "median") for line in robustness.methods]
    lines += [(line, str(line.seeds[0])) for line in robustness.runs.values()]
    for line, seed in lines:
        measured = {("clean", ""): line.clean}
        for name, curve in line.curves.items():
            levels = map("{:g}".format, robustness.corruptions[name].levels)
            measured |= {(name, lvl): at for lvl, at in zip(levels, curve.levels, strict=True)}
            measured[name, "mean"] = curve.mean
        for (corruption, level), at in measured.items():
            low, high = at.interval or (None, None)
            key = {"method": line.method, "seed": seed, "corruption": corruption, "level": level}
            rows.append({**key, "auc": at.auc, "low": low, "high": high})
    return pd.DataFrame(rows)


def write_table(table: pd.DataFrame, path: Path, digits: int) -> None:
    """Write a table with so many significant digits; a .gz is compressed, without a time stamp."""
    compression: Any = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
    whole = [name for name in ("real", "fake") if name in table]
    with replacing(path) as partial:
        table.astype(dict.fromkeys(whole, "Int64")).to_csv(
            partial, index=False, float_format=f"%.{digits}g", compression=compression
        )


if __name__ == "__main__":
    auto_cli(condense, as_positional=True)
