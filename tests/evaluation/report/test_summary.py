"""The first screen's table."""

from pathlib import Path

from evaluation.comparison.ladder import build_ladder
from evaluation.comparison.run import find_runs
from evaluation.report.summary import summary_rungs
from records.measurements import Measurements
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
