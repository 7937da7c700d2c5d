"""The one interval: against textbooks where one of its variances is zero, and by simulation."""

import numpy as np
import pytest
from scipy import stats

from evaluation.comparison.estimate import Estimate, estimate
from evaluation.comparison.verdicts import (
    LEVEL,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    ZONE,
    decide,
    holm,
    runs_that_decide,
    two_sided,
)


def test_without_identities_it_is_students_t():
    values = np.array([0.01, 0.03, 0.02, 0.05])
    expected = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    found = estimate(values, [0] * 4)
    assert found.interval() == pytest.approx(expected)
    assert two_sided(found, 0.01) == pytest.approx(stats.ttest_1samp(values, 0.01).pvalue)


def test_one_run_has_the_interval_over_identities():
    half = stats.t.ppf(0.975, 29) * 0.01
    found = estimate([0.02], [0], [[0.01**2]], identities_df=29)
    assert found.interval() == pytest.approx([0.02 - half, 0.02 + half])


def test_one_identity_has_no_interval():
    found = estimate([0.02], [0], [[0.0]], identities_df=0)
    assert np.isnan(found.interval()).all()


def test_a_mean_that_does_not_vary_differs_only_from_other_bars():
    """As of two methods without a wrong video: the p-value 0 would weaken Holm's for the others."""
    found = estimate([0.0] * 3, [0] * 3, np.zeros((3, 3)), identities_df=29)
    assert [two_sided(found, bar) for bar in (-ZONE, 0.0, ZONE)] == [0, 1, 0]
    assert decide(found, two_sided(found)) == LEVEL


def test_seeds_of_one_teacher_are_not_independent_runs():
    values, teachers = np.repeat([0.01, 0.03, 0.02, 0.05], 3), np.repeat(range(4), 3)
    found = estimate(values, teachers)
    assert found.interval() == pytest.approx(estimate(values[::3], range(4)).interval())


def test_satterthwaites_degrees_of_freedom_lie_between_and_are_bounded():
    cases = {0.0: 2, 1e-9: 2, 1.0: 3, 1e9: 3}  # variance of the identities over that of the runs
    for ratio, df in cases.items():
        found = Estimate(*map(np.array, (0.0, 1.0, ratio, 2.0)), identities_df=79)
        assert found.df == pytest.approx(df, rel=1e-3)


@pytest.mark.parametrize("teachers", [[0] * 5, [0, 0, 1, 1, 2, 2, 3, 3]])
def test_a_95_percent_interval_covers_95_percent(teachers):
    """Over draws of teachers, seeds and 40 people at once; run and person are crossed."""
    rng, draws, people = np.random.default_rng(0), 4000, 40
    number = len(teachers)
    spread = 1.0 if len(set(teachers)) > 1 else 0.0
    run = rng.normal(size=(draws, number)) + spread * rng.normal(size=(draws, 4))[:, teachers]
    shared = 4 * rng.normal(size=(draws, 1, people))
    parts = shared + 3 * rng.normal(size=(draws, number, people))
    values = run + parts.mean(axis=-1)
    centred = (parts - parts.mean(axis=-1, keepdims=True)) / people
    covariance = centred @ centred.swapaxes(1, 2) * people / (people - 1)
    low, high = estimate(values, teachers, covariance, people - 1).interval().T
    assert 0.935 < ((low < 0) & (high > 0)).mean() < 0.98


def test_a_rate_has_an_interval_within_0_and_1():
    for mean, variance in ((0.99, 0.02**2), (1.0, 0.0), (0.0, 0.0)):
        low, high = estimate([mean], [0], [[variance]], 29).rate_interval()
        assert 0 <= low <= mean <= high <= 1
        assert high - low > 0.01
    found = stats.binomtest(30, 30).proportion_ci(0.95, "exact")
    assert estimate([1.0], [0], [[0.0]], 29).rate_interval() == pytest.approx(tuple(found))


def test_holm_is_holms():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(p[None])[0] == pytest.approx(holm(p))


@pytest.mark.parametrize(
    ("mean", "se", "verdict"),
    [
        (0.05, 0.01, SUPPORTED),
        (-0.05, 0.01, REFUTED),
        (0.0, 0.01, LEVEL),
        (0.0, ZONE, UNDECIDED),
        (0.015, 0.012, UNDECIDED),
    ],
)
def test_four_verdicts(mean, se, verdict):
    found = estimate([mean - se, mean, mean + se] * 20, [0] * 60)
    scaled = Estimate(found.mean, np.array(se**2), np.array(0.0), np.array(59.0), np.inf)
    assert decide(scaled, two_sided(scaled)) == verdict


def test_the_number_of_runs_that_decide_grows_with_the_spread():
    def needed(sd, mean=0.0, identities=0.0):
        values = mean + sd * np.array([-1.0, 0.0, 1.0])
        return runs_that_decide(estimate(values, [0] * 3, np.full((3, 3), identities)), 3)

    assert needed(0.001) == 3
    assert 3 < needed(0.02) < needed(0.04)
    assert needed(0.02, mean=0.1) < needed(0.02)
    assert needed(0.02, identities=0.02**2) is None  # more test identities are needed
    # Three teachers with four students each count as three, in steps of four runs.
    teachers = estimate(np.repeat([-0.02, 0.0, 0.02], 4), [0] * 4 + [1] * 4 + [2] * 4)
    assert runs_that_decide(teachers, 12) == 4 * needed(0.02)
