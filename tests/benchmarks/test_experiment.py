"""The tables beside an experiment's claims are those of its runs."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks.experiment import experiment
from evaluation.comparison.run import find_runs
from tests.support.ladder_on_disk import frame_scores, write_run

TEST = "mini-FaceForensics++ c23/test"
LIKE_ITS_BRANCH = frame_scores(1.2, seed=7)  # the scores of every teacher's spatial branch


@pytest.mark.slow
def test_the_tables_are_those_of_the_runs(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    for teacher in (0, 1):
        write_run(folder, "teacher", teacher, separation=2.5, teacher_seed=teacher)
        for seed in (2 * teacher, 2 * teacher + 1):
            write_run(folder, "student", seed, teacher_seed=teacher)
            write_run(folder, "dedicated", seed, separation=2, teacher_seed=teacher)
            write_run(folder, "spatial", seed, scores=LIKE_ITS_BRANCH, teacher_seed=teacher)
    alone = [write_run(tmp_path, "rgb", seed, 1.0, teacher_seed=seed) for seed in (0, 1)]
    experiment(folder, alone)
    found = json.loads((tmp_path / "runs.json").read_text())
    runs = {run.name: run for run in find_runs(folder)}

    students = [runs[f"student-seed{seed}"].video_auc for seed in range(4)]
    spread = found["rungs"]["student"][TEST]
    assert (spread["runs"], spread["lowest"]) == (4, pytest.approx(min(students), abs=1e-4))
    assert spread["interval"][0] < spread["mean"] < spread["interval"][1]
    assert found["video_auc_of_runs"]["student"]["all"] == pytest.approx(students, abs=1e-4)
    assert found["differences"][TEST]["dedicated - student"]["pairs"] == 4

    teacher = runs["teacher-seed1"]
    aucs = [teacher.figure("auc", TEST, branch=branch) for branch in (None, "spatial", "frequency")]
    heads = found["teacher"]["all"]
    assert [heads["video_auc"][h][1] for h in ("fused", "spatial", "frequency")] == pytest.approx(
        aucs, abs=1e-4
    )
    low, high = heads["fused - spatial"]["interval"]
    assert low < heads["fused - spatial"]["mean"] < high
    rgb = np.array([find_runs(path)[0].video_auc for path in alone])
    fused = np.array([runs[f"teacher-seed{seed}"].video_auc for seed in (0, 1)])
    assert heads["fused - rgb"]["mean"] == pytest.approx((fused - rgb).mean(), abs=1e-4)
    assert set(found["teacher"]) == {"all", *found["video_auc_by_forgery"]["student"]}

    ranks = found["rank_correlation"]
    assert ranks["teacher"]["fused"] == ranks["spatial"]["spatial"] == 1
    by_class = [
        spearmanr(videos["score"], branch[videos.index]).statistic
        for seed in range(4)
        for branch in [runs[f"teacher-seed{seed // 2}"].scored(TEST, branch="spatial")["score"]]
        for _, videos in runs[f"student-seed{seed}"].scored(TEST).groupby("label")
    ]
    assert ranks["student"]["spatial"] == pytest.approx(sum(by_class) / 8, abs=1e-3)
