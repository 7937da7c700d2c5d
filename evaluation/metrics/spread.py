"""How figures vary with the choice of test identities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.comparison.estimate import Estimate, known_interval
from evaluation.metrics.auc import auc_contributions
from evaluation.metrics.weighted_metrics import weighted_figures
from records.identities import IdentityUnits, shown_people
from records.results import FIGURES, Interval

Floats = NDArray[np.float64]

LINEAR = ("auc", "balanced_accuracy")
"""Figures whose variance over test identities is a formula; the others' is that of resamples."""


@dataclass(frozen=True)
class Spread:
    """Variation of the figures of one table of frames or videos.

    Attributes:
        units: Independent units of the test set.
        parts: Contribution of each group of videos to a figure of LINEAR, `[G]`.
        resamples: Values of each other figure over the resamples, NaN if undefined.
    """

    units: IdentityUnits
    parts: dict[str, Floats]
    resamples: dict[str, Floats]

    def interval(self, name: str, value: float | None) -> Interval | None:
        """Return the 95 % interval of a figure, None if it is undefined."""
        if value is None:
            return None
        if name in LINEAR:
            variance = self.units.covariance(self.parts[name][None])[0, 0]
        else:
            factor = len(self.units.units) / max(len(self.units.units) - 1, 1)
            variance = np.nanvar(self.resamples[name]) * factor**2
        return interval(identity_estimate(value, variance, self.units), rate=name != "log_loss")


def identity_estimate(value: float, variance: float, units: IdentityUnits) -> Estimate:
    """Return a figure of one run with its variance over the test identities."""
    # As arrays: `**` of a NumPy scalar is pow, whose last digit can differ from that of a square.
    one = np.array(value), np.array(np.nan), np.array(variance), np.array(np.inf)
    return Estimate(*one, units.df)


def interval(estimate: Estimate, *, rate: bool = True) -> Interval | None:
    """Return the 95 % interval of one figure, a rate or a loss; None with a single unit."""
    return known_interval(estimate.rate_interval() if rate else estimate.interval().clip(min=0))


def spread_of(
    table: pd.DataFrame, threshold: float, units: IdentityUnits, names: Sequence[str] = FIGURES
) -> Spread:
    """Compute the variation of figures of frames or videos."""
    labels, scores = table["label"].to_numpy(np.int64), table["score"].to_numpy(np.float64)
    people = shown_people(table)
    ranked = {"auc": scores, "balanced_accuracy": (scores >= threshold).astype(np.float64)}
    parts = {
        name: units.sums(auc_contributions(labels, ranked[name])[1], people)
        for name in LINEAR
        if name in names
    }
    drawn = [name for name in names if name not in LINEAR]
    if not drawn:
        return Spread(units, parts, {})
    members, weights = units.members(people), units.weights()
    resamples = weighted_figures(labels, scores, threshold, weights, members, drawn)
    return Spread(units, parts, resamples)


def mean_spread(spreads: Sequence[Spread]) -> Spread:
    """Return the variation of the means of figures, e.g. over the forgery methods."""
    first = spreads[0]
    parts = {name: np.mean([s.parts[name] for s in spreads], axis=0) for name in first.parts}
    drawn = {n: np.mean([s.resamples[n] for s in spreads], axis=0) for n in first.resamples}
    return Spread(first.units, parts, drawn)


def of_method(table: pd.DataFrame, method: str | None) -> pd.DataFrame:
    """Return the rows of all reals and of the fakes of one method; None selects all fakes."""
    if method is None:
        return table
    return table[(table["label"] == 0) | (table["method"] == method)]
