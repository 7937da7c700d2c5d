from collections.abc import Iterator

import numpy as np
import pandas as pd
from torch.utils.data import Sampler

View = tuple[int, int | None]
"""A crop's manifest row and the seed of its augmentation; None for no augmentation."""


class BalancedSampler(Sampler[View]):
    """Batches of pairs: a real crop, and a fake made of the same person's video, seen alike.

    The two share background, identity, frame and augmentation, so what is left to tell them apart
    is the forgery; without the pairs, training from scratch can stay at chance for thousands of
    steps. The fakes are spread evenly over the methods. Where a method has no fake of a real
    crop's target, any fake of it stands in.

    An epoch shows every real crop once, and as many fakes, other ones each epoch. What stands
    where, and how it is augmented, follows from the seed and the epoch alone: the same on one
    device and on many, with any number of workers.

    Args:
        crops: Manifest of the training crops: label, method, dataset, target, frame; its index is
            what is yielded.
        batch_size: Global batch size, over all ranks.
        seed: Seed of the order and of the augmentations.
        rank: This rank.
        ranks: Number of ranks; each gets `batch_size / ranks` crops of every batch.
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
        views: int | None = None,
    ) -> None:
        real, fake = crops[crops["label"] == 0], crops[crops["label"] == 1]
        self.real = real.index.to_numpy()
        person = real["dataset"].astype(str) + "/" + real["target"].astype(str)
        self.person = person.to_numpy()
        self.frame = real["frame"].to_numpy()
        self.fakes = {str(m): group.index.to_numpy() for m, group in fake.groupby("method")}
        keys = ["dataset", "target", "method"]
        self.fakes_of = {
            (f"{dataset}/{target}", method): (group.index.to_numpy(), group["frame"].to_numpy())
            for (dataset, target, method), group in fake.astype(dict.fromkeys(keys, str)).groupby(
                keys
            )
        }
        self.batch_size = batch_size
        self.batches = 2 * len(real) // batch_size
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
        methods = generator.permutation(np.resize(list(self.fakes), len(order)))
        pairs = [
            (int(self.real[i]), self._fake(i, str(method), generator), int(seed))
            for i, method, seed in zip(
                order, methods, generator.integers(2**31, size=len(order)), strict=True
            )
        ]
        if self.views is not None:
            np.random.default_rng((self.seed, self.epoch, 1)).shuffle(pairs)
        half, share = self.batch_size // 2, self.batch_size // 2 // self.ranks
        start, self.start = self.start, 0
        for batch in range(start, self.batches):
            first = batch * half + self.rank * share
            for real, fake, seed in pairs[first : first + share]:
                yield real, seed
                yield fake, seed

    def _fake(self, i: int, method: str, generator: np.random.Generator) -> int:
        rows, frames = self.fakes_of.get((self.person[i], method), (None, None))
        if rows is None or frames is None:
            return int(generator.choice(self.fakes[method]))
        apart = np.abs(frames - self.frame[i])
        return int(generator.choice(rows[apart == apart.min()]))


class ShardSampler(Sampler[View]):
    """Every `ranks`-th row, each row on exactly one rank: shards may be uneven, none is padded."""

    def __init__(self, rows: np.ndarray, rank: int = 0, ranks: int = 1) -> None:
        self.rows = rows[rank::ranks]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[View]:
        yield from ((int(row), None) for row in self.rows)
