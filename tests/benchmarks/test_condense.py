"""The tables to commit hold what results.json holds, and the scores to compute its intervals."""

import pandas as pd
import pytest

from benchmarks.condense import condense
from evaluation.comparison.run import read_run
from evaluation.metrics.bootstrap import auc_resamples, percentile_interval
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
        interval = percentile_interval(auc_resamples(own))
        assert interval == pytest.approx(run.video.intervals.auc, abs=1e-9)
        row = figures[(figures["run"] == run.name) & (figures["branch"] == "")].query(
            "test == @TEST and scope == 'overall' and level == 'video'"
        )
        assert row[["auc_low", "auc_high"]].to_numpy().tolist() == [
            pytest.approx(interval, rel=1e-4)
        ]
    assert set(figures["branch"]) == {"", "spatial", "frequency"}
