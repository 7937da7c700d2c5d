import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.identities import IdentityUnits, identity, people, shown_people
from records.protocol import RESAMPLES

pairs = st.lists(st.integers(0, 499), min_size=1, max_size=15, unique=True)


def exchanged(numbers):
    """Videos of people 2i and 2i + 1, whose faces are exchanged."""
    return [
        name
        for i in numbers
        for one, other in ((2 * i, 2 * i + 1), (2 * i + 1, 2 * i))
        for name in (f"{one:03d}", f"{one:03d}_{other:03d}")
    ]


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        ("071", ("071",)),
        ("071_054", ("071", "054")),
        ("id0_0000", ("id0",)),
        ("id0_id16_0000", ("id0", "id16")),
        ("00170", ("00170",)),
        ("01_02__scene__ID", ("01", "02")),
        ("01__scene", ("01",)),
        ("anna_garden", ("anna",)),
    ],
)
def test_a_video_shows_its_target_and_its_source(video, expected) -> None:
    assert people(video) == expected
    assert identity(video) == expected[0]


@given(numbers=pairs)
def test_two_exchanged_people_are_one_unit(numbers) -> None:
    videos = pd.Series(exchanged(numbers))
    units = IdentityUnits(videos)
    assert (len(units.units), units.people) == (len(numbers), 2 * len(numbers))
    assert (np.bincount(units.members(videos)) == 4).all()
    weights = units.weights()
    assert weights.shape == (RESAMPLES, len(numbers))
    np.testing.assert_array_equal(weights.sum(axis=1), len(numbers))


@given(numbers=pairs, seed=st.integers(0, 2**32 - 1))
def test_the_draws_depend_on_the_set_of_units_only(numbers, seed) -> None:
    videos = exchanged(numbers)
    shuffled = np.random.default_rng(seed).permutation(videos)
    np.testing.assert_array_equal(
        IdentityUnits(videos).weights(), IdentityUnits([*shuffled, *shuffled]).weights()
    )


def crossed(number):
    """Celeb-DF: everyone's face is in a video of the next three."""
    real = [f"id{i}_0000" for i in range(number)]
    return [*real, *(f"id{i}_id{(i + k) % number}_0000" for i in range(number) for k in (1, 2, 3))]


def test_crossed_people_are_units_and_a_forged_video_belongs_to_two() -> None:
    units = IdentityUnits(crossed(8))
    assert len(units.units) == units.people == 8
    weights = units.weights()
    one, two, both = units.members(pd.Series(["id0_0000", "id1_0000", "id0_id1_0000"]))
    np.testing.assert_array_equal(weights[:, both], weights[:, one] * weights[:, two])


@pytest.mark.parametrize("make", [lambda n: exchanged(range(n)), crossed])
def test_the_covariance_is_that_over_draws_of_people(make) -> None:
    """A mean over videos of an effect of each person that they show, and one of the video."""
    rng, draws = np.random.default_rng(0), 3000
    videos = pd.Series(make(20))
    names = sorted({name for video in videos for name in people(video)})
    shown = np.array([[name in people(video) for name in names] for video in videos], float)
    effects = rng.normal(size=(draws, len(names))) @ shown.T
    values = (effects + 0.5 * rng.normal(size=effects.shape)) / len(videos)
    units = IdentityUnits(videos)
    centred = values - values.mean(axis=-1, keepdims=True)
    covariance = units.covariance(units.sums(centred, videos)[:, None])
    assert covariance[:, 0, 0].mean() == pytest.approx(values.sum(axis=-1).var(), rel=0.15)


def test_target_and_source_are_the_people_whatever_the_id_looks_like() -> None:
    table = pd.DataFrame(
        [("clip_1", "anna", ""), ("clip_2", "anna", "bo_1"), ("00170", "", ""), ("9", "bo_1", "")],
        columns=["video", "target", "source"],
    )
    keys = shown_people(table)
    assert [people(key) for key in keys] == [("anna",), ("anna", "bo_1"), ("00170",), ("bo_1",)]
    units = IdentityUnits(keys)
    assert (units.units, units.people) == (["00170", "anna"], 3)
    ids = pd.DataFrame({"video": exchanged([0, 1])})
    pair = [(*people(video), "")[:2] for video in ids["video"]]
    named = ids.assign(target=[one for one, _ in pair], source=[other for _, other in pair])
    np.testing.assert_array_equal(
        IdentityUnits(shown_people(ids)).members(shown_people(ids)),
        IdentityUnits(shown_people(named)).members(shown_people(named)),
    )
