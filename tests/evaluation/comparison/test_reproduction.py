import json

import pandas as pd
import pytest

from errors import InputError
from evaluation.comparison.reproduction import read_reproduction, write_reproduction
from evaluation.comparison.run import find_runs, read_run
from records.protocol import KEYS
from records.results import write_results
from records.scores import read_scores
from tests.support.ladder_on_disk import frame_scores, write_run

WHOLE = {
    "version": 2,
    "run": {"name": "a", "method": "b", "seed": 0, "test_passes": 1},
    "model": {"params": 1},
    "protocol": dict.fromkeys(KEYS, ""),
}


def test_a_run_reads_back_as_it_was_written(tmp_path):
    run = read_run(write_run(tmp_path, "teacher", separation=2.0))
    assert (run.name, run.method, run.seed) == ("teacher-seed0", "teacher", 0)
    assert run.in_domain == "mini-FaceForensics++ c23/test"
    assert run.results["branches"].keys() == {"spatial", "frequency"}
    assert set(run.videos["dataset"]) == {"mini-FaceForensics++"}
    assert "000_001" in set(run.videos["video"])  # not the number 1


def test_a_reproduction_finds_its_runs_inside_and_elsewhere(tmp_path):
    inside = write_run(tmp_path / "all", "student")
    elsewhere = write_run(tmp_path / "old", "spatial")
    write_reproduction(tmp_path / "all", [inside, elsewhere], {"name": "mini-FaceForensics++"})
    reproduction = read_reproduction(tmp_path / "all")
    assert [len(run.videos) for run in reproduction.runs] == [60, 60]
    assert reproduction.miniature
    assert [run.name for run in find_runs(tmp_path / "all")] == ["student-seed0"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"version": 2, "run": {"na', "cut short or not JSON"),
        ('{"version": 1, "run": {}}', "version 1, expected version 2"),
        ('{"accuracy": 1.0}', "version none, expected version 2"),
        ("[1, 2]", "holds no JSON object"),
        ('{"version": 2, "run": {}}', r"no run\.name"),
        (json.dumps({**WHOLE, "protocol": {"dataset": "c"}}), r"no protocol\.compression"),
        (json.dumps({**WHOLE, "metrics": {"c raw/test": {}}}), r"no metrics of c raw/test"),
    ],
)
def test_what_is_no_results_file_is_told_in_one_line(tmp_path, content, message):
    (tmp_path / "results.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        find_runs(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no results\.json in it or one level below"):
        find_runs(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_runs(tmp_path / "nowhere")


def test_undefined_figures_are_null_and_nan_is_refused(tmp_path):
    write_results(tmp_path / "results.json", {"auc": None})
    assert json.loads((tmp_path / "results.json").read_text()) == {"version": 2, "auc": None}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results(tmp_path / "results.json", {"auc": float("nan")})
    assert json.loads((tmp_path / "results.json").read_text())["auc"] is None


def test_scores_are_refused_when_missing_or_foreign(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_scores(tmp_path / "scores.csv")
    pd.DataFrame({"score": [1.0]}).to_csv(tmp_path / "scores.csv")
    with pytest.raises(InputError, match="not a table of dataset, compression"):
        read_scores(tmp_path / "scores.csv")


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_scores_that_do_not_give_the_results_are_refused(tmp_path, kept):
    folder = write_run(tmp_path, "student")
    lines = (folder / "scores.csv").read_text().splitlines()
    (folder / "scores.csv").write_text("\n".join(lines[: int(kept * len(lines))]))
    with pytest.raises(InputError, match=r"scores\.csv: .* do not give the figures of results"):
        _ = read_run(folder).videos


def test_runs_that_do_not_belong_in_one_table_are_refused(tmp_path):
    mini = write_run(tmp_path / "mini", "student")
    full = write_run(tmp_path / "full", "spatial", scores=frame_scores(1.0, 0, mini=""))
    fewer = write_run(tmp_path / "few", "spatial", scores=frame_scores(1.0, 0, identities=8))
    again = write_run(tmp_path / "again", "student")
    for other, message in (
        (full, "expected one data set in a table"),
        (fewer, "tested on 40 videos .* but .* on 60"),
        (again, "student with seed 0 is also in"),
    ):
        with pytest.raises(InputError, match=message):
            write_reproduction(tmp_path / "report", [mini, other], {})
    assert not (tmp_path / "report").exists()
