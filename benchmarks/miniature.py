"""What the teacher's second branch adds on the miniature: the fused network against its branches.

    python -m benchmarks.miniature '[runs/teacher-seed0, runs/teacher-seed1]' \
        --alone '{rgb: [runs/rgb-seed0, runs/rgb-seed1]}'

Only validation scores are read: the miniature is chosen by the teacher, before any student is
trained, and never on the test split.
"""

import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jsonargparse import auto_cli

from benchmarks.machine import machine
from evaluation.comparison.estimate import estimate
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.auc import auc_contributions
from evaluation.metrics.spread import of_method
from records.folder import RunFolder
from records.identities import IdentityUnits, shown_people
from records.scores import VIDEO_KEY, read_scores

RESULTS = Path(__file__).parent / "results" / "miniature" / "validation.json"
FUSED = "fused"
BRANCHES = ("spatial", "frequency")
Heads = dict[str, pd.DataFrame]


def bench(
    teachers: list[Path], alone: Mapping[str, list[Path]] | None = None, out: Path = RESULTS
) -> None:
    """Write the AUC of each head, by forgery method, and the margin of the fused one.

    Args:
        teachers: Folders of tested runs of the miniature's teacher, with different seeds.
        alone: Folders of tested runs of one branch alone, by a name: one for each teacher, with
            its seed, e.g. with a longer schedule.
        out: The JSON file.
    """
    alone = alone or {}
    tables = [
        {
            FUSED: read_videos(teacher, None),
            **{branch: read_videos(teacher, branch) for branch in BRANCHES},
            **{name: read_videos(run, None) for name, run in zip(alone, single, strict=True)},
        }
        for teacher, *single in zip(teachers, *alone.values(), strict=True)
    ]
    methods = sorted(set(tables[0][FUSED]["method"].astype(str)) - {"original"})
    result = {
        "teachers": [run.name for run in teachers],
        "machine": machine(torch.device("cpu")),
        "validation_videos": len(tables[0][FUSED]),
        "units": len(IdentityUnits(shown_people(tables[0][FUSED])).units),
        "gain_of_the_last_fifth": {
            run.name: last_fifth(run) for run in [*teachers, *chain(*alone.values())]
        },
        "all": compare(tables, None),
        "by_method": {method: compare(tables, method) for method in methods},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=2) + "\n")
    print(out.read_text() + str(out))


def read_videos(run: Path, branch: str | None) -> pd.DataFrame:
    """Return the validation videos of one head with their scores, sorted."""
    videos = video_scores(read_scores(RunFolder(run).scores(branch, "val")), "mean")
    return videos.sort_values(VIDEO_KEY, ignore_index=True)


def compare(tables: list[Heads], method: str | None) -> dict[str, Any]:
    """Compare the heads' AUCs: means over the teachers, intervals over teachers and people."""
    parts = []
    for heads in tables:
        shown = [of_method(table, method) for table in heads.values()]
        labels = shown[0]["label"].to_numpy(np.int64)
        units = IdentityUnits(shown_people(shown[0]))
        aucs, each = auc_contributions(labels, np.stack([t["score"] for t in shown]))
        parts.append((aucs, units.sums(each, shown_people(shown[0]))))
    values = np.stack([aucs for aucs, _ in parts], axis=1)  # [heads, teachers]
    groups = np.stack([sums for _, sums in parts], axis=1)
    best = 1 + int(values[1:].mean(axis=1).argmax())
    found = estimate(
        values[0] - values[best],
        range(len(tables)),
        units.covariance(groups[0] - groups[best]),
        units.df,
    )
    return {
        "video_auc": dict(zip(tables[0], values.mean(axis=1).round(4).tolist(), strict=True)),
        "by_teacher": dict(zip(tables[0], values.round(4).tolist(), strict=True)),
        "best_branch": list(tables[0])[best],
        "fused_minus_best_branch": round(float(found.mean), 4),
        "interval": found.interval().round(4).tolist(),
    }


def last_fifth(run: Path) -> dict[str, float]:
    """Return how much each head's validation AUC rose in the last fifth of the epochs."""
    curves = pd.read_csv(RunFolder(run).metrics).set_index("epoch")
    curves = curves.filter(regex=r"^val/(\w+/)?video_auc$").dropna()
    before = curves[curves.index <= 0.8 * curves.index.max()].iloc[-1]
    gains: dict[str, float] = (curves.iloc[-1] - before).round(4).to_dict()
    return gains


if __name__ == "__main__":
    auto_cli(bench)
