import pytest

from errors import InputError
from evaluation.comparison.reproduction import read_reproduction
from evaluation.comparison.run import find_runs, read_run
from tests.support.ladder_on_disk import frame_scores, write_ladder, write_run


def test_a_run_reads_back_as_it_was_written(tmp_path):
    run = read_run(write_run(tmp_path, "teacher", separation=2.0))
    assert (run.name, run.method, run.seed) == ("teacher-seed0", "teacher", 0)
    assert run.in_domain == "mini-FaceForensics++ c23/test"
    assert run.results.branches.keys() == {"spatial", "frequency"}
    assert set(run.videos["dataset"]) == {"mini-FaceForensics++"}
    assert "000_001" in set(run.videos["video"])  # not the number 1


def test_a_reproduction_finds_its_runs_inside_and_elsewhere(tmp_path):
    inside = write_run(tmp_path / "all", "student")
    elsewhere = write_run(tmp_path / "old", "spatial")
    write_ladder(tmp_path / "all", [inside, elsewhere])
    reproduction = read_reproduction(tmp_path / "all")
    assert [len(run.videos) for run in reproduction.runs] == [60, 60]
    assert reproduction.miniature
    assert [run.name for run in find_runs(tmp_path / "all")] == ["student-seed0"]


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no results\.json in it or one level below"):
        find_runs(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_runs(tmp_path / "nowhere")


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_scores_that_do_not_give_the_results_are_refused(tmp_path, kept):
    folder = write_run(tmp_path, "student")
    lines = (folder / "scores.csv").read_text().splitlines()
    (folder / "scores.csv").write_text("\n".join(lines[: int(kept * len(lines))]))
    with pytest.raises(InputError, match=r"scores\.csv: .* do not have the figures of results"):
        _ = read_run(folder).videos


def test_runs_that_do_not_belong_in_one_table_are_refused(tmp_path):
    mini = write_run(tmp_path / "mini", "student")
    full = write_run(tmp_path / "full", "spatial", scores=frame_scores(1.0, 0, mini=""))
    fewer = write_run(tmp_path / "few", "spatial", scores=frame_scores(1.0, 0, identities=8))
    again = write_run(tmp_path / "again", "student")
    for other, message in (
        (full, "expected one data set per table"),
        (fewer, "tested on 40 videos .* but .* on 60"),
        (again, "student with seed 0 is also in"),
    ):
        with pytest.raises(InputError, match=message):
            write_ladder(tmp_path / "report", [mini, other])
    assert not (tmp_path / "report").exists()
