"""Means of a figure over runs, and paired differences of video AUC, each with one interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from errors import InputError
from evaluation.comparison.estimate import Estimate, estimate, known_interval
from evaluation.comparison.run import TEACHER, Run
from evaluation.metrics.spread import interval
from records.results import Interval
from records.scores import VIDEO_KEY

Pairs = Sequence[tuple[Run, Run]]


@dataclass(frozen=True)
class Difference:
    """Video AUC of the first run of each pair minus that of the second.

    Attributes:
        values: One difference per pair.
        seeds: Seed of the first run of each pair.
        estimate: Their mean, with its variance over runs and over test identities.
        runs: Independent runs of the method that has fewer.
        teachers: Teachers of the runs.
        people: Number of test identities.
    """

    values: list[float]
    seeds: list[int]
    estimate: Estimate
    runs: int
    teachers: int
    people: int

    @property
    def mean(self) -> float:
        """Mean over the teachers' means."""
        return float(self.estimate.mean)

    def interval(self, confidence: float) -> Interval | None:
        """Return the interval of the mean; None if there are neither runs nor identities enough."""
        return known_interval(self.estimate.interval(confidence))


def pair_runs(runs: Sequence[Run], first: str, second: str) -> list[tuple[Run, Run]]:
    """Pair the runs of two methods: the same teacher and seed; a teacher with all its students."""

    def paired(one: Run, other: Run) -> bool:
        nested = is_teacher(one) != is_teacher(other)
        return one.teacher_seed == other.teacher_seed and (nested or one.seed == other.seed)

    ours, theirs = ([run for run in runs if run.method == method] for method in (first, second))
    return [(one, other) for one in ours for other in theirs if paired(one, other)]


def is_teacher(run: Run) -> bool:
    """Return whether a run is a teacher; `compare` names methods by their folders."""
    return run.method.rpartition("/")[2] == TEACHER


def paired_difference(pairs: Pairs, test: str, method: str | None = None) -> Difference | None:
    """Compute the difference on one test set, or None if an AUC is undefined there.

    The runs must pass `check_same_videos`; `test` and `method` select the videos, see `Run.spread`.
    """
    aucs = [[run.figure("auc", test, method=method) for run in pair] for pair in pairs]
    values = [one - other for one, other in aucs if one is not None and other is not None]
    if not pairs or len(values) < len(pairs):
        return None
    spreads = [[run.spread(test, method=method) for run in pair] for pair in pairs]
    parts = np.array([one.parts["auc"] - other.parts["auc"] for one, other in spreads])
    units = spreads[0][0].units
    teachers = [one.teacher_seed for one, _ in pairs]
    found = estimate(values, teachers, units.covariance(parts), units.df)
    distinct = [len({id(pair[side]) for pair in pairs}) for side in (0, 1)]
    seeds = [one.seed for one, _ in pairs]
    return Difference(values, seeds, found, min(distinct), len(set(teachers)), units.people)


class Mean(NamedTuple):
    """Mean of a figure over runs, and its 95 % interval; None if undefined."""

    value: float | None
    interval: Interval | None


def mean_over_runs(
    runs: Sequence[Run],
    name: str,
    test: str,
    level: str = "video",
    method: str | None = None,
    branch: str | None = None,
) -> Mean:
    """Compute the mean of AUC or balanced accuracy over runs; undefined if it is for one of them.

    The arguments select the figure, see `Run.figure`.
    """
    key = (test, level, method, branch)
    values = [value for run in runs if (value := run.figure(name, *key)) is not None]
    if not runs or len(values) < len(runs):
        return Mean(None, None)
    teachers = [run.teacher_seed for run in runs]
    if any(level not in run.levels for run in runs):
        found = estimate(values, teachers)
    else:
        spreads = [run.spread(*key) for run in runs]
        units = spreads[0].units
        covariance = units.covariance(np.array([spread.parts[name] for spread in spreads]))
        found = estimate(values, teachers, covariance, units.df)
    return Mean(float(found.mean), interval(found))


def check_same_videos(runs: Sequence[Run], test: str) -> None:
    """Check that runs were tested on the same videos of a test set.

    Raises:
        InputError: A run differs from the first; it is named.
    """
    keys = [set(run.scored(test)[VIDEO_KEY].itertuples(index=False, name=None)) for run in runs]
    for run, videos in zip(runs, keys, strict=True):
        if videos != keys[0]:
            msg = (
                f"{run.folder}: tested on {len(videos)} videos of {test}, but {runs[0].folder} on "
                f"{len(keys[0])}; expected the same videos: test both on the same data, or report "
                "them separately"
            )
            raise InputError(msg)
