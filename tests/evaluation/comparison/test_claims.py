import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats
from sklearn.metrics import roc_auc_score

from evaluation.comparison.claims import judge_claims
from evaluation.comparison.run import Run, read_run
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.bootstrap import auc_resamples, percentile_interval
from records.identities import identity
from records.results import ModelInfo
from tests.support.ladder_on_disk import frame_scores, write_run


def judged(root, separations, seeds=1, identities=30):
    """Judge runs with the given separations; methods share their noise, so runs are paired."""
    size = {"identities": identities, "frames": 2}
    runs = [
        read_run(write_run(root, method, seed, scores=frame_scores(s + 0.02 * seed, seed, **size)))
        for method, s in separations.items()
        for seed in range(1 if method == "teacher" else seeds)
    ]
    return {claim.id: claim for claim in judge_claims(runs)}


def test_identity_is_the_target():
    names = ("071", "071_054", "id0_0000", "id0_id1_0000", "00170", "01_02__scene__ID")
    assert [identity(name) for name in names] == ["071", "071", "id0", "id0", "00170", "01"]


def test_resampled_auc_is_that_of_the_repeated_videos():
    videos = video_scores(frame_scores(1.0, seed=0))
    videos = videos[videos["dataset"] == "mini-FaceForensics++"].reset_index(drop=True)
    videos["score"] = videos["score"].round(1)  # ties
    people = sorted({identity(video) for video in videos["video"]})
    draw = np.random.default_rng(0).multinomial(len(people), np.full(12, 1 / 12), size=1000)[5]
    weight = videos["video"].map(lambda video: draw[people.index(identity(video))])
    repeated = videos.loc[videos.index.repeat(weight)]
    expected = roc_auc_score(repeated["label"], repeated["score"])
    assert auc_resamples(videos)[5] == pytest.approx(expected, abs=1e-12)


def test_one_class_has_no_interval():
    videos = video_scores(frame_scores(1.0, seed=0))
    assert percentile_interval(auc_resamples(videos[videos["label"] == 1])) is None


def test_clear_orderings_are_supported_and_their_opposites_not(tmp_path):
    clear = {"teacher": 2.0, "spatial": 1.2, "naive": 0.4, "two-in-one": 2.4}
    claims = judged(tmp_path / "clear", clear)
    assert [claims[c].verdict for c in ("C1", "C2", "C3")] == ["supported"] * 3
    assert claims["C3"].parameter_ratio == pytest.approx(412_300 / 20_412)
    opposite = {"teacher": 2.4, "spatial": 0.4, "naive": 1.2, "two-in-one": 0.1}
    claims = judged(tmp_path / "opposite", opposite)
    assert [claims[c].verdict for c in ("C1", "C2", "C3")] == ["not supported"] * 3


def test_a_handful_of_people_decides_nothing(tmp_path):
    clear = {"teacher": 2.0, "spatial": 1.2, "naive": 0.4, "two-in-one": 2.4}
    claims = judged(tmp_path, clear, identities=6)
    assert {claim.verdict for claim in claims.values()} == {"undecided"}
    assert "Fewer than 10 test identities" in claims["C3"].why


def test_equal_methods_leave_a_difference_undecided_but_the_level_reached(tmp_path):
    claims = judged(tmp_path, {"teacher": 1.5, "spatial": 1.5, "naive": 1.5, "two-in-one": 1.5})
    assert claims["C1"].verdict == claims["C2"].verdict == "undecided"
    assert claims["C3"].verdict == "supported"


def test_one_seed_names_what_its_interval_covers(tmp_path):
    claim = judged(tmp_path, {"spatial": 1.5, "naive": 1.0})["C1"]
    assert claim.interval_over == "test identities"
    assert claim.seeds == [0]
    assert "30 test identities" in claim.why
    assert "with one seed the spread" in claim.why


def test_over_seeds_the_interval_is_students_of_paired_differences(tmp_path):
    claim = judged(tmp_path, {"spatial": 1.6, "naive": 1.0}, seeds=3)["C1"]
    differences = np.array(claim.differences)
    low, high = stats.t.interval(0.95, 2, loc=differences.mean(), scale=stats.sem(differences))
    assert claim.interval == pytest.approx((low, high))
    assert claim.mean == pytest.approx(differences.mean())
    assert claim.interval_over == "seeds"
    assert claim.identities_interval is not None


def test_one_teacher_is_compared_with_every_seed(tmp_path):
    claim = judged(tmp_path, {"teacher": 2.0, "two-in-one": 1.5}, seeds=3)["C3"]
    assert claim.seeds == [0, 1, 2]


def test_a_missing_rung_leaves_its_claims_undecided(tmp_path):
    claims = judged(tmp_path, {"spatial": 1.5, "naive": 1.0})
    assert claims["C2"].verdict == "undecided"
    assert claims["C2"].mean is None
    assert "two-in-one" in claims["C2"].why


def test_a_student_hardly_smaller_than_its_teacher_fails_the_third_claim(tmp_path):
    scores = frame_scores(1.5, 0, identities=30, frames=2)
    runs = [read_run(write_run(tmp_path, m, scores=scores)) for m in ("teacher", "two-in-one")]
    model = ModelInfo(params=3 * runs[1].params)
    runs[0] = Run(runs[0].folder, replace(runs[0].results, model=model))
    claim = judge_claims(runs)[2]
    assert claim.verdict == "not supported"
    assert "below the 10 times" in claim.why
