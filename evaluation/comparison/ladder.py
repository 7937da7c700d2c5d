"""The ladder's table: one rung per method, with figures over its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from evaluation.comparison.differences import Mean, mean_over_runs
from evaluation.comparison.run import MACRO, TEACHER, Run
from records.results import Interval

FEW_VIDEOS = 10

COLLAPSE_AUC, COLLAPSE_DEPTH = 0.6, 0.05
"""A run has collapsed if its video AUC is below COLLAPSE_AUC, or more than COLLAPSE_DEPTH below the
median of its method's runs: it measures the recipe, not the method."""

DESCRIPTIONS = {
    "teacher": "dual-branch teacher",
    "student": "student alone, cross-entropy",
    "student-frequency": "student alone, on the frequency front-end",
    "logit": "distils the fused logit only",
    "spatial": "distils the spatial branch only",
    "frequency": "distils the frequency branch only",
    "naive": "distils both, one output compared with both, plain sum",
    "shared-trunk": "distils both, one trunk with an output for each, plain sum",
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
    """A row of the table: a method, or a branch of the teacher.

    Attributes:
        figures: By name: video_auc, frame_auc, balanced_accuracy, macro, and the video AUC by
            forgery method and by other test set.
        ratio: Parameters of the teacher, divided by those of this model.
    """

    method: str
    figures: dict[str, Mean]
    seeds: list[int] = field(default_factory=list)
    params: int | None = None
    ratio: float | None = None
    collapsed: int | None = None
    branches: list["Rung"] = field(default_factory=list)

    @property
    def video_auc(self) -> float | None:
        """Video AUC on the main test set."""
        return self.figures["video_auc"].value

    @property
    def interval(self) -> Interval | None:
        """Interval of the video AUC."""
        return self.figures["video_auc"].interval

    @property
    def description(self) -> str:
        """What the method distils, in a phrase."""
        return DESCRIPTIONS.get(self.method, "")


@dataclass(frozen=True)
class Ladder:
    """The table of a set of runs: its main test set, forgery methods there, and other test sets."""

    test: str
    rungs: list[Rung]
    forgeries: list[str]
    other_tests: list[str]

    @property
    def several_seeds(self) -> bool:
        """Whether figures are means over several seeds."""
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


def collapsed_runs(runs: Sequence[Run]) -> list[str]:
    """Return the names of the runs that have collapsed."""
    found = []
    for group in by_method(runs).values():
        aucs = {run.name: auc for run in group if (auc := run.video_auc) is not None}
        bar = max(COLLAPSE_AUC, float(np.median([*aucs.values()])) - COLLAPSE_DEPTH) if aucs else 0
        found += [name for name, auc in aucs.items() if auc < bar]
    return found


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
            figures=_figures(group, ladder, None),
            seeds=[run.seed for run in group],
            params=params,
            ratio=teacher / params if teacher and params else None,
            collapsed=len(collapsed_runs(group)),
            branches=[Rung(name, _figures(group, ladder, name)) for name in branches],
        )
        ladder.rungs.append(rung)
    return ladder


def _figures(runs: Sequence[Run], ladder: Ladder, branch: str | None) -> dict[str, Mean]:
    """Compute the figures of a method or of a branch of it, over the runs that were tested."""

    def mean(test: str, name: str = "auc", level: str = "video", method: str | None = None) -> Mean:
        tested = [run for run in runs if test in run.metrics(branch)]
        return mean_over_runs(tested, name, test, level, method, branch)

    return {
        "video_auc": mean(ladder.test),
        "frame_auc": mean(ladder.test, level="frame"),
        "balanced_accuracy": mean(ladder.test, "balanced_accuracy"),
        **{method: mean(ladder.test, method=method) for method in (MACRO, *ladder.forgeries)},
        **{other: mean(other) for other in ladder.other_tests},
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
