"""What the choice of test videos does to a video AUC: a bootstrap over identities."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 0
CONFIDENCE = 0.95

Interval = tuple[float, float]


def identity(video: str) -> str:
    """Identity whose video was used or manipulated: what is before the first underscore.

    FaceForensics++: `071` and `071_054` (target_source) give `071`. Celeb-DF: `id0_0000` and
    `id0_id1_0000` give `id0`, and each `YouTube-real` video its own number.
    """
    return video.split("_", maxsplit=1)[0]


def auc_resamples(videos: pd.DataFrame) -> NDArray[np.float64]:
    """Video AUC over resamples of the test identities.

    The real video and all the fakes of one target identity show the same person in the same scene,
    so they are drawn together: resampling videos one by one would claim more independent evidence
    than there is. The resamples depend on the set of videos alone, so those of two runs over the
    same videos in the same order are paired.

    Args:
        videos: One row a video: video, label, score.

    Returns:
        [RESAMPLES], nan where a resample holds one class only.
    """
    labels = videos["label"].to_numpy(dtype=np.int64)
    scores = videos["score"].to_numpy(dtype=np.float64)
    people, index = np.unique([identity(video) for video in videos["video"]], return_inverse=True)
    rng = np.random.default_rng(SEED)
    draws = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=RESAMPLES)
    weights = draws[:, index].astype(np.float64)  # [resamples, videos]
    fakes, reals = scores[labels == 1, None], scores[None, labels == 0]
    wins = (fakes > reals) + 0.5 * (fakes == reals)  # [fake, real]; its weighted mean is the AUC
    fake_weights, real_weights = weights[:, labels == 1], weights[:, labels == 0]
    won = ((fake_weights @ wins) * real_weights).sum(axis=1)
    pairs = fake_weights.sum(axis=1) * real_weights.sum(axis=1)
    aucs = np.full(RESAMPLES, np.nan)
    np.divide(won, pairs, out=aucs, where=pairs > 0)
    return aucs


def percentile_interval(resamples: NDArray[np.float64]) -> Interval | None:
    """The central 95 % of the defined resamples; None where there is none."""
    defined = resamples[~np.isnan(resamples)]
    if not len(defined):
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
