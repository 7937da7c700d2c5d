"""Verdicts on differences: Holm over the family, and an equivalence test against a zone."""

import numpy as np
from numpy.typing import NDArray

from evaluation.comparison.estimate import Estimate
from records.protocol import CONFIDENCE

SUPPORTED, REFUTED, LEVEL = "supported", "refuted", "level"
UNDECIDED, NO_VERDICT = "undecided", "no verdict"

ZONE = 0.02
"""Differences of video AUC that count as none: fixed in docs/experiment.md before the runs."""

LEVEL_CONFIDENCE = 0.90
"""Two one-sided 5 % tests are a 90 % interval within the zone."""

FEWEST_RUNS = 3
"""Fewer independent runs of a method decide nothing."""

FEWEST_IDENTITIES = 10

SPREAD = 0.0126
"""Standard deviation of a paired difference over runs in benchmarks/results/experiment/rendered:
the default where one run shows none."""

Floats = NDArray[np.float64]


def two_sided(estimate: Estimate, bar: float = 0.0) -> Floats:
    """Return the p-value of "the mean is at the bar"."""
    above = estimate.p_above(bar)
    return 2 * np.minimum(above, 1 - above)


def holm(p: Floats) -> Floats:
    """Return p-values adjusted for the family on the last axis (Holm 1979)."""
    order = np.argsort(p, axis=-1)
    count = p.shape[-1]
    stepped = np.take_along_axis(p, order, -1) * np.arange(count, 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(stepped, axis=-1), 1)
    return np.take_along_axis(adjusted, np.argsort(order, axis=-1), -1)


def decide(estimate: Estimate, adjusted: Floats, bar: float = 0.0) -> NDArray[np.str_]:
    """Return SUPPORTED, REFUTED, LEVEL or UNDECIDED for "the mean is above the bar".

    Args:
        estimate: The paired differences of at least FEWEST_RUNS runs.
        adjusted: p-values of `two_sided`, after `holm`.
        bar: 0, or minus ZONE for the claim of "not worse".
    """
    decided = adjusted <= 1 - CONFIDENCE
    low, high = np.moveaxis(estimate.interval(LEVEL_CONFIDENCE), -1, 0)
    cases = {
        SUPPORTED: decided & (estimate.mean > bar),
        REFUTED: decided & (estimate.mean < bar),
        LEVEL: (low > -ZONE) & (high < ZONE),
    }
    return np.select(list(cases.values()), list(cases), default=UNDECIDED)


def combine(verdicts: list[str]) -> str:
    """Return the verdict on a claim that holds if all of its orderings do."""
    for one in (NO_VERDICT, REFUTED, UNDECIDED, LEVEL):
        if one in verdicts:
            return one
    return SUPPORTED


def runs_that_decide(estimate: Estimate, runs: int, bar: float = 0.0) -> int | None:
    """Return the number of runs after which a difference is decided if mean and spread stay.

    The 95 % interval then excludes the bar, or the 90 % interval lies in the zone. With several
    teachers these are teachers with as many students as before. None if a hundred do not suffice,
    because the test identities are too few.
    """
    alone = bool(np.isnan(estimate.runs))
    independent = runs if alone else int(estimate.runs_df) + 1
    variance = SPREAD**2 if alone else float(estimate.runs) * independent
    count = np.arange(FEWEST_RUNS, 101)
    mean, identities = np.full((2, len(count)), [[estimate.mean], [estimate.identities]])
    df = (count - 1).astype(np.float64)
    expected = Estimate(mean, variance / count, identities, df, estimate.identities_df)
    low, high = expected.interval().T
    lowest, highest = expected.interval(LEVEL_CONFIDENCE).T
    enough = (low > bar) | (high < bar) | ((lowest > -ZONE) & (highest < ZONE))
    return int(count[enough.argmax()]) * runs // independent if enough.any() else None
