from collections import Counter

import numpy as np
import pytest

from datamodules.sampling import BalancedSampler, ShardSampler, View

METHODS = np.array(["original"] * 30 + ["Deepfakes"] * 30 + ["FaceSwap"] * 90)
LABELS = (METHODS != "original").astype(int)
ROWS = np.arange(1000, 1150)


def make(rank: int = 0, ranks: int = 1, seed: int = 0, batch_size: int = 8) -> BalancedSampler:
    return BalancedSampler(ROWS, LABELS, METHODS, batch_size, seed, rank, ranks)


def batches(views: list[View], size: int) -> list[list[View]]:
    return [views[i : i + size] for i in range(0, len(views), size)]


def label(view: View) -> int:
    return int(LABELS[view[0] - 1000])


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_every_share_of_every_batch_is_balanced(ranks: int) -> None:
    for rank in range(ranks):
        views = list(make(rank, ranks))
        assert len(views) == len(make(rank, ranks))
        for share in batches(views, 8 // ranks):
            assert sum(label(view) for view in share) == len(share) // 2


def test_ranks_together_see_the_batches_of_one_process() -> None:
    whole = batches(list(make()), 8)
    shares = [batches(list(make(rank, 2)), 4) for rank in range(2)]
    assert whole == [first + second for first, second in zip(*shares, strict=True)]


def test_an_epoch_shows_every_real_crop_once_and_the_methods_evenly() -> None:
    views = list(make(batch_size=60))
    assert Counter(row for row, _ in views if row < 1030) == Counter(range(1000, 1030))
    fakes = Counter(METHODS[row - 1000] for row, _ in views if row >= 1030)
    assert fakes == {"Deepfakes": 15, "FaceSwap": 15}


def test_epochs_differ_and_repeat_by_seed() -> None:
    sampler = make()
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(make(seed=1)) != first


def test_a_method_with_few_crops_is_repeated_not_starved() -> None:
    methods = np.array(["original"] * 12 + ["Deepfakes"] * 2 + ["FaceSwap"] * 12)
    labels = (methods != "original").astype(int)
    sampler = BalancedSampler(np.arange(26), labels, methods, batch_size=24, seed=0)
    fakes = Counter(str(methods[row]) for row, _ in sampler if labels[row])
    assert fakes == {"Deepfakes": 6, "FaceSwap": 6}


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_evaluation_shards_hold_every_row_exactly_once(ranks: int) -> None:
    rows = np.arange(10)
    shards = [list(ShardSampler(rows, rank, ranks)) for rank in range(ranks)]
    assert sorted(row for shard in shards for row, _ in shard) == list(range(10))
