"""The verdicts on the claims, from runs on disk."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from evaluation.comparison.claims import CLAIMS, judge_claims
from evaluation.comparison.run import Run, find_runs, read_run
from evaluation.comparison.verdicts import ZONE
from records.results import ModelInfo
from tests.support.ladder_on_disk import frame_scores, write_run

CLEAR = {"teacher": 2.0, "spatial": 1.2, "naive": 0.4, "shared-trunk": 0.5, "two-in-one": 2.4}


def judged(root, separations, teachers=1, seeds=1, identities=40, wobble=0.02):
    """Judge runs with the given separations; methods share their noise, so runs are paired."""
    size = {"identities": identities, "frames": 1, "forgeries": ("Deepfakes",)}
    runs = []
    for t in range(teachers):
        for method, s in separations.items():
            block = [t] if method == "teacher" else range(seeds * t, seeds * (t + 1))
            for seed in block:
                scores = frame_scores(s + wobble * seed, 0, **size)
                runs.append(write_run(root, method, seed, scores=scores, teacher_seed=t))
    return {(c.id, c.reading): c for c in judge_claims([read_run(run) for run in runs])}


def verdicts(claims):
    return [claim.verdict for claim in claims.values()]


def test_both_readings_of_naive_are_told():
    named = [(claim.id, claim.reading) for claim in CLAIMS]
    assert named == [
        ("C1", "naive"),
        ("C1", "shared-trunk"),
        ("C2", "naive"),
        ("C2", "shared-trunk"),
        ("C3", None),
    ]


def test_clear_orderings_are_supported_and_their_opposites_refuted(tmp_path):
    claims = judged(tmp_path / "clear", CLEAR, teachers=3)
    assert verdicts(claims) == ["supported"] * 5
    assert claims["C3", None].parameter_ratio == pytest.approx(412_300 / 20_412)
    assert claims["C3", None].scope == "over 3 teachers"
    opposite = dict(zip(CLEAR, [2.4, 0.4, 1.2, 1.3, 0.1], strict=True))
    assert verdicts(judged(tmp_path / "opposite", opposite, teachers=3)) == ["refuted"] * 5


def test_one_teacher_decides_about_itself_and_not_about_teachers(tmp_path):
    claims = judged(tmp_path, CLEAR, seeds=3)
    assert verdicts(claims) == ["supported"] * 4 + ["no verdict"]
    assert claims["C1", "naive"].scope == "for this teacher"
    assert "3 independent teachers (1 here)" in claims["C3", None].why


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_runs_give_no_verdict_and_say_how_many_would(tmp_path, seeds):
    claim = judged(tmp_path, CLEAR, seeds=seeds)["C1", "naive"]
    assert claim.verdict == "no verdict"
    assert claim.comparisons[0].interval is not None
    assert f"3 independent runs ({seeds} here)" in claim.why
    assert "runs would decide" in claim.why


def test_a_handful_of_people_decides_nothing(tmp_path):
    claims = judged(tmp_path, CLEAR, teachers=3, identities=6)
    assert set(verdicts(claims)) == {"no verdict"}
    assert "10 test identities (6 here)" in claims["C3", None].why


def test_equal_methods_are_level(tmp_path):
    claims = judged(tmp_path, dict.fromkeys(CLEAR, 1.5), teachers=3)
    assert verdicts(claims) == ["level"] * 4 + ["supported"]  # the teacher's level is reached
    low, high = claims["C1", "naive"].comparisons[0].level_interval
    assert -ZONE < low <= high < ZONE


def test_a_missing_rung_leaves_its_readings_without_a_verdict(tmp_path):
    rungs = {name: s for name, s in CLEAR.items() if name != "shared-trunk"}
    claims = judged(tmp_path, rungs, teachers=3)
    assert verdicts(claims) == ["supported", "no verdict", "supported", "no verdict", "supported"]
    assert "a run of shared-trunk" in claims["C2", "shared-trunk"].why


def test_runs_of_another_teacher_are_not_paired(tmp_path):
    runs = [
        read_run(write_run(tmp_path, "spatial", seed=0, teacher_seed=0)),
        read_run(write_run(tmp_path, "naive", seed=0, teacher_seed=1)),
    ]
    claim = judge_claims(runs)[0]
    assert claim.verdict == "no verdict"
    assert claim.scope is None
    assert "with the same teacher and seed" in claim.why


def test_a_student_hardly_smaller_than_its_teacher_fails_the_third_claim(tmp_path):
    scores = frame_scores(1.5, 0, identities=30, frames=2)
    runs = [read_run(write_run(tmp_path, m, scores=scores)) for m in ("teacher", "two-in-one")]
    model = ModelInfo(params=3 * runs[1].params)
    runs[0] = Run(runs[0].folder, replace(runs[0].results, model=model))
    claim = judge_claims(runs)[-1]
    assert claim.verdict == "refuted"
    assert "below the 10 times" in claim.why


def test_a_difference_that_only_the_correction_leaves_undecided_says_so(tmp_path):
    # The committed experiment: 12 runs of 4 teachers, p = .03 and .12 after Holm.
    record = Path(__file__).parents[3] / "benchmarks" / "results" / "experiment" / "rendered"
    claims = {(claim.id, claim.reading): claim for claim in judge_claims(find_runs(record))}
    one, other = claims["C1", "shared-trunk"], claims["C2", "shared-trunk"]
    assert one.why.endswith("Without the correction it would be decided.")
    assert other.why.endswith("15 runs would decide.")
