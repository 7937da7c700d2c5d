"""What the record of an experiment shows beside its claims: for docs/findings.md.

python -m benchmarks.experiment benchmarks/results/experiment/rendered
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jsonargparse import auto_cli
from numpy.typing import NDArray

from evaluation.comparison.differences import mean_over_runs, pair_runs, paired_difference
from evaluation.comparison.estimate import Estimate, estimate
from evaluation.comparison.ladder import by_method
from evaluation.comparison.run import TEACHER, Run, find_runs, read_run
from records.scores import VIDEO_KEY

FUSED = "fused"
BASELINES = ("student", "spatial", "dedicated")
"""Each other rung is compared with these."""


def experiment(record: Path, alone: Sequence[Path] = ()) -> None:
    """Write RECORD.json: spreads, differences, the teacher's margin, and what students take over.

    Args:
        record: Folder with the files of finished blocks.
        alone: Folders of tested runs of one front-end alone, one per teacher, with its seed.
    """
    runs = find_runs(record)
    rungs = by_method(runs)
    single = sorted(map(read_run, alone), key=lambda run: run.seed)
    test = runs[0].in_domain
    forgeries = list(runs[0].metrics()[test].by_method)
    result = {
        "test": test,
        "rungs": {
            name: {other: spread(group, other) for other in group[0].metrics()}
            for name, group in rungs.items()
        },
        "differences": {
            other: {
                f"{name} - {baseline}": difference(runs, name, baseline, other)
                for baseline in BASELINES
                for name in rungs
                if name not in (TEACHER, baseline)
            }
            for other in runs[0].metrics()
        },
        "teacher": {
            name or "all": margin(rungs[TEACHER], single, test, name) for name in (None, *forgeries)
        },
        "video_auc_by_forgery": {
            name: {f: round(float(aucs(group, test, f).mean()), 4) for f in forgeries}
            for name, group in rungs.items()
        },
        "video_auc_of_runs": {
            name: {f or "all": aucs(group, test, f).round(4).tolist() for f in (None, *forgeries)}
            for name, group in rungs.items()
        },
        "rank_correlation": agreement(rungs, test),
    }
    out = record.with_suffix(".json")
    out.write_text(json.dumps(result, indent=2) + "\n")
    print(out.read_text() + str(out))


def spread(runs: Sequence[Run], test: str) -> dict[str, Any]:
    """Return the mean video AUC of one rung with its interval, and its spread between runs."""
    values = pd.Series(aucs(runs, test))
    mean = mean_over_runs(runs, "auc", test)
    assert mean.interval, f"{runs[0].method}: no AUC on {test}"
    figures = {
        "mean": values.mean(),
        "deviation": values.std(),
        "lowest": values.min(),
        "median": values.median(),
        "highest": values.max(),
    }
    rounded = {name: round(value, 4) for name, value in figures.items()}
    interval = [round(bound, 4) for bound in mean.interval]
    return {"runs": len(values), **rounded, "interval": interval}


def difference(runs: Sequence[Run], name: str, baseline: str, test: str) -> dict[str, Any]:
    """Compare two rungs: paired by teacher and seed, over runs and test identities."""
    pairs = pair_runs(runs, name, baseline)
    found = paired_difference(pairs, test)
    assert found, f"{name} and {baseline}: no pair with an AUC on {test}"
    values = pd.Series(found.values).groupby([one.teacher_seed for one, _ in pairs])
    within = values.var().mean()  # between the students of one teacher
    return {**described(found.estimate), "pairs": len(pairs), "deviation": round(within**0.5, 4)}


def margin(
    teachers: Sequence[Run], alone: Sequence[Run], test: str, forgery: str | None
) -> dict[str, Any]:
    """Compare the fused teacher with its branches and a network of one front-end alone.

    Each difference is paired by teacher, and its interval is over teachers and test identities.
    """
    heads: dict[str, tuple[Sequence[Run], str | None]] = {FUSED: (teachers, None)}
    heads |= {branch: (teachers, branch) for branch in teachers[0].results.branches}
    heads |= {run.method: (alone, None) for run in alone}
    values = {head: aucs(runs, test, forgery, branch) for head, (runs, branch) in heads.items()}
    spreads = {
        head: [run.spread(test, "video", forgery, branch) for run in runs]
        for head, (runs, branch) in heads.items()
    }
    units = spreads[FUSED][0].units

    def minus(one: str, other: str) -> dict[str, Any]:
        pairs = zip(spreads[one], spreads[other], strict=True)
        parts = np.array([a.parts["auc"] - b.parts["auc"] for a, b in pairs])
        found = estimate(
            values[one] - values[other],
            [run.teacher_seed for run in teachers],
            units.covariance(parts),
            units.df,
        )
        return described(found)

    return {
        "video_auc": {head: of.round(4).tolist() for head, of in values.items()},
        **{f"{FUSED} - {head}": minus(FUSED, head) for head in heads if head != FUSED},
        "spatial - frequency": minus("spatial", "frequency"),
    }


def agreement(rungs: Mapping[str, Sequence[Run]], test: str) -> dict[str, dict[str, float]]:
    """Return how a student's scores rank videos of one class like those of its teacher's branches.

    Spearman's correlation within the real and within the fake videos, mean over both and over the
    runs: what two models share beyond telling real from fake.
    """
    found: dict[str, dict[str, float]] = {}
    teachers = {run.teacher_seed: run for run in rungs[TEACHER]}
    for name, runs in rungs.items():
        rows = []
        for run in runs:
            teacher = teachers[run.teacher_seed]
            scores = {
                branch or FUSED: teacher.scored(test, branch=branch).set_index(VIDEO_KEY)["score"]
                for branch in (None, *teacher.results.branches)
            }
            own = run.scored(test).set_index(VIDEO_KEY)
            table = pd.DataFrame({**scores, "own": own["score"], "label": own["label"]})
            for _, videos in table.groupby("label"):
                rows.append(videos[[*scores, "own"]].corr("spearman").loc["own", [*scores]])
        mean = pd.DataFrame(rows).mean()
        found[name] = {head: round(float(mean[head]), 3) for head in mean.index}
    return found


def aucs(
    runs: Sequence[Run], test: str, forgery: str | None = None, branch: str | None = None
) -> NDArray[np.float64]:
    """Return the video AUC of each run."""
    found = [run.figure("auc", test, method=forgery, branch=branch) for run in runs]
    return np.array(found, dtype=np.float64)


def described(found: Estimate) -> dict[str, Any]:
    """Return the mean of an estimate and its 95 % interval."""
    return {"mean": round(float(found.mean), 4), "interval": found.interval().round(4).tolist()}


if __name__ == "__main__":
    auto_cli(experiment)
