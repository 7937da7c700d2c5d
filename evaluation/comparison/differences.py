"""Paired differences of video AUC, over seeds and over the identities of the test videos."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from errors import InputError
from evaluation.comparison.run import Run
from evaluation.metrics.aggregation import VIDEO_KEY
from evaluation.metrics.bootstrap import (
    CONFIDENCE,
    Interval,
    auc_resamples,
    identity,
    percentile_interval,
)

# Resamples of a handful of people agree with one another whatever is true.
FEWEST_IDENTITIES = 10

Pairs = Sequence[tuple[Run, Run]]


@dataclass(frozen=True)
class Difference:
    """Video AUC of the first of each pair of runs less that of the second.

    Attributes:
        values: One a pair.
        seeds: Interval of the mean over the pairs, Student's t; None below two pairs.
        identities: Interval of the mean over the test identities, a bootstrap; None where it is
            undefined.
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

    @property
    def sign(self) -> int:
        """1 or -1 where both intervals exclude zero on the same side, else 0."""
        intervals = [bounds for bounds in (self.seeds, self.identities) if bounds]
        if not intervals or self.people < FEWEST_IDENTITIES:
            return 0
        if all(low > 0 for low, _ in intervals):
            return 1
        return -1 if all(high < 0 for _, high in intervals) else 0


def paired_difference(pairs: Pairs, test: str, method: str | None = None) -> Difference | None:
    """The difference on one test set; None where an AUC is undefined there.

    Every pair is resampled alike, so what is hard about a person is hard for both of its runs.

    Args:
        pairs: Two runs over the same videos each.
        test: Key of `metrics`.
        method: Fakes of this method alone, against all reals.

    Raises:
        InputError: Two runs were tested on different videos.
    """
    check_same_videos([run for pair in pairs for run in pair], test)
    values = [_auc(first, test, method) - _auc(second, test, method) for first, second in pairs]
    if not values or np.isnan(values).any():
        return None
    resamples = [
        auc_resamples(first.scored(test), method) - auc_resamples(second.scored(test), method)
        for first, second in pairs
    ]
    return Difference(
        values,
        t_interval(np.array(values)),
        percentile_interval(np.mean(resamples, axis=0)),
        len({identity(video) for video in pairs[0][0].scored(test)["video"]}),
    )


def check_same_videos(runs: Sequence[Run], test: str | None = None) -> None:
    """Refuse to compare runs over different test videos.

    Args:
        runs: Tested runs.
        test: Key of `metrics`; each run's own test split where not given.

    Raises:
        InputError: The first run that differs is named.
    """
    tests = [test or run.in_domain for run in runs]
    keys = [
        set(run.scored(test)[VIDEO_KEY].itertuples(index=False, name=None))
        for run, test in zip(runs, tests, strict=True)
    ]
    for run, own, videos in zip(runs, tests, keys, strict=True):
        if videos != keys[0]:
            msg = (
                f"{run.folder}: tested on {len(videos)} videos of {own}, but "
                f"{runs[0].folder} on {len(keys[0])} of {tests[0]}; expected the "
                "same videos: test both on the same data, or report them apart"
            )
            raise InputError(msg)


def _auc(run: Run, test: str, method: str | None) -> float:
    block = run.metrics()[test]
    auc = (block["by_method"][method] if method else block["overall"])["video"]["auc"]
    return float("nan") if auc is None else float(auc)


def t_interval(differences: NDArray[np.float64]) -> Interval | None:
    """Student's t interval of the mean of paired differences; None below two."""
    n = len(differences)
    if n < 2:
        return None
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * differences.std(ddof=1) / math.sqrt(n))
    return float(differences.mean()) - half, float(differences.mean()) + half
