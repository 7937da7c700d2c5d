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


@st.composite
def manifests(draw: st.DrawFn) -> pd.DataFrame:
    """Any training crops: two data sets, people without fakes, methods of one person only."""
    seed = draw(st.integers(0, 10_000))
    generator = np.random.default_rng(seed)
    other = manifest(("Celeb-synthesis",)).assign(dataset="celeb", compression="release")
    crops = pd.concat([CROPS, CROPS.assign(compression="c40"), other], ignore_index=True)
    crops["frame"] = generator.integers(50, size=len(crops))
    kept = generator.random(len(crops)) < draw(st.floats(0.2, 1))
    kept[[0, -1]] = True  # one real and one fake crop
    return crops[kept]


def make(rank: int = 0, ranks: int = 1, seed: int = 0, batch_size: int = 8) -> BalancedSampler:
    return BalancedSampler(CROPS, batch_size, seed, rank, ranks)


def batches(views: list[View], size: int) -> list[list[View]]:
    return [views[i : i + size] for i in range(0, len(views), size)]


@settings(deadline=None, max_examples=50)
@given(manifests(), st.integers(0, 3), st.integers(0, 2))
def test_an_epoch_shows_every_real_crop_once_beside_a_fake(
    crops: pd.DataFrame, seed: int, epoch: int
) -> None:
    sampler = BalancedSampler(crops, 2, seed)
    sampler.set_epoch(epoch)
    views = list(sampler)
    real, fake = views[::2], views[1::2]
    assert Counter(view.row for view in real) == Counter(crops.index[crops["label"] == 0])
    assert {crops["label"][view.row] for view in fake} <= {1}
    assert [view.seed for view in real] == [view.seed for view in fake]


@settings(deadline=None, max_examples=50)
@given(manifests(), st.integers(0, 3))
def test_the_fake_shows_the_person_nearest_in_frame(crops: pd.DataFrame, seed: int) -> None:
    fakes = crops[crops["label"] == 1]
    rows = [view.row for view in BalancedSampler(crops, 2, seed)]
    for real, fake in zip(rows[::2], rows[1::2], strict=True):
        alike = fakes["method"] == crops["method"][fake]
        for column in ("dataset", "compression", "target"):
            alike &= fakes[column] == crops[column][real]
        apart = (fakes["frame"][alike] - crops["frame"][real]).abs()
        if len(apart):
            assert fake in apart.index[apart == apart.min()]


@settings(deadline=None, max_examples=50)
@given(
    manifests(),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([None, 2]),
    st.sampled_from([None, 2]),
    st.integers(0, 3),
)
def test_ranks_partition_each_batch(
    crops: pd.DataFrame, ranks: int, frames: int | None, views: int | None, epoch: int
) -> None:
    size = 2 * ranks
    shares = []
    for rank, of in ((0, 1), *((rank, ranks) for rank in range(ranks))):
        sampler = BalancedSampler(crops, size, 0, rank, of, frames, views)
        sampler.set_epoch(epoch)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler)
    whole, *shares = shares
    joined = zip(*(batches(share, 2) for share in shares), strict=True)
    assert batches(whole, size) == [[view for share in batch for view in share] for batch in joined]


@settings(deadline=None, max_examples=50)
@given(manifests(), st.sampled_from([None, 2]), st.data())
def test_an_epoch_resumed_in_its_middle_yields_the_rest(
    crops: pd.DataFrame, views: int | None, data: st.DataObject
) -> None:
    sampler = BalancedSampler(crops, 2, 0, views=views)
    whole = list(sampler)
    start = sampler.start = data.draw(st.integers(0, sampler.batches))
    assert list(sampler) == whole[2 * start :]
    assert list(sampler) == whole


def test_methods_are_spread_evenly() -> None:
    rows = [view.row for view in make(batch_size=2 * PEOPLE * FRAMES)]
    assert Counter(CROPS["method"][rows[1::2]]) == {"Deepfakes": 15, "FaceSwap": 15}


def test_epochs_differ_and_repeat_by_seed() -> None:
    sampler = make()
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(make(seed=1)) != first


def test_a_person_without_a_fake_is_paired_with_another_persons() -> None:
    crops = CROPS[(CROPS["label"] == 0) | (CROPS["target"] == "000")]
    rows = [view.row for view in BalancedSampler(crops, 4, seed=0)]
    assert {CROPS["target"][row] for row in rows[1::2]} == {"000"}
    assert all(CROPS["label"][row] == 1 for row in rows[1::2])


@given(st.integers(0, 30), st.integers(1, 8))
def test_evaluation_shards_hold_every_row_exactly_once(count: int, ranks: int) -> None:
    rows = np.arange(count)
    shards = [list(ShardSampler(rows, rank, ranks)) for rank in range(ranks)]
    assert sorted(view for shard in shards for view in shard) == [View(row) for row in range(count)]


def test_an_epoch_draws_other_frames_of_each_video() -> None:
    sampler = BalancedSampler(CROPS, 4, seed=0, frames_per_video=2)
    epochs = []
    for epoch in range(20):
        sampler.set_epoch(epoch)
        views = list(sampler)
        assert len(views) == len(sampler) == 2 * 2 * PEOPLE
        real = [view.row for view in views[::2]]
        assert Counter(CROPS["video"][real]) == dict.fromkeys(CROPS["video"].unique(), 2)
        epochs.append(real)
    assert set().union(*epochs) == set(CROPS.index[CROPS["label"] == 0])


def test_evaluated_frames_are_evenly_spaced() -> None:
    kept = CROPS[evenly_spaced(CROPS, 3)]
    assert kept.groupby(["method", "video"])["frame"].agg(list).tolist() == [[1, 3, 4]] * 18
    assert evenly_spaced(CROPS, 9).all()


@pytest.mark.parametrize("frames_per_video", [None, 2])
def test_fixed_views_recur_in_another_order(frames_per_video: int | None) -> None:
    sampler = BalancedSampler(CROPS, 8, 0, frames_per_video=frames_per_video, views=2)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        sampler.batches = len(sampler.real) // 4 + 1  # the epoch's last, partial batch too
        epochs.append(list(sampler))
    assert epochs[0] != epochs[2]
    assert set(epochs[0]) == set(epochs[2])
    assert not set(epochs[0]) & set(epochs[1])
    views = set(epochs[0]) | set(epochs[1])
    samples = {view.sample for view in views}
    assert len(samples) == len(views)
    assert samples <= set(range(2 * len(sampler.real) * 2))
    if frames_per_video is None:
        assert len(samples) == 2 * len(sampler.real) * 2
