"""The ladder's table: one rung a method, figures over its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.comparison.run import Run
from evaluation.metrics.bootstrap import IdentityResamples, Interval, percentile_interval

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
    """A line of the table; with several seeds every figure is the median over them.

    Attributes:
        intervals: Over the test identities, by the name of the figure: video_auc, frame_auc,
            balanced_accuracy, macro, a forgery method or another test set.
    """

    method: str
    seeds: list[int] = field(default_factory=list)
    params: int | None = None
    ratio: float | None = None  # teacher's parameters over this model's
    video_auc: float | None = None
    frame_auc: float | None = None
    balanced_accuracy: float | None = None
    by_method: dict[str, float | None] = field(default_factory=dict)
    macro: float | None = None
    across: dict[str, float | None] = field(default_factory=dict)
    intervals: dict[str, Interval | None] = field(default_factory=dict)
    collapsed: int | None = None
    branches: list["Rung"] = field(default_factory=list)

    @property
    def interval(self) -> Interval | None:
        """Of the video AUC."""
        return self.intervals.get("video_auc")

    @property
    def description(self) -> str:
        """What the method does, in a phrase."""
        return DESCRIPTIONS.get(self.method, "")


@dataclass(frozen=True)
class Ladder:
    """The table of a reproduction."""

    test: str  # key of the test set of all figures but those of across
    rungs: list[Rung]
    forgeries: list[str]  # columns of by_method
    other_tests: list[str]  # columns of across

    @property
    def several_seeds(self) -> bool:
        """Whether figures are medians."""
        return any(len(rung.seeds) > 1 for rung in self.rungs)


def in_order(methods: Sequence[str]) -> list[str]:
    """Methods in the ladder's order; unknown ones come last."""
    rank = {method: i for i, method in enumerate(DESCRIPTIONS)}
    return sorted(methods, key=lambda method: (rank.get(method, len(rank)), method))


def ladder_order(runs: Sequence[Run]) -> list[Run]:
    """Runs in the ladder's order, those of a method by seed."""
    order = in_order(list({run.method for run in runs}))
    return sorted(runs, key=lambda run: (order.index(run.method), run.seed))


def build_ladder(runs: Sequence[Run], test: str | None = None) -> Ladder:
    """Gather the runs by method, in the ladder's order; unknown methods come last.

    Args:
        runs: Of one protocol, see `evaluation.comparison.reproduction.check_comparable`.
        test: Key of the test set to begin with; the runs' own where not given.
    """
    order = in_order(list({run.method for run in runs}))
    key = test or runs[0].in_domain
    forgeries = dict.fromkeys(name for run in runs for name in run.metrics()[key]["by_method"])
    other_tests = dict.fromkeys(other for run in runs for other in run.metrics() if other != key)
    teacher = next((run.params for run in runs if run.method == "teacher"), None)
    columns = _Columns(key, list(forgeries), list(other_tests))
    rungs = [_rung([run for run in runs if run.method == name], columns, teacher) for name in order]
    return Ladder(key, rungs, columns.forgeries, columns.other_tests)


@dataclass(frozen=True)
class _Columns:
    """What the table has figures of."""

    key: str
    forgeries: list[str]
    other_tests: list[str]


def _rung(runs: Sequence[Run], columns: _Columns, teacher: int | None) -> Rung:
    params = runs[0].params
    branches = dict.fromkeys(name for run in runs for name in run.results.get("branches", {}))
    return Rung(
        method=runs[0].method,
        seeds=sorted(run.seed for run in runs),
        params=params,
        ratio=teacher / params if teacher and params else None,
        collapsed=sum(run.collapsed for run in runs),
        branches=[Rung(method=name, **_figures(runs, columns, name)) for name in branches],
        **_figures(runs, columns, None),
    )


def _figures(runs: Sequence[Run], columns: _Columns, branch: str | None) -> dict[str, Any]:
    """Medians over the seeds of every figure of a line, and their intervals."""
    metrics = [run.metrics(branch) for run in runs]

    def middle(*path: str) -> float | None:
        values = [value for value in (_dig(m, path) for m in metrics) if value is not None]
        return median(values) if values else None

    key = columns.key
    overall = _resamples(runs, key, "video", branch)
    parts = {name: _resamples(runs, key, "video", branch, name) for name in columns.forgeries}
    resamples = {
        "video_auc": _median(overall, "auc"),
        "balanced_accuracy": _median(overall, "balanced_accuracy"),
        "frame_auc": _median(_resamples(runs, key, "frame", branch), "auc"),
        "macro": _macro(list(parts.values())),
        **{name: _median(part, "auc") for name, part in parts.items()},
        **{
            test: _median(_resamples(runs, test, "video", branch), "auc")
            for test in columns.other_tests
        },
    }
    return {
        "video_auc": middle(key, "overall", "video", "auc"),
        "frame_auc": middle(key, "overall", "frame", "auc"),
        "balanced_accuracy": middle(key, "overall", "video", "balanced_accuracy"),
        "by_method": {
            name: middle(key, "by_method", name, "video", "auc") for name in columns.forgeries
        },
        "macro": middle(key, "macro", "video", "auc"),
        "across": {test: middle(test, "overall", "video", "auc") for test in columns.other_tests},
        "intervals": {name: percentile_interval(values) for name, values in resamples.items()},
    }


def _resamples(
    runs: Sequence[Run], test: str, level: str, branch: str | None, method: str | None = None
) -> list[dict[str, NDArray[np.float64]]]:
    """Every figure of each run that was tested so, over the resamples of the test identities."""
    drawn = []
    for run in runs:
        if test not in run.metrics(branch):
            continue
        threshold = run.metrics(branch)[test]["overall"][level]["threshold"]
        table = run.scored(test, level, branch)
        identities = IdentityResamples(table["video"])
        if method is not None:
            table = table[(table["label"] == 0) | (table["method"] == method)]
        drawn.append(identities.figures(table, threshold))
    return drawn


def _median(drawn: list[dict[str, NDArray[np.float64]]], name: str) -> NDArray[np.float64]:
    """Medians of a figure over the seeds; empty where no run was tested so."""
    return np.median([d[name] for d in drawn], axis=0) if drawn else np.empty(0)


def _macro(parts: list[list[dict[str, NDArray[np.float64]]]]) -> NDArray[np.float64]:
    """Medians over the seeds of the mean AUC over the forgery methods; of one there is none."""
    if len(parts) < 2:
        return np.empty(0)
    means = [np.mean([d["auc"] for d in of_run], axis=0) for of_run in zip(*parts, strict=True)]
    return np.asarray(np.median(means, axis=0))


def _dig(block: Any, path: Sequence[str]) -> float | None:
    for key in path:
        block = block.get(key) if isinstance(block, dict) else None
    return None if block is None else float(block)


def small_counts(runs: Sequence[Run]) -> list[str]:
    """Notes on test sets in which a class has fewer than FEW_VIDEOS videos, or none."""
    notes = []
    tests = {key: test for run in reversed(runs) for key, test in run.metrics().items()}
    for key, test in tests.items():
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
