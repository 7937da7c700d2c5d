"""False and true positive rates and AUC per slice of the test videos, e.g. per skin tone."""

from collections.abc import Mapping
from math import comb

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.comparison.estimate import known_interval
from evaluation.metrics.auc import auc_contributions
from evaluation.metrics.spread import identity_estimate, interval
from records.identities import IdentityUnits, shown_people
from records.protocol import CONFIDENCE
from records.slices import SLICED, Bounded, Gap, SliceFigures, SliceResults

Floats = NDArray[np.float64]


def slice_results(videos: pd.DataFrame, column: str, threshold: float) -> SliceResults | None:
    """Compute the figures of each slice, and the widest gap of each figure between two slices.

    An interval is over the identities of a slice, or of the two slices of a gap. The two are chosen
    because their gap is the widest, so the interval holds for all pairs of slices at once
    (Bonferroni).

    Args:
        videos: One row per video: label, score, the people, and the column; "" is unknown.
        column: The property that divides the videos.
        threshold: Scores of at least this are classified as fake.

    Returns:
        The slices in the order of their names; None if the property is unknown for all videos.
    """
    known = videos[videos[column] != ""]
    if known.empty:
        return None
    parts = {
        str(name): _Slice(members, threshold)
        for name, members in known.groupby(column, sort=True, observed=True)
    }
    slices = {name: part.figures() for name, part in parts.items()}
    gaps = {figure: _gap(parts, figure) for figure in SLICED}
    return SliceResults(slices, {figure: gap for figure, gap in gaps.items() if gap})


class _Slice:
    """The videos of a slice, and what each contributes to a figure's deviation."""

    def __init__(self, videos: pd.DataFrame, threshold: float) -> None:
        self.videos = videos
        labels, scores = videos["label"].to_numpy(np.int64), videos["score"].to_numpy(np.float64)
        called = scores >= threshold
        auc, parts = auc_contributions(labels, scores)
        self.values = {"auc": float(auc)}
        self.parts: dict[str, Floats] = {"auc": parts}
        for figure, label in (("fpr", 0), ("tpr", 1)):
            own = labels == label
            rate = called[own].mean() if own.any() else np.nan
            self.values[figure] = float(rate)
            self.parts[figure] = np.where(own, called - rate, 0.0) / max(own.sum(), 1)

    def figures(self) -> SliceFigures:
        """Return the figures with their intervals."""
        units = IdentityUnits(shown_people(self.videos))
        bounded = dict.fromkeys(SLICED, Bounded(None))
        for figure, value in self.values.items():
            if not np.isnan(value):
                found = identity_estimate(value, _variance([self], figure, units), units)
                bounded[figure] = Bounded(value, interval(found))
        fake = int(self.videos["label"].sum())
        real = len(self.videos) - fake
        return SliceFigures(real=real, fake=fake, identities=units.people, **bounded)


def _gap(parts: Mapping[str, _Slice], figure: str) -> Gap | None:
    """Return the widest difference of a figure between two slices; None with fewer than two."""
    values = {n: s.values[figure] for n, s in parts.items() if not np.isnan(s.values[figure])}
    if len(values) < 2:
        return None
    high, low = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    if high == low:  # all are equal
        high, low = list(values)[:2]
    pair = [parts[high], parts[low]]
    units = IdentityUnits(shown_people(pd.concat([one.videos for one in pair])))
    difference = values[high] - values[low]
    estimate = identity_estimate(difference, _variance(pair, figure, units), units)
    pairs = comb(len(values), 2)
    bounds = estimate.interval(1 - (1 - CONFIDENCE) / pairs).clip(-1, 1)
    return Gap(high, low, difference, known_interval(bounds), pairs)


def _variance(slices: list[_Slice], figure: str, units: IdentityUnits) -> float:
    """Return the variance over identities of a slice's figure, or of the difference of two.

    A rate of 0 or 1 in n identities does not vary. It counts as one of 0.5 / (n + 1), so that a
    slice of few identities is not taken for certain.
    """
    total, extra = np.zeros(1), 0.0
    for sign, one in zip((1, -1), slices, strict=False):
        parts = one.parts[figure]
        total = total + sign * units.sums(parts, shown_people(one.videos))
        if not parts.any():
            people = len(IdentityUnits(shown_people(one.videos)).units)
            rate = 0.5 / (people + 1)
            extra += rate * (1 - rate) / people
    return float(units.covariance(total[None])[0, 0]) + extra
