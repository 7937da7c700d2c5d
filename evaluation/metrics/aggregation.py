"""Aggregation of a video's frame scores to the score of the video."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from errors import look_up
from records.scores import PEOPLE, VIDEO_KEY

DEFAULT = "mean"

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Aggregation = Callable[[Floats, Indices, Indices], Floats]
"""From the frame scores of all videos, video by video and sorted within each, with the first index
and the number of frames of each video, to the video scores."""


def _logit_mean(scores: Floats, starts: Indices, counts: Indices) -> Floats:
    eps = np.finfo(np.float64).eps
    clipped = np.clip(scores, eps, 1 - eps)
    mean = np.add.reduceat(np.log(clipped) - np.log1p(-clipped), starts) / counts
    return 1 / (1 + np.exp(-mean))


def _top_mean(k: int) -> Aggregation:
    def top_mean(scores: Floats, starts: Indices, counts: Indices) -> Floats:
        used = np.minimum(k, counts)
        ends = starts + counts
        bounds = np.stack([ends - used, ends], axis=1).ravel()
        # reduceat requires every bound to be a valid index, and the last end is not.
        return np.add.reduceat(np.append(scores, 0.0), bounds)[::2] / used

    return top_mean


AGGREGATIONS: dict[str, Aggregation] = {
    "mean": lambda s, starts, counts: np.add.reduceat(s, starts) / counts,
    "median": lambda s, starts, n: (s[starts + (n - 1) // 2] + s[starts + n // 2]) / 2,
    "max": lambda s, starts, counts: s[starts + counts - 1],
    "logit-mean": _logit_mean,
}
"""Aggregations by name; `top-<k>` is the mean of the k highest scores."""


def find_aggregation(name: str) -> Aggregation:
    """Return the aggregation with this name; an unknown name is an InputError."""
    top = re.fullmatch(r"top-([1-9]\d*)", name)
    if top:
        return _top_mean(int(top[1]))
    return look_up("aggregation", name, {**AGGREGATIONS, "top-3": _top_mean(3)})


def video_scores(scores: pd.DataFrame, aggregation: str = DEFAULT) -> pd.DataFrame:
    """Aggregate frame scores to one row per video.

    Args:
        scores: Rows of `records.scores.COLUMNS`, checked by `records.scores.check_scores`.
        aggregation: See `find_aggregation`.

    Returns:
        dataset, compression, method, video, target and source if known, label and score, in order
        of first appearance.
    """
    aggregate = find_aggregation(aggregation)
    codes = scores.groupby(VIDEO_KEY, sort=False, observed=True).ngroup().to_numpy()
    frame_scores = scores["score"].to_numpy(dtype=np.float64)
    # Sorting makes a video's sum independent of the order of its frames, to the last bit.
    order = np.lexsort((frame_scores, codes))
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    kept = [name for name in (*VIDEO_KEY, *PEOPLE, "label") if name in scores]
    videos = scores.drop_duplicates(VIDEO_KEY)[kept].reset_index(drop=True)
    if not len(scores):
        return videos.assign(score=frame_scores)
    return videos.assign(score=aggregate(frame_scores[order], starts, counts))
