"""Figures of merit at frame and at video level, from tables of scores."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    roc_auc_score,
    roc_curve,
)

from errors import InputError

# The four fakes 000_003 of four methods are four videos: an id alone does not name one.
VIDEO_KEY = ["dataset", "compression", "method", "video"]

Metrics = dict[str, float | int | None]


def equal_error_rate(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Rate at which false positives equal false negatives.

    The crossing is interpolated linearly between the two neighbouring points of the ROC curve,
    whose chord is what a coin flip between their thresholds reaches.

    Args:
        labels: [N], 1 = fake, 0 = real, both present.
        scores: [N], higher = more likely fake.
    """
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(np.interp(0.0, fpr - (1.0 - tpr), fpr))


def binary_metrics(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Metrics:
    """The figures of one set of frames or videos; None where one is undefined.

    Args:
        labels: [N], 1 = fake, 0 = real.
        scores: [N], probability of fake, finite.
        threshold: A score of at least this counts as fake.

    Returns:
        auc, ap, eer, accuracy, balanced_accuracy, threshold, real, fake. With one class only, auc,
        ap, eer and balanced_accuracy are None; with no sample, accuracy is too.
    """
    truth = np.asarray(labels, dtype=np.int64)
    score = np.asarray(scores, dtype=np.float64)
    predicted = (score >= threshold).astype(np.int64)
    fake = int(truth.sum())
    real = len(truth) - fake
    both = real > 0 and fake > 0
    return {
        "auc": float(roc_auc_score(truth, score)) if both else None,
        "ap": float(average_precision_score(truth, score)) if both else None,
        "eer": equal_error_rate(truth, score) if both else None,
        "accuracy": float(accuracy_score(truth, predicted)) if len(truth) else None,
        "balanced_accuracy": float(balanced_accuracy_score(truth, predicted)) if both else None,
        "threshold": float(threshold),
        "real": real,
        "fake": fake,
    }


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


def video_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a video: the mean of its frames' probabilities.

    Args:
        scores: Rows of `scores.csv`: dataset, compression, method, video, label, frame, score.

    Returns:
        dataset, compression, method, video, label, score, in order of first appearance.
    """
    return scores.groupby([*VIDEO_KEY, "label"], sort=False)["score"].mean().reset_index()


def check_scores(scores: pd.DataFrame) -> None:
    """Refuse scores that must not be averaged away.

    Raises:
        InputError: A score is not finite, or a frame is counted twice; the video is named.
    """
    broken = scores[~np.isfinite(scores["score"].to_numpy(dtype=np.float64))]
    if len(broken):
        videos = broken.drop_duplicates(VIDEO_KEY)
        msg = (
            f"scores: {len(broken)} frames of {len(videos)} videos are not finite, the first of "
            f"{_name(videos)}; expected probabilities: the run diverged, train it again with a "
            "lower learning rate"
        )
        raise InputError(msg)
    repeated = scores[scores.duplicated([*VIDEO_KEY, "frame"])]
    if len(repeated):
        msg = (
            f"scores: {len(repeated)} frames are counted twice, the first is frame "
            f"{repeated['frame'].iloc[0]} of {_name(repeated)}; expected each frame once: "
            "test on one process or without padding"
        )
        raise InputError(msg)


def _name(videos: pd.DataFrame) -> str:
    first = videos.iloc[0]
    return f"{first['dataset']}/{first['method']}/{first['video']} ({first['compression']})"


def evaluate_scores(scores: pd.DataFrame, threshold: float) -> dict[str, Any]:
    """The `metrics` block of results.json.

    Args:
        scores: Rows of `scores.csv`: dataset, compression, method, video, label, frame, score.
        threshold: Chosen on validation, see `choose_threshold`.

    Returns:
        {"<data set> <compression>/test": {"overall": {"frame": M, "video": M}, "by_method":
        {"<fake method>": {"frame": M, "video": M}}}}. A fake method stands against all the reals
        of its data set.

    Raises:
        InputError: See `check_scores`.
    """
    check_scores(scores)
    videos = video_scores(scores)
    metrics: dict[str, Any] = {}
    for dataset, compression in dict.fromkeys(
        zip(videos["dataset"], videos["compression"], strict=True)
    ):
        levels = {
            level: table[(table["dataset"] == dataset) & (table["compression"] == compression)]
            for level, table in (("frame", scores), ("video", videos))
        }
        fakes = levels["video"].loc[levels["video"]["label"] == 1, "method"].unique()
        metrics[f"{dataset} {compression}/test"] = {
            "overall": _metrics_by_level(levels, threshold),
            "by_method": {
                str(method): _metrics_by_level(
                    {
                        level: table[(table["label"] == 0) | (table["method"] == method)]
                        for level, table in levels.items()
                    },
                    threshold,
                )
                for method in fakes
            },
        }
    return metrics


def _metrics_by_level(levels: dict[str, pd.DataFrame], threshold: float) -> dict[str, Metrics]:
    return {
        level: binary_metrics(table["label"].to_numpy(), table["score"].to_numpy(), threshold)
        for level, table in levels.items()
    }
