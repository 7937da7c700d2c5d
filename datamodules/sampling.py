from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.utils.data import Sampler

View = tuple[int, int | None]
"""A crop's manifest row and the seed of its augmentation; None for no augmentation."""

Rows = NDArray[np.integer[Any]]
_PERSON = ["dataset", "compression", "target"]
_VIDEO = ["dataset", "compression", "method", "video"]


class BalancedSampler(Sampler[View]):
    """Batches of pairs: a real crop, and a fake made of the same person's video, seen alike.

    The two share background, identity, compression, frame and augmentation, so what is left to
    tell them apart is the forgery; without the pairs, training from scratch can stay at chance for
    thousands of steps. The fakes are spread evenly over the methods of their data set. Where a
    method has no fake of a real crop's target, any fake of it stands in.

    An epoch shows every real crop once, or some of each video's, and as many fakes, other ones
    each epoch. What stands where, and how it is augmented, follows from the seed and the epoch
    alone: the same on one device and on many, with any number of workers.

    Args:
        crops: Manifest of the training crops: label, method, dataset, compression, target, video,
            frame; its index is what is yielded.
        batch_size: Global batch size, over all ranks.
        seed: Seed of the order and of the augmentations.
        rank: This rank.
        ranks: Number of ranks; each gets `batch_size / ranks` crops of every batch.
        frames_per_video: Crops that an epoch shows of each real video, drawn anew each epoch; all
            where not given.
        views: Epochs with pairs and augmentations of their own, which come again in another order;
            None gives every epoch new ones.
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
        methods = crops["method"].astype("category").cat
        frame = crops["frame"].to_numpy().astype(np.int64)
        self.real = rows[is_real]
        self.person, self.frame = person[is_real], frame[is_real]
        self.dataset = crops["dataset"].astype("category").cat.codes.to_numpy()[is_real]
        self.video = video_codes(crops[is_real])
        self.frames_per_video = frames_per_video
        # Fakes lie sorted by method, person and frame, so that a search finds the nearest frame.
        self._people, self._frames = int(person.max()) + 1, int(frame.max()) + 1
        codes = methods.codes.to_numpy()[~is_real].astype(np.int64)
        places = self._place(codes, person[~is_real], frame[~is_real])
        order = np.argsort(places, kind="stable")
        self.places, self.fakes = places[order], rows[~is_real][order]
        fake_datasets = crops["dataset"].astype("category").cat.codes.to_numpy()[~is_real]
        self.methods_of = {
            code: np.unique(codes[fake_datasets == code]) for code in np.unique(self.dataset)
        }
        self._all_methods = np.unique(codes)
        self.batch_size = batch_size
        per_epoch = len(self.real)
        if frames_per_video is not None:
            per_epoch = int(np.minimum(np.bincount(self.video), frames_per_video).sum())
        self.batches = 2 * per_epoch // batch_size
        self.seed = seed
        self.rank = rank
        self.ranks = ranks
        self.views = views
        self.epoch = 0
        self.start = 0  # batch that the next epoch's iteration begins with

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's order; the Trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * self.batch_size // self.ranks

    def __iter__(self) -> Iterator[View]:
        seen = self.epoch if self.views is None else self.epoch % self.views
        generator = np.random.default_rng((self.seed, seen))
        order = generator.permutation(len(self.real))
        if self.frames_per_video is not None:
            order = order[_first_of_each(self.video[order], self.frames_per_video)]
        methods = self._spread_methods(order, generator)
        chances = generator.random((2, len(order)))
        seeds = generator.integers(2**31, size=len(order))
        if self.views is not None:
            again = np.random.default_rng((self.seed, self.epoch, 1)).permutation(len(order))
            order, methods, seeds = order[again], methods[again], seeds[again]
            chances = chances[:, again]
        half, share = self.batch_size // 2, self.batch_size // 2 // self.ranks
        start, self.start = self.start, 0
        for batch in range(start, self.batches):
            first = batch * half + self.rank * share
            pairs = slice(first, first + share)
            real = self.real[order[pairs]].tolist()
            fakes = self._fakes_for(order[pairs], methods[pairs], chances[:, pairs]).tolist()
            for real_row, fake_row, seed in zip(real, fakes, seeds[pairs].tolist(), strict=True):
                yield real_row, seed
                yield fake_row, seed

    def _place(self, method: Rows, person: Rows, frame: Rows) -> Rows:
        return (method * self._people + person) * self._frames + frame

    def _spread_methods(self, order: Rows, generator: np.random.Generator) -> Rows:
        """Give each real crop one of its data set's methods, each method equally often."""
        methods = np.empty(len(order), dtype=np.int64)
        for dataset, there in self.methods_of.items():
            of_dataset = np.flatnonzero(self.dataset[order] == dataset)
            names = generator.permutation(there if len(there) else self._all_methods)
            methods[of_dataset] = generator.permutation(np.resize(names, len(of_dataset)))
        return methods

    def _fakes_for(self, order: Rows, methods: Rows, chances: NDArray[np.float64]) -> Rows:
        """Draw a fake of the method for each real crop: of the same person, nearest in frame."""
        first = self._place(methods, self.person[order], np.zeros_like(order))
        lows, highs = self._range(first, first + self._frames)
        of_method = methods * self._people * self._frames
        method_lows, method_highs = self._range(of_method, of_method + self._people * self._frames)
        anyone = method_lows + (chances[0] * (method_highs - method_lows)).astype(np.int64)
        # Nearest place before and behind; on a tie, either.
        wanted = first + self.frame[order]
        found = np.searchsorted(self.places, wanted)
        before = np.clip(found - 1, lows, len(self.places) - 1)
        behind = np.minimum(found, highs - 1)
        to_before = np.abs(self.places[before] - wanted)
        to_behind = np.abs(self.places[behind] - wanted)
        is_before = (to_before < to_behind) | ((to_before == to_behind) & (chances[1] < 0.5))
        nearest = self.places[np.where(is_before, before, behind)]
        # Several fakes of one person may share the frame: of several sources, or several tracks.
        same_lows, same_highs = self._range(nearest, nearest + 1)
        same = same_lows + (chances[0] * (same_highs - same_lows)).astype(np.int64)
        return self.fakes[np.where(lows < highs, same, anyone)]

    def _range(self, first: Rows, end: Rows) -> tuple[Rows, Rows]:
        """Where the fakes of places from `first` to before `end` begin and end."""
        return np.searchsorted(self.places, first), np.searchsorted(self.places, end)


class ShardSampler(Sampler[View]):
    """Every `ranks`-th row, each row on exactly one rank: shards may be uneven, none is padded."""

    def __init__(self, rows: Rows, rank: int = 0, ranks: int = 1) -> None:
        self.rows = rows[rank::ranks]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[View]:
        yield from ((int(row), None) for row in self.rows)


def video_codes(crops: pd.DataFrame) -> Rows:
    """Number the videos: one code for each data set, compression, method and id, `[crops]`.

    The id alone would merge the four fakes `000_003` of four methods into one video.
    """
    return crops.groupby(_VIDEO, sort=False, observed=True).ngroup().to_numpy()


def evenly_spaced(crops: pd.DataFrame, frames_per_video: int) -> NDArray[np.bool_]:
    """Tell which crops to keep so that each video has this many at most, evenly spaced."""
    videos = pd.Series(video_codes(crops))
    position = videos.groupby(videos).cumcount().to_numpy()
    count = videos.groupby(videos).transform("size").to_numpy()
    kept = np.minimum(frames_per_video, count)
    return (position + 1) * kept // count > position * kept // count


def _first_of_each(groups: Rows, count: int) -> Rows:
    """Indices of the first `count` members of each group, in order."""
    position = pd.Series(groups).groupby(groups).cumcount().to_numpy()
    return np.flatnonzero(position < count)
