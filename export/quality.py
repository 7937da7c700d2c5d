"""How blurred or compressed a face may be for a detector's answer to hold."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from evaluation.measurement.corrupted_scores import (
    Condition,
    CorruptedVideos,
    SplitCrops,
    Videos,
    conditions,
)
from evaluation.measurement.corruptions import CORRUPTIONS
from evaluation.metrics.auc import auc_contributions
from faces.frame_index import evenly_spaced
from inference.aggregation import aggregate
from inference.card import Corrupted, Quality
from inference.crop_scorer import CropScorer
from inference.quality import MEASURES, measure

MEASURED_BY = {
    "blur": "sharpness",
    "down-scaling": "sharpness",
    "JPEG": "detail",
    "H.264": "detail",
}
"""The corruptions that blur or compress, each with the measure that it lowers."""

# 21 conditions of 3,200 crops take a few minutes on two cores.
_VIDEOS_PER_CLASS, _CROPS_PER_VIDEO = 200, 8
# A face worse than this share of the clean videos is not covered, however robust the detector is.
_WORST = 0.01
# An answer is wrong if it is rarer than this among the clean videos of its class.
_RARE = 0.05
# Twice the rate on clean videos, whose own is uncertain by as much with 80 videos of a class.
_MOST_WRONG = 0.10
# Where the AUC has fallen by more, no rank means what it did.
_LOST_AUC = 0.05

T = TypeVar("T")


def measure_quality(scorer: CropScorer, crops: SplitCrops, aggregation: str) -> Quality:
    """Score validation videos clean, blurred and compressed, and derive the limits.

    An answer is wrong if a real video scores above all but 5 % of the clean real ones, or a forgery
    below all but 5 % of the clean ones; if the video AUC is lower by more than .05, all answers
    are. A measure's limit is the worst value with which, at every level of its corruptions, at most
    a tenth of the real videos and of the forgeries are better and get a wrong answer. It is never
    below the worst hundredth of the clean videos.

    Args:
        scorer: The exported network.
        crops: The validation split. At most 200 real and 200 fake videos are used, evenly spread
            over methods and people, with at most 8 crops each.
        aggregation: Name of the aggregation of frame scores.

    Raises:
        InputError: The split has no real or no fake video.
    """
    labels, videos = _sample(crops)
    real, tried = labels == 0, conditions(list(MEASURED_BY))
    sample = replace(crops, videos=videos)
    found = [_score(CorruptedVideos(sample, one), scorer, aggregation) for one in tried]
    scores, quality = (np.stack(part) for part in zip(*found, strict=True))
    aucs, _ = auc_contributions(labels, scores)
    alarm, miss = np.quantile(scores[0, real], 1 - _RARE), np.quantile(scores[0, ~real], _RARE)
    wrong = np.where(real, scores > alarm, scores < miss)
    limits = np.quantile(quality[0], _WORST, axis=0)
    for number, condition in enumerate(tried[1:], start=1):
        by = MEASURES.index(MEASURED_BY[condition.corruption])
        is_lost = aucs[number] < aucs[0] - _LOST_AUC
        for of_class in (real, ~real):
            values = quality[number, of_class & (wrong[number] | is_lost), by]
            limits[by] = max(limits[by], _limit(values, int(_MOST_WRONG * of_class.sum())))
    covered = (quality > limits).all(axis=2)
    curve = [
        Corrupted(
            corruption=condition.corruption,
            level=_level(condition),
            sharpness=float(np.median(quality[number, :, 0])),
            detail=float(np.median(quality[number, :, 1])),
            auc=float(aucs[number]),
            false_alarms=float(wrong[number, real].mean()),
            misses=float(wrong[number, ~real].mean()),
            covered=float(covered[number].mean()),
            covered_false_alarms=float((wrong & covered)[number, real].mean()),
            covered_misses=float((wrong & covered)[number, ~real].mean()),
        )
        for number, condition in enumerate(tried)
    ]
    sharpness, detail = limits.tolist()
    return Quality(sharpness, detail, int(real.sum()), int((~real).sum()), curve)


def spread(values: Sequence[T], most: int) -> list[T]:
    """Select at most `most` values, evenly spaced."""
    return [values[i] for i in evenly_spaced(len(values), most)]


def _sample(crops: SplitCrops) -> tuple[NDArray[np.int64], Videos]:
    """Select videos, which are sorted by method and name, and crops of each; return the labels."""
    labels = crops.store.manifest["label"]
    sample: Videos = []
    for label, kind in enumerate(("real", "fake")):
        of_class = [video for video in crops.videos if labels[video[1][0]] == label]
        if not of_class:
            msg = (
                f"{crops.store.root}: no {kind} validation video, expected real and fake ones: "
                "choose the store of the training with --crops"
            )
            raise InputError(msg)
        sample += spread(of_class, _VIDEOS_PER_CLASS)
    sample = [(name, spread(rows, _CROPS_PER_VIDEO)) for name, rows in sample]
    return np.array([labels[rows[0]] for _, rows in sample], dtype=np.int64), sample


def _score(
    videos: CorruptedVideos, scorer: CropScorer, aggregation: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores `[n]` and the medians of the measures `[n, measures]` of videos."""
    scores, quality = [], []
    for index in range(len(videos)):
        _, crops = videos[index]
        scores.append(aggregate(aggregation, scorer.score(crops).probabilities))
        quality.append(np.median([measure(crop) for crop in crops], axis=0))
    return np.array(scores), np.array(quality)


def _limit(values: NDArray[np.float64], most: int) -> float:
    """Return the value that at most `most` of these exceed."""
    return float(np.sort(values)[::-1][most]) if len(values) > most else -np.inf


def _level(condition: Condition) -> float | None:
    """Return the value of a condition's level; None for the clean crops."""
    if not condition.level:
        return None
    return float(CORRUPTIONS[condition.corruption].levels[condition.level - 1])
