"""Figures of merit at frame and at video level, from tables of scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_curve

from errors import InputError
from evaluation.metrics.aggregation import DEFAULT, VIDEO_KEY, video_scores
from evaluation.metrics.bootstrap import IdentityResamples, Interval, percentile_interval
from evaluation.metrics.weighted_metrics import FIGURES, weighted_figures

Metrics = dict[str, Any]
Resamples = dict[str, NDArray[np.float64]]


def binary_metrics(
    labels: ArrayLike, scores: ArrayLike, threshold: float, weights: ArrayLike | None = None
) -> Metrics:
    """The figures of one set of frames or videos; None where one is undefined.

    Args:
        labels: [N], 1 = fake, 0 = real.
        scores: [N], probability of fake, finite.
        threshold: A score of at least this counts as fake.
        weights: [N], of the samples; all 1 where not given.

    Returns:
        FIGURES, the threshold, and the counts real and fake. With one class only, the figures
        that compare both are None, with no sample all are.
    """
    truth = np.asarray(labels, dtype=np.int64)
    one, together = np.ones((1, 1)), np.zeros(len(truth), dtype=np.int64)
    if weights is not None:
        one, together = np.asarray(weights, dtype=np.float64)[None], np.arange(len(truth))
    figures = weighted_figures(
        truth, np.asarray(scores, dtype=np.float64), threshold, one, together
    )
    fake = int(truth.sum())
    return {
        **{name: _defined(value[0]) for name, value in figures.items()},
        "threshold": float(threshold),
        "real": len(truth) - fake,
        "fake": fake,
    }


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def choose_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """The threshold of the highest balanced accuracy; to be called on the validation split.

    Candidates are the mid-points between neighbouring scores, and the lowest score (all fake). Of
    candidates that are equally good the one nearest to 0.5 is taken, then the lower one.

    Args:
        labels: [N], 1 = fake, 0 = real.
        scores: [N], probability of fake.

    Raises:
        InputError: One class only, or scores that are not finite.
    """
    truth = np.asarray(labels, dtype=np.int64)
    score = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(score).all():
        bad = int((~np.isfinite(score)).sum())
        msg = (
            f"validation scores: {bad} of {len(score)} are not finite, expected probabilities: "
            "the run diverged, train it with a lower learning rate"
        )
        raise InputError(msg)
    if len(np.unique(truth)) < 2:
        msg = (
            f"validation split: {int(truth.sum())} fake of {len(truth)} scores, expected both "
            "classes to choose a threshold on: check the split files"
        )
        raise InputError(msg)
    fpr, tpr, levels = roc_curve(truth, score, drop_intermediate=False)
    fpr, tpr, levels = fpr[1:], tpr[1:], levels[1:]  # the first point is the threshold inf
    below = np.append(levels[1:], levels[-1])
    middle = below + (levels - below) / 2
    # The lowest score has none below it, and two neighbouring floats have none between them.
    candidates = np.where(middle > below, middle, levels)
    gain = tpr - fpr
    best = candidates[np.isclose(gain, gain.max(), rtol=0, atol=1e-12)]
    return float(min(best, key=lambda level: (round(abs(level - 0.5), 12), level)))


def check_scores(scores: pd.DataFrame, source: str = "scores") -> None:
    """Refuse scores that must not be averaged away.

    Args:
        scores: Rows of `scores.csv`.
        source: Whose scores they are, for the message.

    Raises:
        InputError: A score is not finite, or a frame is counted twice; the video is named.
    """
    broken = scores[~np.isfinite(scores["score"].to_numpy(dtype=np.float64))]
    if len(broken):
        videos = broken.drop_duplicates(VIDEO_KEY)
        msg = (
            f"{source}: {len(broken)} frames of {len(videos)} videos are not finite, the first of "
            f"{_name(videos)}; expected probabilities: test the run again, and where it diverged "
            "train it with a lower learning rate"
        )
        raise InputError(msg)
    repeated = scores[scores.duplicated([*VIDEO_KEY, "frame"])]
    if len(repeated):
        msg = (
            f"{source}: {len(repeated)} frames are counted twice, the first is frame "
            f"{repeated['frame'].iloc[0]} of {_name(repeated)}; expected each frame once: "
            "test on one process or without padding"
        )
        raise InputError(msg)


def _name(videos: pd.DataFrame) -> str:
    first = videos.iloc[0]
    return f"{first['dataset']}/{first['method']}/{first['video']} ({first['compression']})"


def evaluate_scores(
    scores: pd.DataFrame, thresholds: Mapping[str, float], aggregation: str = DEFAULT
) -> dict[str, Any]:
    """The `metrics` block of results.json.

    Args:
        scores: Rows of `scores.csv`: dataset, compression, method, video, label, frame, score.
        thresholds: Of "frame" and "video", chosen on validation, see `choose_threshold`.
        aggregation: How frames make a video's score, see `video_scores`.

    Returns:
        {"<data set> <compression>/test": {"overall": L, "by_method": {"<fake method>": L},
        "macro": L}}, with L = {"frame": M, "video": M} and M the figures of `binary_metrics` and
        their `intervals`. A fake method stands against all the reals of its data set; `macro` is
        the mean over the methods, and is there with two of them or more.

    Raises:
        InputError: See `check_scores`.
    """
    check_scores(scores)
    levels = {"frame": scores, "video": video_scores(scores, aggregation)}
    return {
        f"{dataset} {compression}/test": _evaluate_test(
            {
                level: table[(table["dataset"] == dataset) & (table["compression"] == compression)]
                for level, table in levels.items()
            },
            thresholds,
        )
        for dataset, compression in dict.fromkeys(
            zip(levels["video"]["dataset"], levels["video"]["compression"], strict=True)
        )
    }


def _evaluate_test(
    levels: dict[str, pd.DataFrame], thresholds: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """The figures of one test set, and their intervals."""
    identities = IdentityResamples(levels["video"]["video"])
    fakes = levels["video"].loc[levels["video"]["label"] == 1, "method"].unique()
    test: dict[str, dict[str, Any]] = {"overall": {}, "by_method": {str(m): {} for m in fakes}}
    if len(fakes) > 1:
        test["macro"] = {}
    for level, table in levels.items():
        threshold = thresholds[level]
        test["overall"][level], _ = _measure(table, threshold, identities)
        parts = []
        for method in fakes:
            part = table[(table["label"] == 0) | (table["method"] == method)]
            parts.append(_measure(part, threshold, identities))
            test["by_method"][str(method)][level] = parts[-1][0]
        if len(fakes) > 1:
            test["macro"][level] = _macro(parts)
    return test


def _measure(
    table: pd.DataFrame, threshold: float, identities: IdentityResamples
) -> tuple[Metrics, Resamples]:
    metrics = binary_metrics(table["label"], table["score"], threshold)
    resamples = identities.figures(table, threshold)
    return {**metrics, "intervals": _intervals(resamples)}, resamples


def _macro(parts: Sequence[tuple[Metrics, Resamples]]) -> Metrics:
    """The mean over the methods; a figure that one of them lacks is not averaged away."""
    macro: Metrics = {}
    for name in FIGURES:
        values = [metrics[name] for metrics, _ in parts]
        macro[name] = None if None in values else float(np.mean(values))
    resamples = {
        name: np.mean([resampled[name] for _, resampled in parts], axis=0) for name in FIGURES
    }
    return {**macro, "methods": len(parts), "intervals": _intervals(resamples)}


def _intervals(resamples: Resamples) -> dict[str, Interval | None]:
    return {name: percentile_interval(values) for name, values in resamples.items()}
