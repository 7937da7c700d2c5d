"""The tables to commit hold what results.json holds, and the scores to compute its intervals."""

import pandas as pd
import pytest

from benchmarks.condense import condense
from evaluation.comparison.run import read_run
from evaluation.metrics.spread import spread_of
from records.identities import IdentityUnits
from records.measurements import (
    CorruptionLevels,
    Curve,
    Level,
    MethodRobustness,
    Robustness,
    write_robustness,
)
from records.scores import VIDEO_KEY
from tests.support.ladder_on_disk import frame_scores, write_ladder, write_run

TEST = "mini-FaceForensics++ c23/test"


def test_the_intervals_can_be_computed_again_from_the_committed_scores(tmp_path) -> None:
    folders = [
        write_run(tmp_path, method, scores=frame_scores(separation, 0))
        for method, separation in {"teacher": 2.0, "student": 1.0}.items()
    ]
    write_ladder(tmp_path, folders)
    condense(tmp_path, tmp_path / "tables")
    scores = pd.read_csv(tmp_path / "tables" / "scores.csv.gz", dtype=dict.fromkeys(VIDEO_KEY, str))
    figures = pd.read_csv(tmp_path / "tables" / "runs.csv", keep_default_na=False)
    for run in map(read_run, folders):
        own = scores[scores["dataset"] == "mini-FaceForensics++"].assign(score=scores[run.name])
        spread = spread_of(own, 0.5, IdentityUnits(own["video"]), ["auc"])
        interval = spread.interval("auc", run.video_auc)
        assert interval == pytest.approx(run.video.intervals.auc, abs=1e-9)
        row = figures[(figures["run"] == run.name) & (figures["branch"] == "")].query(
            "test == @TEST and scope == 'overall' and level == 'video'"
        )
        assert row[["auc_low", "auc_high"]].to_numpy().tolist() == [
            pytest.approx(interval, rel=1e-4)
        ]
    assert set(figures["branch"]) == {"", "spatial", "frequency"}


def test_robustness_is_a_row_per_method_or_run_corruption_and_level(tmp_path) -> None:
    scores = frame_scores(1.0, 0, identities=4, frames=1)
    write_ladder(tmp_path, [write_run(tmp_path, "student", seed=2, scores=scores)])
    curve = Curve([Level(0.8, (0.7, 0.9)), Level(0.6, None)], Level(0.7, (0.6, 0.8)))
    line = MethodRobustness("student", [2], Level(0.9, (0.8, 1.0)), {"blur": curve})
    robustness = Robustness(
        test_set=TEST,
        split="test",
        manifest_sha256="0" * 64,
        crop_size=64,
        aggregation="mean",
        corruptions={"blur": CorruptionLevels("deviation", [0.5, 1.0])},
        checkpoints={},
        videos={"real": 4, "fake": 16},
        methods=[line],
        runs={"student-seed2": line},
    )
    write_robustness(tmp_path, robustness)
    condense(tmp_path, tmp_path / "tables")
    table = pd.read_csv(tmp_path / "tables" / "robustness.csv", keep_default_na=False, dtype=str)
    assert table["seed"].tolist() == ["median"] * 4 + ["2"] * 4
    assert table["level"].tolist() == ["", "0.5", "1", "mean"] * 2
    assert table.loc[2, ["auc", "low", "high"]].tolist() == ["0.6", "", ""]
