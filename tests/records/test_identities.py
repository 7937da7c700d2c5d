import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.identities import IdentityResamples, identity
from records.protocol import RESAMPLES

people = st.lists(st.integers(0, 999).map("{:03d}".format), min_size=1, max_size=30, unique=True)


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        ("071", "071"),
        ("071_054", "071"),
        ("id0_0000", "id0"),
        ("id0_id1_0000", "id0"),
        ("00170", "00170"),
        ("01_02__scene__ID", "01"),
    ],
)
def test_the_identity_is_the_target(video, expected) -> None:
    assert identity(video) == expected


@given(people=people, seed=st.integers(0, 2**32 - 1))
def test_a_resample_draws_whole_identities_as_many_as_there_are(people, seed) -> None:
    videos = pd.Series([*people, *(f"{person}_{people[0]}" for person in people)])
    resamples = IdentityResamples(videos)
    assert resamples.weights.shape == (RESAMPLES, len(people))
    np.testing.assert_array_equal(resamples.weights.sum(axis=1), len(people))
    members = resamples.members(videos)
    assert [resamples.identities[i] for i in members] == [*people, *people]


@given(people=people, seed=st.integers(0, 2**32 - 1))
def test_the_draws_depend_on_the_set_of_identities_only(people, seed) -> None:
    shuffled = np.random.default_rng(seed).permutation(people)
    more = [f"{person}_{person}" for person in shuffled]
    first, second = IdentityResamples(people), IdentityResamples(more)
    np.testing.assert_array_equal(first.weights, second.weights)


def test_identities_are_drawn_with_replacement_and_equal_probability() -> None:
    weights = IdentityResamples([f"{i:03d}" for i in range(20)]).weights
    # The number of draws of one identity has mean 1 and variance 1 - 1/20.
    assert weights.mean(axis=0) == pytest.approx(np.ones(20), abs=0.15)
    assert weights.var() == pytest.approx(0.95, abs=0.05)
