"""Ranks and p-values keep what they promise, in simulations."""

from statistics import NormalDist

import numpy as np
import pytest

from checking.calibration import fewest_videos, p_value
from checking.ranks import KnownVideos, share
from inference.reference import Reference


@pytest.mark.parametrize(("people", "videos", "correlation"), [(140, 1, 0.0), (40, 4, 0.6)])
def test_the_intervals_of_shares_cover_95_percent(
    people: int, videos: int, correlation: float
) -> None:
    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(people), videos)
    covered = []
    for _ in range(1500):
        own = rng.normal(size=people)[identity]
        known = np.sqrt(correlation) * own
        known += np.sqrt(1 - correlation) * rng.normal(size=len(identity))
        score = rng.normal()
        found = share(known >= score, identity.astype(str))
        covered.append(found.low <= NormalDist().cdf(-score) <= found.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("videos", "level"), [(72, 0.05), (120, 0.05), (400, 0.01)])
def test_false_alarms_stay_below_the_level_in_nearly_every_calibration(
    videos: int, level: float
) -> None:
    """The rate of a split is 1 - U where scores are uniform and its threshold is U."""
    rng = np.random.default_rng(0)
    most = max(k for k in range(20) if p_value(k, videos).bound <= level)
    thresholds = np.sort(rng.random((200, videos)))[:, -1 - most]
    assert np.mean(1 - thresholds <= level) >= 0.95


def test_conformal_p_values_are_valid_on_average() -> None:
    rng = np.random.default_rng(0)
    p_values = [p_value(k, 99).p for k in range(100)]
    known, new = rng.random((20_000, 99)), rng.random((20_000, 1))
    p = np.array(p_values)[(known >= new).sum(axis=1)]
    for level in (0.01, 0.05, 0.2):
        assert np.mean(p <= level) <= level + 3 * np.sqrt(level / 20_000)


@pytest.mark.parametrize(("level", "fewest"), [(0.05, 72), (0.01, 368), (0.2, 17)])
def test_a_level_needs_so_many_videos(level: float, fewest: int) -> None:
    assert fewest_videos(level) == fewest
    assert p_value(0, fewest).bound <= level < p_value(0, fewest - 1).bound


def test_a_share_says_what_it_counts() -> None:
    known = np.arange(140)
    found = share(known >= 137, known.astype(str))
    assert (found.count, found.videos, found.identities) == (3, 140, 140)
    assert found.percent == "2 %, 0-7 %"


def test_known_videos_are_aggregated_over_as_many_frames() -> None:
    """Two frames per known video: a single frame is compared with single frames."""
    scores = np.array([0.1, 0.9, 0.2, 0.4, 0.8, 1.0])
    text = np.array(["a", "b", "c"])
    reference = Reference(
        score=np.array([0.5, 0.3, 0.9]),
        label=np.array([0, 0, 1]),
        method=text,
        video=text,
        identity=text,
        side=np.full(3, 100.0),
        frame_video=np.repeat(np.arange(3), 2),
        frame_score=scores,
    )
    known = KnownVideos(reference, "mean")
    assert known.frames == 2
    assert known.ranks(0.45, frames=2)[0].count == 1
    assert known.ranks(0.45, frames=1)[0].count in (0, 1)
    assert known.ranks(0.95, frames=2)[1].count == 1
