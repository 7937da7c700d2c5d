"""From the scores of a video's frames to the score of the video."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from errors import InputError, look_up

# The four fakes 000_003 of four methods are four videos: an id alone does not name one.
VIDEO_KEY = ["dataset", "compression", "method", "video"]

DEFAULT = "mean"

# Of sorted frame scores, all videos behind one another: where each video begins, and its frames.
Aggregation = Callable[
    [NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]
]


def _mean(
    scores: NDArray[np.float64], starts: NDArray[np.intp], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    return np.add.reduceat(scores, starts) / counts


def _median(
    scores: NDArray[np.float64], starts: NDArray[np.intp], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    return (scores[starts + (counts - 1) // 2] + scores[starts + counts // 2]) / 2


def _max(
    scores: NDArray[np.float64], starts: NDArray[np.intp], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    return scores[starts + counts - 1]


def _logit_mean(
    scores: NDArray[np.float64], starts: NDArray[np.intp], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    tiny = np.finfo(np.float64).eps
    sure = np.clip(scores, tiny, 1 - tiny)
    mean = np.add.reduceat(np.log(sure) - np.log1p(-sure), starts) / counts
    return 1 / (1 + np.exp(-mean))


def _top_mean(k: int) -> Aggregation:
    def top_mean(
        scores: NDArray[np.float64], starts: NDArray[np.intp], counts: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        used = np.minimum(k, counts)
        ends = starts + counts
        inside = np.stack([ends - used, ends], axis=1).ravel()
        # reduceat needs every bound inside: the last end is behind the last score.
        return np.add.reduceat(np.append(scores, 0.0), inside)[::2] / used

    return top_mean


AGGREGATIONS: dict[str, Aggregation] = {
    "mean": _mean,
    "median": _median,
    "max": _max,
    "logit-mean": _logit_mean,
}
"""By name; beside these, `top-3` is the mean of the three highest, and so any number."""


def find_aggregation(name: str) -> Aggregation:
    """Give the aggregation of this name.

    Raises:
        InputError: There is none; the names are listed.
    """
    top = re.fullmatch(r"top-([1-9]\d*)", name)
    if top:
        return _top_mean(int(top[1]))
    return look_up("aggregation", name, {**AGGREGATIONS, "top-3": _top_mean(3)})


def video_scores(scores: pd.DataFrame, aggregation: str = DEFAULT) -> pd.DataFrame:
    """One row a video, its score that of its frames.

    Args:
        scores: Rows of `scores.csv`: dataset, compression, method, video, label, frame, score.
        aggregation: Of AGGREGATIONS, or `top-<k>`.

    Returns:
        dataset, compression, method, video, label, score, in order of first appearance.

    Raises:
        InputError: The aggregation has no such name, or a video has frames of both labels.
    """
    aggregate = find_aggregation(aggregation)
    codes = scores.groupby(VIDEO_KEY, sort=False).ngroup().to_numpy()
    frame_scores = scores["score"].to_numpy(dtype=np.float64)
    # Sorted, a video's frames give the same sum to the last bit in whatever order they came.
    order = np.lexsort((frame_scores, codes))
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    videos = scores.drop_duplicates(VIDEO_KEY)[[*VIDEO_KEY, "label"]].reset_index(drop=True)
    labels = scores["label"].to_numpy()
    mixed = labels != videos["label"].to_numpy()[codes]
    if mixed.any():
        key = "/".join(scores.loc[scores.index[mixed][0], ["dataset", "method", "video"]])
        msg = f"scores: {key} has frames of both labels, expected one: test the run again"
        raise InputError(msg)
    if not len(scores):
        return videos.assign(score=frame_scores)
    return videos.assign(score=aggregate(frame_scores[order], starts, counts))
