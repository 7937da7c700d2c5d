"""Aggregation of tables of frame scores to scores of videos."""

import numpy as np
import pandas as pd

from inference.aggregation import DEFAULT, find_aggregation
from records.scores import PEOPLE, VIDEO_KEY


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
    return videos.assign(score=aggregate(frame_scores[order], starts, counts))
