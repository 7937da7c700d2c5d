"""What the choice of test videos does to a figure: a bootstrap over identities."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.metrics.weighted_metrics import weighted_figures

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


class IdentityResamples:
    """How often each identity of a test set is drawn, in RESAMPLES draws of as many as there are.

    The real video and all the fakes of one target identity show the same person in the same scene,
    so they are drawn together: resampling videos one by one, or frames, would claim more
    independent evidence than there is. The draws depend on the set of identities alone, so those
    of two runs over the same videos are paired, and so are those of a test set's methods.

    Args:
        videos: Ids of the test set's videos.
    """

    def __init__(self, videos: Iterable[str]) -> None:
        self._number = {name: i for i, name in enumerate(sorted({identity(v) for v in videos}))}
        count = len(self._number)
        rng = np.random.default_rng(SEED)
        draws = rng.multinomial(count, np.full(count, 1 / max(count, 1)), size=RESAMPLES)
        self.weights: NDArray[np.float64] = draws.astype(np.float64)

    def members(self, videos: pd.Series) -> NDArray[np.int64]:
        """Give the column of `weights`, `[RESAMPLES, identities]`, of each video `[N]`."""
        codes, names = pd.factorize(videos)
        numbers = np.array([self._number[identity(name)] for name in names], dtype=np.int64)
        return numbers[codes]

    def figures(self, table: pd.DataFrame, threshold: float) -> dict[str, NDArray[np.float64]]:
        """Every figure over the resamples, nan where one is undefined.

        Args:
            table: Frames or videos of the test set: video, label, score.
            threshold: A score of at least this counts as fake.
        """
        return weighted_figures(
            table["label"].to_numpy(dtype=np.int64),
            table["score"].to_numpy(dtype=np.float64),
            threshold,
            self.weights,
            self.members(table["video"]),
        )


def auc_resamples(videos: pd.DataFrame, method: str | None = None) -> NDArray[np.float64]:
    """Video AUC over resamples of the test identities.

    Args:
        videos: One row a video of the whole test set: method, video, label, score.
        method: Fakes of this method alone, against all reals.

    Returns:
        [RESAMPLES], nan where a resample holds one class only.
    """
    identities = IdentityResamples(videos["video"])
    if method is not None:
        videos = videos[(videos["label"] == 0) | (videos["method"] == method)]
    return identities.figures(videos, threshold=0.5)["auc"]


def percentile_interval(resamples: NDArray[np.float64]) -> Interval | None:
    """The central 95 % of the defined resamples; None where there is none."""
    defined = resamples[~np.isnan(resamples)]
    if not len(defined):
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
