"""The ladder's table: one rung a method, figures over its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from evaluation.bootstrap import Interval, auc_resamples, percentile_interval
from evaluation.reproduction import Reproduction
from evaluation.results import Run

FEW_VIDEOS = 10

DESCRIPTIONS = {
    "teacher": "dual-branch teacher",
    "student": "student alone, cross-entropy",
    "student-frequency": "student alone, on the frequency front-end",
    "logit": "distils the fused logit only",
    "spatial": "distils the spatial branch only",
    "frequency": "distils the frequency branch only",
    "naive": "distils both, one shared projector, plain sum",
    "dedicated": "distils both, dedicated projectors, plain sum",
    "rotate-only": "distils both, dedicated projectors, rotations without scaling",
    "scale-only": "distils both, dedicated projectors, scaling without rotations",
    "pcgrad": "distils both, dedicated projectors, PCGrad",
    "imtl-g": "distils both, dedicated projectors, IMTL-G",
    "mgda": "distils both, dedicated projectors, MGDA",
    "aligned-mtl": "distils both, dedicated projectors, Aligned-MTL",
    "upgrad": "distils both, dedicated projectors, UPGrad",
    "two-in-one": "distils both, dedicated projectors, gradient homogenization",
}
"""What each rung does, in a phrase; in the ladder's order."""


@dataclass(frozen=True)
class Rung:
    """A line of the table; with several seeds every figure is the median over them."""

    method: str
    seeds: list[int] = field(default_factory=list)
    params: int | None = None
    ratio: float | None = None  # teacher's parameters over this model's
    video_auc: float | None = None
    interval: Interval | None = None
    frame_auc: float | None = None
    balanced_accuracy: float | None = None
    by_method: dict[str, float | None] = field(default_factory=dict)
    across: dict[str, float | None] = field(default_factory=dict)
    collapsed: int | None = None
    branches: list["Rung"] = field(default_factory=list)

    @property
    def description(self) -> str:
        """What the method does, in a phrase."""
        return DESCRIPTIONS.get(self.method, "")


@dataclass(frozen=True)
class Ladder:
    """The table of a reproduction."""

    rungs: list[Rung]
    forgeries: list[str]  # columns of by_method
    other_tests: list[str]  # columns of across

    @property
    def several_seeds(self) -> bool:
        """Whether figures are medians."""
        return any(len(rung.seeds) > 1 for rung in self.rungs)


def build_ladder(reproduction: Reproduction) -> Ladder:
    """Gather the runs by method, in the ladder's order; unknown methods come last."""
    runs = reproduction.runs
    names = dict.fromkeys(run.method for run in runs)
    order = [name for name in DESCRIPTIONS if name in names]
    order += [name for name in names if name not in DESCRIPTIONS]
    key = runs[0].in_domain
    forgeries = dict.fromkeys(
        name for run in runs for name in run.results["metrics"][key].get("by_method", {})
    )
    other_tests = dict.fromkeys(
        test for run in runs for test in run.results["metrics"] if test != key
    )
    teacher = next((run.params for run in runs if run.method == "teacher"), None)
    rungs = [
        _rung(
            [run for run in runs if run.method == name], list(forgeries), list(other_tests), teacher
        )
        for name in order
    ]
    return Ladder(rungs, list(forgeries), list(other_tests))


def _rung(
    runs: Sequence[Run], forgeries: list[str], other_tests: list[str], teacher: int | None
) -> Rung:
    params = runs[0].params
    resamples = np.median([auc_resamples(run.videos) for run in runs], axis=0)
    branches = dict.fromkeys(name for run in runs for name in run.results.get("branches", {}))
    return Rung(
        method=runs[0].method,
        seeds=sorted(run.seed for run in runs),
        params=params,
        ratio=teacher / params if teacher and params else None,
        interval=percentile_interval(resamples),
        collapsed=sum(run.collapsed for run in runs),
        branches=[
            Rung(
                method=branch,
                **_figures(
                    [run.results.get("branches", {}).get(branch, {}) for run in runs],
                    runs[0].in_domain,
                    forgeries,
                    other_tests,
                ),
            )
            for branch in branches
        ],
        **_figures(
            [run.results["metrics"] for run in runs], runs[0].in_domain, forgeries, other_tests
        ),
    )


def _figures(
    metrics: Sequence[dict[str, Any]], key: str, forgeries: list[str], other_tests: list[str]
) -> dict[str, Any]:
    """Medians over the seeds of every figure of a line."""

    def middle(*path: str) -> float | None:
        values = [value for value in (_dig(m, path) for m in metrics) if value is not None]
        return median(values) if values else None

    return {
        "video_auc": middle(key, "overall", "video", "auc"),
        "frame_auc": middle(key, "overall", "frame", "auc"),
        "balanced_accuracy": middle(key, "overall", "video", "balanced_accuracy"),
        "by_method": {f: middle(key, "by_method", f, "video", "auc") for f in forgeries},
        "across": {test: middle(test, "overall", "video", "auc") for test in other_tests},
    }


def _dig(block: Any, path: Sequence[str]) -> float | None:
    for key in path:
        block = block.get(key) if isinstance(block, dict) else None
    return None if block is None else float(block)


def small_counts(runs: Sequence[Run]) -> list[str]:
    """Notes on test sets in which a class has fewer than FEW_VIDEOS videos."""
    notes = []
    for key, test in runs[0].results["metrics"].items():
        sets = {"all methods": test["overall"], **test.get("by_method", {})}
        few = {
            f"{levels['video'][label]} {label} videos" + (f" ({name})" if label == "fake" else "")
            for name, levels in sets.items()
            for label in ("real", "fake")
            if levels["video"][label] < FEW_VIDEOS
        }
        if few:
            notes.append(f"{key}: only {', '.join(sorted(few))}; these figures are coarse.")
    return notes
