from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.utils.data import Sampler

from datamodules.crops.manifest import video_codes
from inference.aggregation import keeps_evenly

Rows = NDArray[np.integer[Any]]
Chances = NDArray[np.float64]
SAMPLED = ["dataset", "compression", "method", "video", "target", "label", "frame"]
"""Columns of the manifest that the functions of this file read."""
_PERSON = ["dataset", "compression", "target"]


class View(NamedTuple):
    """One crop as a batch shows it: its row, the seed of its augmentation, see `Batch`."""

    row: int
    seed: int | None = None
    sample: int = -1


class FakeIndex:
    """Draws fakes by method, person and nearest frame.

    One sorted integer per fake packs method, person and frame, so that a binary search finds the
    person's nearest frame. `limits` are the numbers of people and of frames.
    """

    def __init__(
        self, rows: Rows, method: Rows, person: Rows, frame: Rows, limits: tuple[int, int]
    ) -> None:
        self._people, self._frames = limits
        keys = self._key(method, person, frame)
        order = np.argsort(keys, kind="stable")
        self.keys, self.rows = keys[order], rows[order]

    def draw(self, method: Rows, person: Rows, frame: Rows, chance: Chances, tie: Chances) -> Rows:
        """Return one fake per request, of the method and the person and nearest in frame, `[n]`.

        A person without a fake of the method gets any fake of the method. `chance` selects among
        equally good fakes, `tie` between an earlier and a later frame; both are uniform in [0, 1).
        """
        first = self._key(method, person, np.zeros_like(frame))
        lows, highs = self._range(first, first + self._frames)
        of_method = self._key(method, np.zeros_like(person), np.zeros_like(frame))
        anyone = _pick(*self._range(of_method, of_method + self._people * self._frames), chance)
        key = first + frame
        found = np.searchsorted(self.keys, key)
        before = self.keys[np.clip(found - 1, lows, len(self.keys) - 1)]
        after = self.keys[np.minimum(found, highs - 1)]
        to_before, to_after = np.abs(before - key), np.abs(after - key)
        is_before = (to_before < to_after) | ((to_before == to_after) & (tie < 0.5))
        nearest = np.where(is_before, before, after)
        # Several fakes of a person can share a frame: those of several sources.
        same = _pick(*self._range(nearest, nearest + 1), chance)
        return self.rows[np.where(lows < highs, same, anyone)]

    def _key(self, method: Rows, person: Rows, frame: Rows) -> Rows:
        return (method * self._people + person) * self._frames + frame

    def _range(self, first: Rows, end: Rows) -> tuple[Rows, Rows]:
        """Return the bounds of the fakes whose keys are in [first, end)."""
        return np.searchsorted(self.keys, first), np.searchsorted(self.keys, end)


class BalancedSampler(Sampler[View]):
    """Yields batches of pairs: a real crop and a fake of the same person, augmented alike.

    Both share background, identity, compression, frame and augmentation: only the forgery tells
    them apart. Without pairs, training from scratch can stay at chance for thousands of steps. The
    fakes are spread evenly over the methods of their data set.

    An epoch shows every real crop once (or `frames_per_video` crops per real video) and as many
    fakes, which differ from epoch to epoch. Order and augmentation depend on the seed and the epoch
    only, not on the number of ranks or workers. `crops` are rows of the manifest, and further
    arguments are those of `FaceForensicsDataModule`; the batch size is that over all ranks.
    """

    def __init__(
        self,
        crops: pd.DataFrame,
        batch_size: int,
        seed: int,
        rank: int = 0,
        ranks: int = 1,
        frames_per_video: int | None = None,
        views: int | None = None,
    ) -> None:
        is_real = (crops["label"] == 0).to_numpy()
        rows = crops.index.to_numpy()
        person = crops.groupby(_PERSON, sort=False, observed=True).ngroup().to_numpy()
        frame = crops["frame"].to_numpy().astype(np.int64)
        methods = crops["method"].astype("category").cat.codes.to_numpy().astype(np.int64)[~is_real]
        datasets = crops["dataset"].astype("category").cat.codes.to_numpy()
        self.real, self.person, self.frame = rows[is_real], person[is_real], frame[is_real]
        self.video, self.dataset = video_codes(crops[is_real]), datasets[is_real]
        self.fakes = FakeIndex(
            rows[~is_real],
            methods,
            person[~is_real],
            frame[~is_real],
            limits=(int(person.max()) + 1, int(frame.max()) + 1),
        )
        self._methods_of = {
            code: np.unique(methods[datasets[~is_real] == code]) for code in np.unique(self.dataset)
        }
        self._all_methods = np.unique(methods)
        self.batches = crops_per_epoch(crops, frames_per_video) // batch_size
        self.batch_size, self.seed, self.rank, self.ranks = batch_size, seed, rank, ranks
        self.frames_per_video, self.views = frames_per_video, views
        self.epoch = 0
        self.start = 0  # first batch of the next iteration

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch; the Trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * self.batch_size // self.ranks

    def __iter__(self) -> Iterator[View]:
        pairs = self._draw_pairs()
        half, share = self.batch_size // 2, self.batch_size // 2 // self.ranks
        start, self.start = self.start, 0
        for batch in range(start, self.batches):
            first = batch * half + self.rank * share
            order, methods, seeds, samples, *chances = (v[first : first + share] for v in pairs)
            fakes = self.fakes.draw(methods, self.person[order], self.frame[order], *chances)
            columns = (self.real[order], fakes, seeds, samples)
            for real, fake, seed, sample in zip(*(c.tolist() for c in columns), strict=True):
                yield View(real, seed, sample)
                yield View(fake, seed, sample + 1)

    def _draw_pairs(self) -> list[NDArray[Any]]:
        """Return real crops, methods, seeds, samples and two chances of the epoch, `[pairs]`."""
        view = self.epoch if self.views is None else self.epoch % self.views
        generator = np.random.default_rng((self.seed, view))
        order = generator.permutation(len(self.real))
        if self.frames_per_video is not None:
            order = order[_first_of_each(self.video[order], self.frames_per_video)]
        methods = self._spread_methods(order, generator)
        chances = generator.random((2, len(order)))
        seeds = generator.integers(2**31, size=len(order))
        pairs = [order, methods, seeds, 2 * (view * len(self.real) + order), *chances]
        if self.views is None:
            return pairs
        shuffled = np.random.default_rng((self.seed, self.epoch, 1)).permutation(len(order))
        return [values[shuffled] for values in pairs]

    def _spread_methods(self, order: Rows, generator: np.random.Generator) -> Rows:
        """Assign each real crop a method of its data set, every method equally often."""
        methods = np.empty(len(order), dtype=np.int64)
        for dataset, codes in self._methods_of.items():
            of_dataset = np.flatnonzero(self.dataset[order] == dataset)
            names = generator.permutation(codes if len(codes) else self._all_methods)
            methods[of_dataset] = generator.permutation(np.resize(names, len(of_dataset)))
        return methods


class ShardSampler(Sampler[View]):
    """Yields every `ranks`-th row without padding, so that each row is on exactly one rank."""

    def __init__(self, rows: Rows, rank: int = 0, ranks: int = 1) -> None:
        self.rows = rows[rank::ranks]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[View]:
        yield from map(View, self.rows.tolist())


def crops_per_epoch(crops: pd.DataFrame, frames_per_video: int | None) -> int:
    """Return the length of an epoch of `BalancedSampler`: the real crops, and as many fakes."""
    is_real = crops["label"] == 0
    if frames_per_video is None:
        return 2 * int(is_real.sum())
    return 2 * int(np.minimum(np.bincount(video_codes(crops[is_real])), frames_per_video).sum())


def evenly_spaced(crops: pd.DataFrame, frames_per_video: int) -> NDArray[np.bool_]:
    """Select at most this many crops per video, evenly spaced; returns a mask `[crops]`."""
    videos = pd.Series(video_codes(crops))
    position = videos.groupby(videos).cumcount().to_numpy()
    count = videos.groupby(videos).transform("size").to_numpy()
    return keeps_evenly(position, count, frames_per_video)


def _pick(lows: Rows, highs: Rows, chance: Chances) -> Rows:
    """Select an index in [low, high) by a uniform number in [0, 1)."""
    return lows + (chance * (highs - lows)).astype(np.int64)


def _first_of_each(groups: Rows, count: int) -> Rows:
    """Return the indices of the first `count` members of each group, in order."""
    position = pd.Series(groups).groupby(groups).cumcount().to_numpy()
    return np.flatnonzero(position < count)
