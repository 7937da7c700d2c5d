"""The ladder's table: one rung per method, with figures over its seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.comparison.run import TEACHER, Run
from evaluation.metrics.bootstrap import percentile_interval
from records.results import Interval, TestMetrics

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
"""A description of each rung, in the ladder's order."""


@dataclass(frozen=True)
class Rung:
    """A row of the table; with several seeds every figure is the median over them.

    Attributes:
        ratio: Parameters of the teacher, divided by those of this model.
        across: Video AUC on the other test sets.
        intervals: Intervals over the test identities, by the name of the figure: video_auc,
            frame_auc, balanced_accuracy, macro, a forgery method or another test set.
    """

    method: str
    seeds: list[int] = field(default_factory=list)
    params: int | None = None
    ratio: float | None = None
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
        """Interval of the video AUC."""
        return self.intervals.get("video_auc")

    @property
    def description(self) -> str:
        """What the method distils, in a phrase."""
        return DESCRIPTIONS.get(self.method, "")


@dataclass(frozen=True)
class Ladder:
    """The table of a set of runs.

    Attributes:
        test: Key of the test set of all figures except those of `across`.
        forgeries: Keys of `by_method`.
        other_tests: Keys of `across`.
    """

    test: str
    rungs: list[Rung]
    forgeries: list[str]
    other_tests: list[str]

    @property
    def several_seeds(self) -> bool:
        """Whether figures are medians over several seeds."""
        return any(len(rung.seeds) > 1 for rung in self.rungs)


def ladder_order(runs: Sequence[Run]) -> list[Run]:
    """Sort runs in the ladder's order, then by seed; unknown methods come last."""
    rank = {method: i for i, method in enumerate(DESCRIPTIONS)}
    return sorted(runs, key=lambda run: (rank.get(run.method, len(rank)), run.method, run.seed))


def by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Group runs by method, in the ladder's order."""
    groups: dict[str, list[Run]] = {}
    for run in ladder_order(runs):
        groups.setdefault(run.method, []).append(run)
    return groups


def build_ladder(runs: Sequence[Run], test: str | None = None) -> Ladder:
    """Build the table of a set of runs, in the ladder's order.

    Args:
        runs: Comparable runs, see `evaluation.comparison.protocols.check_comparable`.
        test: Key of the main test set; default: the in-domain one.
    """
    key = test or runs[0].in_domain
    forgeries = dict.fromkeys(name for run in runs for name in run.metrics()[key].by_method)
    others = dict.fromkeys(other for run in runs for other in run.metrics() if other != key)
    teacher = next((run.params for run in runs if run.method == TEACHER), None)
    ladder = Ladder(key, [], list(forgeries), list(others))
    for method, group in by_method(runs).items():
        params = group[0].params
        branches = dict.fromkeys(name for run in group for name in run.results.branches)
        rung = Rung(
            method=method,
            seeds=[run.seed for run in group],
            params=params,
            ratio=teacher / params if teacher and params else None,
            collapsed=sum(run.collapsed for run in group),
            branches=[Rung(method=name, **_figures(group, ladder, name)) for name in branches],
            **_figures(group, ladder, None),
        )
        ladder.rungs.append(rung)
    return ladder


def _figures(runs: Sequence[Run], ladder: Ladder, branch: str | None) -> dict[str, Any]:
    """Compute the medians over the seeds of every figure of a rung, and their intervals."""

    def tested(test: str) -> list[Run]:
        return [run for run in runs if test in run.metrics(branch)]

    def middle(test: str, figure: Callable[[TestMetrics], float | None]) -> float | None:
        values = [figure(run.metrics(branch)[test]) for run in tested(test)]
        defined = [value for value in values if value is not None]
        return median(defined) if defined else None

    def of_method(name: str) -> Callable[[TestMetrics], float | None]:
        return lambda m: m.by_method[name].video.auc if name in m.by_method else None

    def drawn(
        test: str, figure: str = "auc", level: str = "video", method: str | None = None
    ) -> list[NDArray[np.float64]]:
        return [run.resamples(test, level, method, branch)[figure] for run in tested(test)]

    test = ladder.test
    parts = {name: drawn(test, method=name) for name in ladder.forgeries}
    several = zip(*parts.values(), strict=True) if len(parts) > 1 else ()
    resamples = {
        "video_auc": drawn(test),
        "balanced_accuracy": drawn(test, "balanced_accuracy"),
        "frame_auc": drawn(test, level="frame"),
        "macro": [np.mean(of_run, axis=0) for of_run in several],
        **parts,
        **{other: drawn(other) for other in ladder.other_tests},
    }
    return {
        "video_auc": middle(test, _video_auc),
        "frame_auc": middle(test, lambda m: m.overall.frame.auc),
        "balanced_accuracy": middle(test, lambda m: m.overall.video.balanced_accuracy),
        "by_method": {name: middle(test, of_method(name)) for name in ladder.forgeries},
        "macro": middle(test, lambda m: m.macro.video.auc if m.macro else None),
        "across": {other: middle(other, _video_auc) for other in ladder.other_tests},
        "intervals": {
            name: percentile_interval(np.median(arrays, axis=0)) if arrays else None
            for name, arrays in resamples.items()
        },
    }


def _video_auc(metrics: TestMetrics) -> float | None:
    return metrics.overall.video.auc


def small_counts(runs: Sequence[Run]) -> list[str]:
    """Describe the test sets in which a class has fewer than FEW_VIDEOS videos."""
    notes = []
    tests = {key: test for run in reversed(runs) for key, test in run.metrics().items()}
    for key, test in tests.items():
        few = {
            f"{getattr(levels.video, label)} {label} videos"
            + (f" ({name})" if label == "fake" else "")
            for name, levels in {"all methods": test.overall, **test.by_method}.items()
            for label in ("real", "fake")
            if getattr(levels.video, label) < FEW_VIDEOS
        }
        if few:
            notes.append(f"{key}: only {', '.join(sorted(few))}; these figures are coarse.")
    return notes
