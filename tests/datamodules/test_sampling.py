from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.sampling import BalancedSampler, ShardSampler, View, evenly_spaced

PEOPLE, FRAMES = 6, 5


def manifest(methods: tuple[str, ...] = ("Deepfakes", "FaceSwap")) -> pd.DataFrame:
    """Crops of a few people, original and forged; the index starts at 1000."""
    crops = pd.DataFrame(
        [
            {
                "dataset": "d",
                "compression": "c23",
                "method": method,
                "video": f"{person:03d}",
                "target": f"{person:03d}",
                "frame": frame,
            }
            for method in ("original", *methods)
            for person in range(PEOPLE)
            for frame in range(FRAMES)
        ]
    )
    crops["label"] = (crops["method"] != "original").astype(int)
    return crops.set_index(crops.index + 1000)


CROPS = manifest()


def make(rank: int = 0, ranks: int = 1, seed: int = 0, batch_size: int = 8) -> BalancedSampler:
    return BalancedSampler(CROPS, batch_size, seed, rank, ranks)


def batches(views: list[View], size: int) -> list[list[View]]:
    return [views[i : i + size] for i in range(0, len(views), size)]


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_every_share_of_every_batch_is_balanced(ranks: int) -> None:
    for rank in range(ranks):
        views = list(make(rank, ranks))
        assert len(views) == len(make(rank, ranks))
        for share in batches(views, 8 // ranks):
            assert sum(CROPS["label"][row] for row, _ in share) == len(share) // 2


def test_a_pair_shows_the_same_person_and_frame_in_the_same_view() -> None:
    views = list(make())
    for (real, seed), (fake, other_seed) in zip(views[::2], views[1::2], strict=True):
        assert (CROPS["label"][real], CROPS["label"][fake]) == (0, 1)
        assert seed == other_seed
        for column in ("target", "frame"):
            assert CROPS[column][real] == CROPS[column][fake]


def test_ranks_together_see_the_batches_of_one_process() -> None:
    whole = batches(list(make()), 8)
    shares = [batches(list(make(rank, 2)), 4) for rank in range(2)]
    assert whole == [first + second for first, second in zip(*shares, strict=True)]


def test_an_epoch_shows_every_real_crop_once_and_the_methods_evenly() -> None:
    rows = [row for row, _ in make(batch_size=2 * PEOPLE * FRAMES)]
    real = CROPS.index[CROPS["label"] == 0]
    assert Counter(row for row in rows if row in real) == Counter(real)
    fakes = Counter(CROPS["method"][row] for row in rows if row not in real)
    assert fakes == {"Deepfakes": 15, "FaceSwap": 15}


def test_epochs_differ_and_repeat_by_seed() -> None:
    sampler = make()
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(make(seed=1)) != first


def test_without_a_fake_of_the_person_another_stands_in() -> None:
    crops = CROPS[(CROPS["label"] == 0) | (CROPS["target"] == "000")]
    rows = [row for row, _ in BalancedSampler(crops, 4, seed=0)]
    assert {CROPS["target"][row] for row in rows[1::2]} == {"000"}
    assert all(CROPS["label"][row] == 1 for row in rows[1::2])


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_evaluation_shards_hold_every_row_exactly_once(ranks: int) -> None:
    rows = np.arange(10)
    shards = [list(ShardSampler(rows, rank, ranks)) for rank in range(ranks)]
    assert sorted(row for shard in shards for row, _ in shard) == list(range(10))


def test_an_epoch_draws_other_frames_of_each_video() -> None:
    sampler = BalancedSampler(CROPS, 4, seed=0, frames_per_video=2)
    epochs = []
    for epoch in range(20):
        sampler.set_epoch(epoch)
        views = list(sampler)
        assert len(views) == len(sampler) == 2 * 2 * PEOPLE
        real = [row for row, _ in views[::2]]
        assert Counter(CROPS["video"][real]) == dict.fromkeys(CROPS["video"].unique(), 2)
        epochs.append(real)
    assert set().union(*epochs) == set(CROPS.index[CROPS["label"] == 0])


def test_evaluated_frames_are_evenly_spaced() -> None:
    kept = CROPS[evenly_spaced(CROPS, 3)]
    assert kept.groupby(["method", "video"])["frame"].agg(list).tolist() == [[1, 3, 4]] * 18
    assert evenly_spaced(CROPS, 9).all()


def test_a_mix_keeps_pairs_within_data_set_and_compression() -> None:
    other = manifest(("Celeb-synthesis",)).assign(dataset="celeb", compression="release")
    mix = pd.concat([CROPS, CROPS.assign(compression="c40"), other], ignore_index=True)
    views = list(BalancedSampler(mix, 4, seed=3))
    fakes = Counter()
    for (real, _), (fake, _) in zip(views[::2], views[1::2], strict=True):
        for column in ("dataset", "compression", "target", "frame"):
            assert mix[column][real] == mix[column][fake]
        fakes[mix["method"][fake]] += 1
    assert fakes == {"Deepfakes": 30, "FaceSwap": 30, "Celeb-synthesis": 30}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_the_fake_is_the_nearest_in_frame(seed: int) -> None:
    generator = np.random.default_rng(seed)
    crops = CROPS.assign(frame=generator.integers(50, size=len(CROPS))).sample(
        frac=0.6, random_state=seed
    )
    fakes = crops[crops["label"] == 1]
    views = [row for row, _ in BalancedSampler(crops, 2, seed=seed)]
    for real, fake in zip(views[::2], views[1::2], strict=True):
        of_person = fakes[
            (fakes["target"] == crops["target"][real]) & (fakes["method"] == crops["method"][fake])
        ]
        if len(of_person):
            apart = (of_person["frame"] - crops["frame"][real]).abs()
            assert fake in apart.index[apart == apart.min()]


def test_fixed_views_come_again_in_another_order() -> None:
    sampler = BalancedSampler(CROPS, 8, 0, views=2)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        sampler.batches = len(sampler.real) // 4 + 1  # the epoch's last, partial batch too
        epochs.append(list(sampler))
    assert epochs[0] != epochs[2]
    assert set(epochs[0]) == set(epochs[2])
    assert not set(epochs[0]) & set(epochs[1])
