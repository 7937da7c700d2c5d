"""Every figure against scikit-learn, or against a textbook where it has none."""

from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import asdict
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    log_loss,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.auc import auc_contributions
from evaluation.metrics.score_metrics import binary_metrics
from evaluation.metrics.weighted_metrics import CALIBRATION_BINS, weighted_figures
from records.identities import IdentityUnits
from records.protocol import RESAMPLES
from records.results import FIGURES
from tests.support.ladder_on_disk import frame_scores

THRESHOLD = 0.4
EXACT = {"abs": 1e-9, "rel": 0}


def pairwise_auc(labels, scores, weights):
    """The Mann-Whitney statistic, counted pair by pair."""
    fake, real = labels == 1, labels == 0
    won = (scores[fake, None] > scores[real]) + 0.5 * (scores[fake, None] == scores[real])
    return weights[fake] @ won @ weights[real] / (weights[fake].sum() * weights[real].sum())


def crossing(labels, scores, weights):
    """Where the ROC polygon meets fpr = 1 - tpr, found by bisection along its edges."""

    def rate(label, threshold):
        of = weights * (labels == label)
        return of[scores >= threshold].sum() / of.sum()

    points = [(rate(0, t), rate(1, t)) for t in [np.inf, *np.unique(scores)[::-1]]]
    for (fpr0, tpr0), (fpr1, tpr1) in pairwise(points):
        if fpr1 >= 1 - tpr1:
            low, high = 0.0, 1.0
            for _ in range(80):
                mid = (low + high) / 2
                gap = fpr0 + mid * (fpr1 - fpr0) - 1 + tpr0 + mid * (tpr1 - tpr0)
                low, high = (mid, high) if gap < 0 else (low, mid)
            return fpr0 + low * (fpr1 - fpr0)
    raise AssertionError


def calibration_error(labels, scores, weights):
    """Guo et al. 2017, equation 3, of the probability of fake."""
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    error = 0.0
    for low, high in pairwise(edges):
        inside = (scores > low) & (scores <= high) if low else scores <= high
        mass = weights[inside].sum()
        if mass:
            mean, share = (
                np.average(values[inside], weights=weights[inside]) for values in (scores, labels)
            )
            error += mass / weights.sum() * abs(mean - share)
    return error


def expected(labels, scores, weights):
    called = (scores >= THRESHOLD).astype(int)
    fpr, tpr, _ = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    w = {"sample_weight": weights}
    return {
        "auc": roc_auc_score(labels, scores, **w),
        "ap": average_precision_score(labels, scores, **w),
        "eer": crossing(labels, scores, weights),
        "accuracy": accuracy_score(labels, called, **w),
        "balanced_accuracy": balanced_accuracy_score(labels, called, **w),
        "tpr": recall_score(labels, called, **w),
        "fpr": 1 - recall_score(labels, called, pos_label=0, **w),
        "tpr_at_1pct_fpr": tpr[fpr <= 0.01 + 1e-12].max(),
        "tpr_at_10pct_fpr": tpr[fpr <= 0.1 + 1e-12].max(),
        "calibration_error": calibration_error(labels, scores, weights),
        "log_loss": log_loss(labels, scores, **w),
    }


def sample(seed, kind, size=(30, 70)):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 1], size))
    scores = rng.uniform(size=sum(size)) * 0.7 + 0.3 * labels * rng.uniform(size=sum(size))
    if "tied" in kind:
        scores = scores.round(1)
    if "sure" in kind:
        scores = scores.round(0)
    weights = np.ones(sum(size))
    if "weighted" in kind:
        weights = rng.exponential(size=sum(size))
    if "resampled" in kind:
        weights = rng.multinomial(sum(size), weights / sum(size)).astype(float)
    return labels, scores, weights


@pytest.mark.parametrize("size", [(30, 70), (200, 50), (1, 5)])
@pytest.mark.parametrize(
    "kind", ["", "tied", "sure", "weighted", "weighted tied", "resampled tied"]
)
@pytest.mark.parametrize("seed", range(3))
def test_every_figure_equals_scikit_learn_or_the_textbook(seed, kind, size):
    labels, scores, weights = sample(seed, kind, size)
    if not (weights[labels == 0].any() and weights[labels == 1].any()):
        pytest.skip("the resample drew one class only")
    each = np.arange(len(labels))
    figures = weighted_figures(labels, scores, THRESHOLD, weights[None], each)
    got = {name: value for name, (value,) in figures.items()}
    want = expected(labels, scores, weights)
    assert want.keys() == set(FIGURES)
    for name, value in want.items():
        assert got[name] == pytest.approx(value, **EXACT), name
    assert got["auc"] == pytest.approx(pairwise_auc(labels, scores, weights), **EXACT)
    if kind == "":
        assert asdict(binary_metrics(labels, scores, THRESHOLD)) == pytest.approx(got, **EXACT)


def test_calibration_uses_the_bins_of_scikit_learn():
    labels, scores, weights = sample(0, "tied")
    share, mean = calibration_curve(labels, scores, n_bins=CALIBRATION_BINS)
    inner = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    mass = np.bincount(np.searchsorted(inner, scores), minlength=CALIBRATION_BINS)
    error = (mass[mass > 0] * np.abs(share - mean)).sum() / len(scores)
    assert calibration_error(labels, scores, weights) == pytest.approx(error, **EXACT)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_undefined_figures_empty(label):
    scores = np.array([0.2, 0.6, 0.9])
    got = asdict(binary_metrics([label] * 3, scores, 0.5))
    undefined = {name for name in FIGURES if got[name] is None}
    assert undefined == {
        "auc", "ap", "eer", "balanced_accuracy", "tpr_at_1pct_fpr", "tpr_at_10pct_fpr",
        "fpr" if label else "tpr",
    }  # fmt: skip
    assert got["accuracy"] == pytest.approx(2 / 3 if label else 1 / 3)
    assert got["log_loss"] == pytest.approx(log_loss([label] * 3, scores, labels=[0, 1]), **EXACT)


def test_no_sample_leaves_everything_empty():
    assert set(asdict(binary_metrics([], [], 0.5)).values()) == {None}


def test_a_resample_is_the_repeated_videos():
    videos = video_scores(frame_scores(1.0, seed=0))
    videos = videos[videos["dataset"] == "mini-FaceForensics++"].reset_index(drop=True)
    videos["score"] = videos["score"].round(1)  # ties
    units = IdentityUnits(videos["video"])
    weights, members = units.weights(), units.members(videos["video"])
    sample = videos["label"].to_numpy(), videos["score"].to_numpy()
    figures = weighted_figures(*sample, THRESHOLD, weights, members)
    for resample in (0, 7, RESAMPLES - 1):
        times = weights[resample, members]
        repeated = videos.loc[videos.index.repeat(times)]
        labels, scores = repeated["label"].to_numpy(), repeated["score"].to_numpy()
        for name, value in expected(labels, scores, np.ones(len(labels))).items():
            assert figures[name][resample] == pytest.approx(value, **EXACT), name


def test_chunks_do_not_show(monkeypatch):
    labels, scores, _ = sample(1, "tied")
    weights = np.random.default_rng(0).exponential(size=(9, 100))
    whole = weighted_figures(labels, scores, THRESHOLD, weights, np.arange(100))
    monkeypatch.setattr("evaluation.metrics.weighted_metrics._CHUNK", 200)
    parts = weighted_figures(labels, scores, THRESHOLD, weights, np.arange(100))
    for name in FIGURES:
        np.testing.assert_array_equal(whole[name], parts[name])


def delong_variance(labels, first, second):
    """DeLong et al. 1988: variance of the difference of two AUCs over the same samples."""
    components = []
    for scores in (first, second):
        fake, real = scores[labels == 1], scores[labels == 0]
        won = (fake[:, None] > real) + 0.5 * (fake[:, None] == real)
        components.append((won.mean(axis=1), won.mean(axis=0)))
    (fakes1, reals1), (fakes2, reals2) = components
    return sum(np.var(a - b, ddof=1) / len(a) for a, b in ((fakes1, fakes2), (reals1, reals2)))


def test_the_bootstrap_of_unrelated_videos_agrees_with_delong():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 200)
    first = rng.normal(size=400) + 1.2 * labels
    second = first + 0.5 * rng.normal(size=400)
    weights = rng.multinomial(400, np.full(400, 1 / 400), size=4000).astype(float)
    one, two = (
        weighted_figures(labels, scores, 0.5, weights, np.arange(400))["auc"]
        for scores in (1 / (1 + np.exp(-first)), 1 / (1 + np.exp(-second)))
    )
    spread = np.sqrt(delong_variance(labels, first, second))
    assert np.std(one - two) == pytest.approx(spread, rel=0.06)
    aucs, parts = auc_contributions(labels, np.stack([first, second]))
    assert aucs == pytest.approx([roc_auc_score(labels, scores) for scores in (first, second)])
    assert np.sqrt(np.sum((parts[0] - parts[1]) ** 2)) == pytest.approx(spread, rel=0.01)
