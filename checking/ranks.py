"""The rank of a score among videos whose truth is known, with its uncertainty."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.aggregation import find_aggregation, keeps_evenly
from inference.reference import Reference

_Z = 1.959964  # of the normal distribution, for 95 %


@dataclass(frozen=True)
class Share:
    """How many known videos score at least as extremely, of how many, with a 95 % interval.

    Attributes:
        count: How many score at least as extremely.
        videos: Number of known videos.
        identities: Number of independent units among them.
        low: Lower bound of the share in the population.
        high: Its upper bound.
    """

    count: int
    videos: int
    identities: int
    low: float
    high: float

    @property
    def percent(self) -> str:
        """The share and its interval, e.g. "2 %, 0-6 %"."""
        low, high = math.floor(100 * self.low), math.ceil(100 * self.high)
        return f"{100 * self.count / self.videos:.0f} %, {low}-{high} %"


def share(is_as_extreme: NDArray[np.bool_], identity: NDArray[np.str_]) -> Share:
    """Return the share of videos with its interval over identities.

    Wilson's score interval (JASA 1927) with the effective number of videos: their number divided by
    the design effect, the ratio of the variance over identities to the binomial one (Kish 1965),
    which at a share of 0 or 1 is unknown: there the identities count. Student's t replaces the
    normal quantile.

    Args:
        is_as_extreme: `[n]`, whether each video scores as extremely; n is at least 1.
        identity: `[n]`, the independent unit that each belongs to.
    """
    names, member = np.unique(identity, return_inverse=True)
    videos, units, count = len(identity), len(names), int(is_as_extreme.sum())
    mean = count / videos
    effective = float(units)
    if 0 < count < videos and units > 1:
        residuals = np.bincount(member, weights=is_as_extreme - mean)
        variance = (residuals**2).sum() / videos**2 * units / (units - 1)
        # Fewer than the identities or more than the videos is chance.
        effective = float(np.clip(mean * (1 - mean) / variance, min(units, videos), videos))
    t = _student(units - 1)
    centre = (mean + t**2 / (2 * effective)) / (1 + t**2 / effective)
    spread = math.sqrt(mean * (1 - mean) / effective + t**2 / (4 * effective**2))
    half = t * spread / (1 + t**2 / effective)
    # A rarer score must not have the larger bound: the bound of a count of 0 is the least.
    none = t**2 / (units + t**2)
    low, high = min(centre - half, 1 - none), max(centre + half, none)
    return Share(count, videos, units, max(0.0, low), min(1.0, high))


def _student(df: int) -> float:
    """Return the 97.5 % quantile of Student's t: Cornish and Fisher's expansion, to 1 % from 3."""
    df, z = max(df, 3), _Z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / df + second / df**2 + third / df**3


class KnownVideos:
    """The validation videos of a package, scored on as many frames as a new video.

    Args:
        reference: The package's.
        aggregation: Name of the aggregation of frame scores.
    """

    def __init__(self, reference: Reference, aggregation: str) -> None:
        self._reference, self._aggregate = reference, find_aggregation(aggregation)
        self._counts = np.bincount(reference.frame_video, minlength=len(reference.label))
        self.frames = int(np.median(self._counts))
        """Frames per video in the validation."""
        fakes = reference.label[reference.frame_video] == 1
        scores = reference.frame_score
        self.medians = float(np.median(scores[~fakes])), float(np.median(scores[fakes]))
        """Of the frames of known real videos, and of known forgeries."""

    def ranks(self, score: float, frames: int) -> tuple[Share, Share]:
        """Return the shares of real videos that score as high, and of fakes that score as low.

        Args:
            score: Of a new video.
            frames: Number of frames it is aggregated over: the known videos are, too.
        """
        known, real = self._scores(frames), self._reference.label == 0
        identity = self._reference.identity
        return (
            share(known[real] >= score, identity[real]),
            share(known[~real] <= score, identity[~real]),
        )

    def _scores(self, frames: int) -> NDArray[np.float64]:
        video, scores = self._reference.frame_video, self._reference.frame_score
        position = np.arange(len(video)) - (np.cumsum(self._counts) - self._counts)[video]
        kept = keeps_evenly(position, self._counts[video], frames)
        video, scores = video[kept], scores[kept]
        order = np.lexsort((scores, video))
        counts = np.bincount(video, minlength=len(self._counts))
        return self._aggregate(scores[order], np.cumsum(counts) - counts, counts)
