"""Figures of merit of weighted samples, vectorized over many weightings."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from records.results import FIGURES

Floats = NDArray[np.float64]

CALIBRATION_BINS = 15

# Elements per array of a sweep, so that a few arrays fit into a core's cache.
_CHUNK = 2**17


def weighted_figures(
    labels: NDArray[np.int64],
    scores: Floats,
    threshold: float,
    weights: Floats,
    members: NDArray[np.int64],
    names: Sequence[str] = FIGURES,
) -> dict[str, Floats]:
    """Compute figures under each of R weightings; undefined ones are NaN.

    The weights are given per group of samples: a resample of identities is one row of weights,
    however many frames there are.

    Args:
        labels: [N], 1 = fake, 0 = real.
        scores: [N], probability of fake.
        threshold: Scores of at least this are classified as fake.
        weights: [R, G], weights of the groups, at least 0.
        members: [N], group of each sample.
        names: The figures to compute, of `records.results.FIGURES`.

    Returns:
        [R] for each name.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = _sums(labels, scores, threshold, weights, members)
        swept = [name for name in names if name not in figures]
        figures |= _sweep(labels, scores, weights, members, swept)
    return {name: figures[name] for name in names}


def _sums(
    labels: NDArray[np.int64],
    scores: Floats,
    threshold: float,
    weights: Floats,
    members: NDArray[np.int64],
) -> dict[str, Floats]:
    """Compute the figures that are sums over the samples, and therefore over the groups."""

    def over_samples(values: NDArray[np.generic]) -> Floats:
        return weights @ np.bincount(members, values.astype(np.float64), weights.shape[1])

    called = scores >= threshold
    fake, real = over_samples(labels), over_samples(1 - labels)
    tpr = over_samples(called & (labels == 1)) / fake
    fpr = over_samples(called & (labels == 0)) / real
    # Clipped as in scikit-learn, so that the loss of a certain but wrong score is finite.
    eps = np.finfo(np.float64).eps
    clipped = np.clip(scores, eps, 1 - eps)
    loss = -np.where(labels == 1, np.log(clipped), np.log1p(-clipped))
    bins = np.searchsorted(np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1], scores)
    gaps = [
        np.abs(over_samples(np.where(bins == k, scores - labels, 0.0)))
        for k in range(CALIBRATION_BINS)
    ]
    return {
        "accuracy": over_samples(called == labels) / (fake + real),
        "balanced_accuracy": (tpr + 1 - fpr) / 2,
        "tpr": tpr,
        "fpr": fpr,
        "calibration_error": np.sum(gaps, axis=0) / (fake + real),
        "log_loss": over_samples(loss) / (fake + real),
    }


def _sweep(
    labels: NDArray[np.int64],
    scores: Floats,
    weights: Floats,
    members: NDArray[np.int64],
    names: Sequence[str],
) -> dict[str, Floats]:
    """Compute the figures that sweep a threshold from the highest score to the lowest."""
    order = np.argsort(-scores, kind="stable")
    fakes, reals = order[labels[order] == 1], order[labels[order] == 0]
    swept = {name: np.full(len(weights), np.nan) for name in names}
    if not (len(fakes) and len(reals)):
        return swept
    curves = _Curves(scores[fakes], scores[reals])
    rows = max(1, _CHUNK // len(scores))
    for start in range(0, len(weights), rows):
        chunk = slice(start, start + rows)
        fake_weights = weights[chunk].take(members[fakes], axis=1)
        real_weights = weights[chunk].take(members[reals], axis=1)
        for name, values in curves.figures(fake_weights, real_weights, names).items():
            swept[name][chunk] = values
    return swept


class _Curves:
    """ROC and precision-recall curves of fixed samples under many weightings.

    Equal scores are classified together. The positions of the samples relative to each other do
    not depend on the weights, so they are computed once.

    Args:
        fakes: [F], scores in descending order.
        reals: [R], scores in descending order.
    """

    def __init__(self, fakes: Floats, reals: Floats) -> None:
        self._fakes_above_real = np.searchsorted(-fakes, -reals, side="left")
        self._fakes_from_real = np.searchsorted(-fakes, -reals, side="right")
        self._fakes_from_fake = np.searchsorted(-fakes, -fakes, side="right")
        self._reals_from_fake = np.searchsorted(-reals, -fakes, side="right")
        thresholds = np.unique(np.concatenate([-fakes, -reals]))
        self._fakes_from = np.append(0, np.searchsorted(-fakes, thresholds, side="right"))
        self._reals_from = np.append(0, np.searchsorted(-reals, thresholds, side="right"))

    def figures(
        self, fake_weights: Floats, real_weights: Floats, names: Sequence[str]
    ) -> dict[str, Floats]:
        """Compute figures for weights of the fakes, `[W, F]`, and of the reals, `[W, R]`."""
        hit, missed = _cumulative(fake_weights), _cumulative(real_weights)
        fake, real = hit[:, -1], missed[:, -1]
        both = np.where((fake > 0) & (real > 0), 1.0, np.nan)
        figures: dict[str, Callable[[], Floats]] = {
            "auc": lambda: self._losses(hit, real_weights) / (2 * fake * real),
            "ap": lambda: self._precisions(hit, missed, fake_weights) / fake,
            "eer": lambda: self._equal_error_rate(hit, missed),
            "tpr_at_1pct_fpr": lambda: self._highest_tpr(hit, missed, 0.01),
            "tpr_at_10pct_fpr": lambda: self._highest_tpr(hit, missed, 0.1),
        }
        return {name: figures[name]() * both for name in names}

    def _losses(self, hit: Floats, real_weights: Floats) -> Floats:
        """Return twice the weight of the pairs whose real loses; a tie counts half."""
        losses = hit.take(self._fakes_above_real, axis=1)
        losses += hit.take(self._fakes_from_real, axis=1)
        return np.einsum("wr,wr->w", real_weights, losses)

    def _precisions(self, hit: Floats, missed: Floats, fake_weights: Floats) -> Floats:
        """Return the weighted sum of the precisions at the scores of the fakes."""
        true = hit.take(self._fakes_from_fake, axis=1)
        called = true + missed.take(self._reals_from_fake, axis=1)
        precision = true / np.maximum(called, np.finfo(np.float64).tiny)
        return np.einsum("wf,wf->w", fake_weights, precision)

    def _highest_tpr(self, hit: Floats, missed: Floats, limit: float) -> Floats:
        """Return the highest true positive rate whose false positive rate is within a limit."""
        # Tolerate the rounding of summed weights at a threshold that just reaches the limit.
        bound = limit * missed[:, -1:] * (1 + 1e-12)
        # Index of the highest real that must not be classified as fake, if there is one.
        real = (missed <= bound).sum(axis=1) - 1
        inside = np.minimum(real, len(self._fakes_above_real) - 1)
        above = np.where(real == inside, self._fakes_above_real[inside], hit.shape[1] - 1)
        return hit[np.arange(len(hit)), above] / hit[:, -1]

    def _equal_error_rate(self, hit: Floats, missed: Floats) -> Floats:
        """Return the rate at which false positives equal false negatives.

        The crossing is interpolated linearly between the neighbouring points of the ROC curve.
        """

        def rates(point: NDArray[np.int64]) -> tuple[Floats, Floats]:
            tpr = hit[rows, self._fakes_from[point]] / hit[:, -1]
            return missed[rows, self._reals_from[point]] / missed[:, -1], tpr

        rows = np.arange(len(hit))
        low = np.ones(len(hit), dtype=np.int64)
        high = np.full(len(hit), len(self._fakes_from) - 1)
        while (low < high).any():  # bisect to the first point with fpr >= 1 - tpr
            middle = (low + high) // 2
            fpr, tpr = rates(middle)
            before = fpr + tpr < 1
            low, high = np.where(before, middle + 1, low), np.where(before, high, middle)
        (fpr0, tpr0), (fpr, tpr) = rates(low - 1), rates(low)
        share = (1 - fpr0 - tpr0) / (fpr + tpr - fpr0 - tpr0)
        return fpr0 + share * (fpr - fpr0)


def _cumulative(weights: Floats) -> Floats:
    """Return the sums of the first 0, 1, … N weights: `[W, N]` to `[W, N + 1]`."""
    sums = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums
