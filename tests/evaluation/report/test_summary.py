"""The first screen: its table, and the scale of the claims."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from evaluation.comparison.ladder import build_ladder
from evaluation.comparison.run import find_runs
from evaluation.report.summary import claim_span, summary_rungs, verdicts
from records.measurements import Measurements
from records.results import ClaimResult, ComparisonResult
from tests.support.ladder_on_disk import write_run


def test_a_method_of_fewer_runs_is_not_shown_as_the_best_student(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path, "student", seed, 1.0)
        write_run(tmp_path, "spatial", seed, 1.2)
        write_run(tmp_path, "dedicated", seed, 1.5)
    write_run(tmp_path, "upgrad", 0, 3.0)
    rungs = summary_rungs(build_ladder(find_runs(tmp_path)), Measurements())
    assert "dedicated" in (shown := [rung.method for rung, _ in rungs])
    assert "upgrad" not in shown


def claim(mean: float, half: float) -> ClaimResult:
    """Return a claim that compares one difference, with the half width of its interval."""
    interval = (mean - half, mean + half)
    one = ComparisonResult(
        better="spatial", than="naive", verdict="", missing=[], mean=mean, interval=interval
    )
    return ClaimResult(
        id="C1",
        claim="",
        reading=None,
        verdict="",
        scope="",
        zone=0.02,
        parameter_ratio=None,
        comparisons=[one],
        why="",
    )


def test_the_scale_of_the_claims_holds_every_mean_and_the_zone() -> None:
    assert claim_span([claim(0.0, 0.001)]) == pytest.approx(0.03)
    assert claim_span([claim(0.0, 0.001), claim(-0.05, 0.02)]) == pytest.approx(0.07)
    assert claim_span([claim(0.05, 0.4)]) == pytest.approx(0.12)
    assert claim_span([claim(0.05, 0.4), claim(-0.3, 0.1)]) == pytest.approx(0.3)


def test_a_verdict_without_a_pair_of_runs_has_no_scope() -> None:
    refuted = replace(claim(0.0, 0.001), verdict="refuted", scope=None)
    assert verdicts([refuted]) == "The paper's claims on this data: C1: refuted."
    told = replace(refuted, id="C3", scope="for this teacher")
    assert "on this data, for this teacher: C1: refuted; C3" in verdicts([refuted, told])
