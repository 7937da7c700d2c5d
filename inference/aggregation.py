"""Aggregation of a video's frame scores to the score of the video."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from errors import look_up

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


def aggregate(name: str, scores: ArrayLike) -> float:
    """Return the score of one video of at least one frame; see `find_aggregation`."""
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    return float(find_aggregation(name)(ordered, np.array([0]), np.array([len(ordered)]))[0])


def keeps_evenly(
    position: NDArray[np.integer[Any]], count: NDArray[np.integer[Any]] | int, most: int
) -> NDArray[np.bool_]:
    """Select at most `most` frames of a video, evenly spaced.

    Args:
        position: `[n]`, of each frame among those of its video, from 0.
        count: Frames of its video, `[n]` or one number.
        most: The most frames per video.
    """
    kept = np.minimum(most, count)
    return np.asarray((position + 1) * kept // count > position * kept // count)
