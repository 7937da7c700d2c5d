"""The ladder's table: one rung per method, with figures over its seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.comparison.run import TEACHER, Run, by_method
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
    for method, group in by_method(ladder_order(runs)).items():
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
    test = ladder.test
    tested = [run for run in runs if test in run.metrics(branch)]

    def middle(test: str, figure: Callable[[TestMetrics], float | None]) -> float | None:
        metrics = [run.metrics(branch)[test] for run in runs if test in run.metrics(branch)]
        values = [value for value in map(figure, metrics) if value is not None]
        return median(values) if values else None

    def resampled(
        test: str, name: str = "auc", level: str = "video", method: str | None = None
    ) -> list[NDArray[np.float64]]:
        tested = [run for run in runs if test in run.metrics(branch)]
        return [run.resamples(test, level, method, branch)[name] for run in tested]

    def of_forgery(name: str) -> Callable[[TestMetrics], float | None]:
        return lambda m: m.by_method[name].video.auc if name in m.by_method else None

    parts = {name: resampled(test, method=name) for name in ladder.forgeries}
    drawn = {
        "video_auc": resampled(test),
        "balanced_accuracy": resampled(test, "balanced_accuracy"),
        "frame_auc": resampled(test, level="frame"),
        "macro": [
            np.asarray(np.mean([parts[name][i] for name in parts], axis=0))
            for i in range(len(tested) if len(parts) > 1 else 0)
        ],
        **parts,
        **{other: resampled(other) for other in ladder.other_tests},
    }
    return {
        "video_auc": middle(test, lambda m: m.overall.video.auc),
        "frame_auc": middle(test, lambda m: m.overall.frame.auc),
        "balanced_accuracy": middle(test, lambda m: m.overall.video.balanced_accuracy),
        "by_method": {name: middle(test, of_forgery(name)) for name in ladder.forgeries},
        "macro": middle(test, lambda m: m.macro.video.auc if m.macro else None),
        "across": {
            other: middle(other, lambda m: m.overall.video.auc) for other in ladder.other_tests
        },
        "intervals": {
            name: percentile_interval(np.median(arrays, axis=0)) if arrays else None
            for name, arrays in drawn.items()
        },
    }


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
