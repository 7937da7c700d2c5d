"""The simulated error rates: the committed ones meet their bounds, and the command still runs."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.spreads import FAMILY, read_spreads, split_variance
from benchmarks.statistics import DOCS, MARK, ROOT, draw_differences, tables
from evaluation.comparison.verdicts import SPREAD, ZONE


def committed(name: str) -> dict:
    return json.loads((ROOT / "statistics" / f"{name}.json").read_text())


def test_the_committed_rates_meet_their_bounds_and_are_those_of_the_page() -> None:
    verdicts, coverage = committed("verdicts"), committed("coverage")
    assert verdicts["draws"] == coverage["draws"] == 10_000
    assert verdicts["zone"] == ZONE
    for row in verdicts["rows"]:
        assert row["error"] <= 0.07
        assert row["family_error"] <= 0.07
        assert row["false_level"] <= 0.0505  # one standard error of the simulation is .002
    assert all(0.93 <= row["coverage"] <= 0.97 for row in coverage["rows"])
    assert MARK + tables(verdicts["rows"], coverage["rows"]) + MARK in DOCS.read_text()


def test_the_simulation_has_the_spreads_of_the_committed_experiment() -> None:
    found = read_spreads(ROOT / "experiment" / "rendered")
    assert found.items() <= committed("verdicts").items()
    assert found["sd_of_paired_difference"] == SPREAD
    distance = (np.sqrt(2) * norm.ppf(found["auc"]), 0.0, 0.0)
    _, covariance, _ = draw_differences(160, 4, 3, distance, draws=100)
    errors = [found["se_of_identities"], found["se_of_identities_in_one_run"]]
    assert np.sqrt(split_variance(covariance)) == pytest.approx(errors, rel=0.1)


def test_the_drawn_runs_have_the_spread_that_was_asked_for() -> None:
    values, covariance, units = draw_differences(20, 1, 4, (2.3, 0.0, 0.1), draws=100)
    assert values.shape == (100, len(FAMILY), 4)
    assert covariance.shape == (100, len(FAMILY), 4, 4)
    assert units == 10
    assert abs(values.mean()) < 0.005
    both = values.var(axis=-1, ddof=1).mean() ** 0.5
    assert 0.01 < both < 0.03
    assert (np.linalg.eigvalsh(covariance) > -1e-12).all()
