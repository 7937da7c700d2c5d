"""Bootstrap resamples of the identities of a test set."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from records.protocol import RESAMPLES

SEED = 0


def identity(video: str) -> str:
    """Return the identity whose video was used or manipulated: the id up to its first underscore.

    In FaceForensics++, `071` and `071_054` (target_source) have the identity `071`. In Celeb-DF,
    `id0_0000` and `id0_id1_0000` have `id0`, and each `YouTube-real` video is its own identity.
    """
    return video.split("_", maxsplit=1)[0]


@lru_cache(maxsize=4)
def _draw(count: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(SEED)
    draws = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
    draws.flags.writeable = False  # shared by all tables of as many identities
    return draws


class IdentityResamples:
    """Number of times that each identity of a test set is drawn, in each of RESAMPLES resamples.

    A resample draws as many identities as there are, with replacement. All videos of one identity
    are drawn together, because they show the same person in the same scene: resampling single
    videos or frames overstates the evidence. The draws depend on the set of identities only, so
    they are paired between runs over the same videos, and between the methods of a test set.

    Args:
        videos: Ids of the videos, at least one.

    Attributes:
        identities: The sorted identities, `[G]`.
        weights: Number of times that each is drawn, `[RESAMPLES, G]`.
    """

    def __init__(self, videos: Iterable[str]) -> None:
        self.identities = sorted({identity(video) for video in videos})
        self.weights = _draw(len(self.identities))

    def members(self, videos: pd.Series) -> NDArray[np.int64]:
        """Return the column of `weights` of each video, `[N]`."""
        codes, names = pd.factorize(videos)
        numbers = {name: number for number, name in enumerate(self.identities)}
        return np.array([numbers[identity(name)] for name in names], dtype=np.int64)[codes]
