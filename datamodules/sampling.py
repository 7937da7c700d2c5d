from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

View = tuple[int, int | None]
"""A crop's manifest row and the seed of its augmentation; None for no augmentation."""


class BalancedSampler(Sampler[View]):
    """Batches of as many real as fake crops, the fakes spread evenly over the methods.

    An epoch shows every real crop once, and as many fakes, other ones each epoch. What crop stands
    where, and how it is augmented, follows from the seed and the epoch alone: the same on one
    device and on many, with any number of workers.

    Args:
        rows: Manifest rows of the training crops.
        labels: Their labels, 1 = fake.
        methods: Their methods.
        batch_size: Global batch size, over all ranks.
        seed: Seed of the order and of the augmentations.
        rank: This rank.
        ranks: Number of ranks; each gets `batch_size / ranks` crops of every batch.
    """

    def __init__(
        self,
        rows: np.ndarray,
        labels: np.ndarray,
        methods: np.ndarray,
        batch_size: int,
        seed: int,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.real = rows[labels == 0]
        self.fake = [rows[methods == m] for m in np.unique(methods[labels == 1])]
        self.batch_size = batch_size
        self.batches = 2 * len(self.real) // batch_size
        self.seed = seed
        self.rank = rank
        self.ranks = ranks
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's order; the Trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * self.batch_size // self.ranks

    def __iter__(self) -> Iterator[View]:
        generator = np.random.default_rng((self.seed, self.epoch))
        real = generator.permutation(self.real)
        fake = generator.permutation(self._draw_fakes(generator, len(real)))
        order = np.stack([real, fake], axis=1).reshape(-1)
        seeds = generator.integers(2**31, size=len(order))
        used = self.batches * self.batch_size
        # [batch, rank, share]: consecutive pairs of real and fake stay together.
        position = np.arange(used).reshape(self.batches, self.ranks, -1)[:, self.rank].reshape(-1)
        yield from zip(order[position].tolist(), seeds[position].tolist(), strict=True)

    def _draw_fakes(self, generator: np.random.Generator, count: int) -> np.ndarray:
        drawn = []
        for k, rows in enumerate(self.fake):
            share = count // len(self.fake) + (k < count % len(self.fake))
            laps = -(-share // len(rows))
            drawn.append(np.concatenate([generator.permutation(rows) for _ in range(laps)])[:share])
        return np.concatenate(drawn)


class ShardSampler(Sampler[View]):
    """Every `ranks`-th row, each row on exactly one rank: shards may be uneven, none is padded."""

    def __init__(self, rows: np.ndarray, rank: int = 0, ranks: int = 1) -> None:
        self.rows = rows[rank::ranks]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[View]:
        yield from ((int(row), None) for row in self.rows)
