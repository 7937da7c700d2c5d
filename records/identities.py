"""The people of a test set, and which of its videos are independent of each other."""

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from records.protocol import RESAMPLES

SEED = 0

_BETWEEN = "\x1f"
"""Separates target and source in a key of `shown_people`; no id contains it."""


def shown_people(table: pd.DataFrame) -> pd.Series:
    """Return a key of the people that each video shows, from which `people` returns them.

    It is made of `target` and `source`. Where the table lacks them, or the target is unknown, it is
    the id of the video.
    """
    if "target" not in table or "source" not in table:
        return table["video"]
    video, target, source = (table[name].astype(str) for name in ("video", "target", "source"))
    return (target + _BETWEEN + source).where(target != "", video)


def people(video: str) -> tuple[str, ...]:
    """Return the people that a video shows: its target, and its source where the id names one.

    `video` is an id or a key of `shown_people`. In FaceForensics++, `071` shows `071`, and
    `071_054` (target_source) shows both. In Celeb-DF, `id0_0000` shows `id0`, `id0_id1_0000` both,
    and each `YouTube-real` video a person of its own.
    """
    target, between, source = video.partition(_BETWEEN)
    if between:
        return (target, source) if source else (target,)
    target, second, *_ = *video.split("_"), ""
    return (target, second) if _shape(target) == _shape(second) else (target,)


def named_by_ids(table: pd.DataFrame) -> bool:
    """Return whether the ids of all videos name the people that `target` and `source` are."""
    shown = zip(shown_people(table), table["video"], strict=True)
    return all(set(people(key)) == set(people(video)) for key, video in shown)


def identity(video: str) -> str:
    """Return the target: the identity whose video was used or manipulated."""
    return people(video)[0]


def _shape(name: str) -> object:
    """Return what ids of people have in common: the letters before the digits, or the length."""
    numbered = re.fullmatch(r"(\D*)\d+", name)
    return (numbered[1] or len(name)) if numbered else name


class IdentityUnits:
    """The independent units of a test set's videos.

    Two people whose faces were exchanged only with each other, as in FaceForensics++, are one unit.
    Where more people are crossed, as in Celeb-DF, each person is a unit, and a forged video belongs
    to two. Videos of the same units form a group.

    Args:
        videos: Keys of `shown_people`, or ids of videos; at least one.

    Attributes:
        units: Names of the units, sorted.
        people: Number of people.
    """

    def __init__(self, videos: Iterable[str]) -> None:
        shown = {video: people(video) for video in set(videos)}
        names = sorted({name for pair in shown.values() for name in pair})
        self.people = len(names)
        number = {name: i for i, name in enumerate(names)}
        ends = [[number[pair[end]] for pair in shown.values()] for end in (0, -1)]
        linked = coo_array((np.ones(len(shown)), ends), shape=(len(names), len(names)))
        _, component = connected_components(linked, directed=False)
        first = {c: names[i] for i, c in reversed(list(enumerate(component)))}
        small = np.bincount(component) <= 2
        unit = {n: first[c] if small[c] else n for n, c in zip(names, component, strict=True)}
        groups = {video: frozenset(unit[name] for name in pair) for video, pair in shown.items()}
        distinct = sorted(set(groups.values()), key=sorted)
        self._groups = groups
        self.units = sorted(set(unit.values()))
        column = {name: i for i, name in enumerate(self.units)}
        pairs = [sorted(column[name] for name in group) for group in distinct]
        self._first, self._second = np.array([(pair[0], pair[-1]) for pair in pairs]).T
        self._crossed = self._first != self._second
        index = {group: i for i, group in enumerate(distinct)}
        self._group = {video: index[group] for video, group in groups.items()}

    @property
    def df(self) -> int:
        """Degrees of freedom of `covariance`.

        Where people are crossed, as many as for pairs of them: with one per person, intervals
        around an AUC of .98 cover 92.7 % for 20 people.
        """
        shared = 2 if self._crossed.any() else 1
        return max(len(self.units) // shared - 1, 0)

    def of(self, video: str) -> list[str]:
        """Return the one or two units that a video belongs to."""
        return sorted(self._groups[video])

    def members(self, videos: pd.Series) -> NDArray[np.int64]:
        """Return the group of each video, `[N]`."""
        codes, names = pd.factorize(videos)
        return np.array([self._group[name] for name in names], dtype=np.int64)[codes]

    def sums(self, values: NDArray[np.float64], videos: pd.Series) -> NDArray[np.float64]:
        """Sum values over the videos of each group: `[..., N]` to `[..., G]`."""
        where = np.arange(len(videos)), self.members(videos)
        member = coo_array((np.ones(len(videos)), where), (len(videos), len(self._first)))
        sums = member.T @ values.reshape(-1, len(videos)).T
        return sums.T.reshape(*values.shape[:-1], -1)

    def weights(self) -> NDArray[np.float64]:
        """Return how often each group is drawn in each bootstrap resample, `[RESAMPLES, G]`.

        A resample draws as many units as there are, with replacement; a group of two units is drawn
        as often as the product (Owen, "The pigeonhole bootstrap", 2007). The draws depend on the
        set of units only, so they are paired between runs over the same videos.
        """
        draws = _draw(len(self.units))
        return draws[:, self._first] * np.where(self._crossed, draws[:, self._second], 1.0)

    def covariance(self, parts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the covariance, over test identities, of statistics that are sums over the groups.

        Groups with a common unit are dependent (Fafchamps and Gubert 2007): the products of all
        units' sums, minus those of the groups of two units, which these count twice. Where few
        people make that negative, groups count as independent. The factor for few units is that of
        the jackknife, which leaves out one unit, or the two of a group.

        Args:
            parts: Contribution of each group to each of R statistics, `[..., R, G]`.

        Returns:
            `[..., R, R]`.
        """
        columns = np.arange(len(self.units))
        incidence = (self._first[:, None] == columns) | (self._second[:, None] == columns)
        units, twice = parts @ incidence.astype(np.float64), parts[..., self._crossed]
        products = units @ units.swapaxes(-1, -2) - twice @ twice.swapaxes(-1, -2)
        variances = np.diagonal(products, axis1=-2, axis2=-1)
        negative = np.any(variances <= 0, axis=-1, keepdims=True)[..., None]
        products = np.where(negative, parts @ parts.swapaxes(-1, -2), products)
        left_out = 2 if self._crossed.any() else 1
        return products * (len(columns) / max(len(columns) - left_out, 1)) ** 2


@lru_cache(maxsize=4)
def _draw(count: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(SEED)
    draws = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
    draws.flags.writeable = False  # shared by all tables of as many units
    return draws
