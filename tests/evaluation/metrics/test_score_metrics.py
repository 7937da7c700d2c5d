import numpy as np
import pytest
from msgspec.structs import asdict
from sklearn.metrics import (
    balanced_accuracy_score,
    roc_auc_score,
)

from errors import InputError
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.score_metrics import binary_metrics, choose_threshold, evaluate_scores
from tests.support.ladder_on_disk import FORGERIES, frame_scores

HALF = {"frame": 0.5, "video": 0.5}
MINI = "mini-FaceForensics++ c23/test"


def test_constant_scores_are_chance():
    got = binary_metrics([0, 0, 1], [0.5, 0.5, 0.5], 0.5)
    assert (got.auc, got.eer, got.balanced_accuracy) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_threshold_is_the_best_of_a_sweep(decimals):
    rng = np.random.default_rng(decimals)
    labels = rng.permutation(np.repeat([0, 1], [20, 60]))
    scores = (rng.uniform(size=80) * 0.8 + 0.2 * labels).round(decimals)
    chosen = choose_threshold(labels, scores)
    sweep = [balanced_accuracy_score(labels, scores >= t) for t in np.unique(scores)]
    assert balanced_accuracy_score(labels, scores >= chosen) == pytest.approx(max(sweep))


def test_threshold_is_between_separable_classes_and_near_a_half_among_ties():
    assert choose_threshold([0, 0, 1, 1], [0.1, 0.2, 0.4, 0.9]) == pytest.approx(0.3)
    # 0.2 and 0.8 are equally good and equally far from a half.
    assert choose_threshold([0, 1, 0, 1], [0.1, 0.3, 0.7, 0.9]) == pytest.approx(0.2)
    assert choose_threshold([0, 1], [0.5, 0.5]) == 0.5
    neighbours = [0.5, np.nextafter(0.5, 1)]
    assert choose_threshold([0, 1], neighbours) == neighbours[1]


def test_threshold_needs_both_classes():
    with pytest.raises(InputError, match="expected both classes"):
        choose_threshold([1, 1], [0.2, 0.4])


def test_by_method_sets_each_fake_against_all_reals():
    scores = frame_scores(1.5, seed=0)
    metrics = evaluate_scores(scores, HALF)
    assert list(metrics) == [MINI, "mini-Celeb-DF-v2 release/test"]
    assert list(metrics[MINI].by_method) == list(FORGERIES)
    overall = metrics[MINI].overall
    assert (overall.video.real, overall.video.fake) == (12, 48)
    assert (overall.frame.real, overall.frame.fake) == (48, 192)
    videos = video_scores(scores)
    mine = videos[videos["method"].isin(["original", "FaceSwap"])]
    assert metrics[MINI].by_method["FaceSwap"].video.auc == pytest.approx(
        roc_auc_score(mine["label"], mine["score"]), abs=1e-12
    )


def test_fakes_of_four_methods_with_one_id_are_four_videos():
    videos = video_scores(frame_scores(1.0, seed=1))
    assert (videos["video"] == "000_001").sum() == len(FORGERIES)


def test_the_order_of_frames_does_not_matter():
    scores = frame_scores(1.0, seed=2)
    shuffled = scores.sample(frac=1.0, random_state=0)
    a, b = evaluate_scores(scores, HALF)[MINI], evaluate_scores(shuffled, HALF)[MINI]
    for level in ("frame", "video"):
        first, second = (asdict(getattr(test.overall, level)) for test in (a, b))
        intervals = [asdict(metrics.pop("intervals")) for metrics in (first, second)]
        assert first == pytest.approx(second, abs=1e-12)
        for one, other in zip(*(values.values() for values in intervals), strict=True):
            assert one == pytest.approx(other, abs=1e-12)


def test_reals_alone_are_evaluated_without_a_made_up_figure():
    scores = frame_scores(1.0, seed=5)
    metrics = evaluate_scores(scores[scores["label"] == 0], HALF)
    assert metrics[MINI].overall.video.auc is None
    assert metrics[MINI].by_method == {}


def test_two_people_are_one_unit_and_have_no_interval():
    scores = frame_scores(1.0, seed=5, identities=2)
    video = evaluate_scores(scores, HALF)[MINI].overall.video
    undefined = [name for name, value in asdict(video.intervals).items() if value is None]
    assert {"ap", "log_loss"} <= set(undefined)
