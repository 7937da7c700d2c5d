"""Paired differences of video AUC, with intervals over seeds and over test identities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]

from errors import InputError
from evaluation.comparison.run import TEACHER, Run
from evaluation.metrics.bootstrap import percentile_interval
from records.identities import identity
from records.protocol import CONFIDENCE
from records.results import Interval
from records.scores import VIDEO_KEY

FEWEST_IDENTITIES = 10
"""With fewer test identities no difference is decided: their resamples are too much alike."""

Pairs = Sequence[tuple[Run, Run]]


@dataclass(frozen=True)
class Difference:
    """Video AUC of the first run of each pair minus that of the second.

    Attributes:
        values: One difference per pair.
        seeds: Interval of the mean over the pairs, Student's t; None with fewer than two pairs.
        identities: Bootstrap interval of the mean over the test identities; None if undefined.
        people: Number of test identities.
    """

    values: list[float]
    seeds: Interval | None
    identities: Interval | None
    people: int

    @property
    def mean(self) -> float:
        """Mean over the pairs."""
        return float(np.mean(self.values))

    def side(self, bar: float = 0.0) -> int:
        """Return 1 or -1 if all intervals lie above or below a bar, 0 if undecided."""
        intervals = [bounds for bounds in (self.seeds, self.identities) if bounds]
        if not intervals or self.people < FEWEST_IDENTITIES:
            return 0
        if all(low > bar for low, _ in intervals):
            return 1
        return -1 if all(high < bar for _, high in intervals) else 0


def pair_runs(runs: Sequence[Run], first: str, second: str) -> list[tuple[Run, Run]]:
    """Pair the runs of two methods by seed.

    A teacher with a single run is paired with every run of the other method, because it is trained
    once for all students.
    """
    ours = {run.seed: run for run in runs if run.method == first}
    theirs = {run.seed: run for run in runs if run.method == second}
    if (_is_teacher(first) and len(ours) == 1) or (_is_teacher(second) and len(theirs) == 1):
        return [(ours[one], theirs[other]) for one in sorted(ours) for other in sorted(theirs)]
    return [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]


def _is_teacher(method: str) -> bool:
    return method.rpartition("/")[2] == TEACHER  # `compare` names methods by their folders


def paired_difference(pairs: Pairs, test: str, method: str | None = None) -> Difference | None:
    """Compute the difference on one test set, or None if an AUC is undefined there.

    Both runs of a pair are evaluated on the same resamples of the test identities, so they must
    pass `check_same_videos`; `test` and `method` select the videos, see `Run.resamples`.
    """
    aucs = [[run.figure("auc", test, method=method) for run in pair] for pair in pairs]
    values = [one - other for one, other in aucs if one is not None and other is not None]
    if not pairs or len(values) < len(pairs):
        return None
    resamples = [
        first.resamples(test, method=method)["auc"] - second.resamples(test, method=method)["auc"]
        for first, second in pairs
    ]
    return Difference(
        values,
        t_interval(np.array(values)),
        percentile_interval(np.mean(resamples, axis=0)),
        len({identity(video) for video in pairs[0][0].scored(test)["video"]}),
    )


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


def t_interval(differences: NDArray[np.float64]) -> Interval | None:
    """Return Student's t interval of the mean of paired differences; None with fewer than two."""
    n = len(differences)
    if n < 2:
        return None
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2) * differences.std(ddof=1) / math.sqrt(n))
    return float(differences.mean()) - half, float(differences.mean()) + half
