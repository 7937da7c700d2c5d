"""`two-in-one compare`: the table of a report in the terminal, and paired differences."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from evaluation.comparison.differences import paired_difference
from evaluation.comparison.run import read_run
from evaluation.formatting import MISSING
from tests.support.ladder_on_disk import frame_scores, write_run
from tests.support.runs import refused

MINI = "mini-FaceForensics++ c23/test"
SIZE = {"identities": 20, "frames": 2}


def compared(capsys, *argv: object) -> str:
    capsys.readouterr()
    main(["compare", *map(str, argv)])
    return capsys.readouterr().out


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    for seed in range(3):
        for method, separation in (("student", 0.6), ("spatial", 2.4)):
            scores = frame_scores(separation, seed, **SIZE)
            write_run(tmp_path / "runs", method, seed, scores=scores)
    return tmp_path / "runs"


def test_the_table_and_the_paired_differences_are_printed(seeds: Path, capsys) -> None:
    printed = compared(capsys, *sorted(seeds.iterdir(), reverse=True))
    pairs = [
        (read_run(seeds / f"spatial-seed{s}"), read_run(seeds / f"student-seed{s}"))
        for s in range(3)
    ]
    difference = np.mean([a.video_auc - b.video_auc for a, b in pairs])
    line = next(row for row in printed.splitlines() if "higher" in row)
    assert f"{difference:+.3f}" in line
    assert line.rstrip().endswith("higher")
    assert "spatial, 3 pairs" in printed
    assert "mean over runs" in printed
    assert f"{np.mean([run.video_auc for run, _ in pairs]):.3f}" in printed


def test_a_folder_of_runs_is_compared_with_its_teacher(seeds: Path, capsys) -> None:
    write_run(seeds, "teacher", scores=frame_scores(3.0, 0, **SIZE))
    assert "minus that of teacher, paired" in compared(capsys, seeds)


def test_a_test_that_one_run_lacks_is_a_dash(tmp_path: Path, capsys) -> None:
    scores = frame_scores(1.0, 0, **SIZE)
    here = write_run(tmp_path, "student", scores=scores[scores["compression"] == "c23"])
    both = write_run(tmp_path, "naive", scores=scores)
    printed = compared(capsys, both, here)
    other = printed[printed.index("on other data") :].split("minus that of")[0]
    assert next(row for row in other.splitlines() if "student" in row).split() == [
        "student",
        MISSING,
    ]


def test_two_folders_of_seeds_are_paired_by_seed(tmp_path: Path, capsys) -> None:
    for name, separation in (("[old]", 1.0), ("[new]", 1.2)):
        for seed in range(2):
            write_run(
                tmp_path / name, "student", seed, scores=frame_scores(separation, seed, **SIZE)
            )
    printed = compared(capsys, tmp_path / "[old]", tmp_path / "[new]")
    assert "minus that of [old]/student" in printed
    assert "[new]/student, 2 pairs" in printed


def test_two_runs_of_one_method_and_seed_are_printed_apart_by_their_folders(
    tmp_path: Path, capsys
) -> None:
    runs = [
        write_run(tmp_path / name, "student", scores=frame_scores(s, 0, **SIZE))
        for name, s in (("old", 1.0), ("new", 1.2))
    ]
    printed = compared(capsys, *runs)
    assert "one pair" in printed
    assert "old/student" in printed
    assert "new/student" in printed


def test_a_difference_is_paired_and_its_interval_is_over_runs_and_people(seeds: Path) -> None:
    better, worse = (
        [read_run(seeds / f"{method}-seed{s}") for s in range(3)]
        for method in ("spatial", "student")
    )
    forth = paired_difference(list(zip(better, worse, strict=True)), MINI)
    back = paired_difference(list(zip(worse, better, strict=True)), MINI)
    assert forth.mean == pytest.approx(-back.mean)
    assert (forth.runs, forth.teachers, forth.people) == (3, 1, 20)
    low, high = forth.interval(0.95)
    assert 0 < low < forth.mean < high
    assert back.interval(0.95) == pytest.approx((-high, -low))
    same = paired_difference([(better[0], better[0])], MINI, "FaceSwap")
    assert (same.mean, same.interval(0.95)) == (0, (0, 0))


def test_runs_of_different_protocols_are_refused_and_the_difference_is_named(
    tmp_path: Path, capsys
) -> None:
    first = write_run(tmp_path, "student", scores=frame_scores(1.0, 0, **SIZE))
    other = write_run(
        tmp_path, "spatial", scores=frame_scores(1.0, 0, **SIZE), protocol={"frames_per_video": 32}
    )
    line = refused(["compare", first, other], capsys)
    assert "frames per video: 8 (student-seed0) against 32 (spatial-seed0)" in line
    assert "--any_protocol" in line
    assert "protocols differ in frames per video" in compared(
        capsys, first, other, "--any_protocol"
    )
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["report", str(first), str(other), f"--out={tmp_path / 'report'}"])
    assert "frames per video" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_few_videos_and_identities_are_reported(tmp_path: Path, capsys) -> None:
    few = {"identities": 6, "frames": 2}
    scores = frame_scores(1.0, 0, **few)
    runs = [write_run(tmp_path, method, scores=scores) for method in ("student", "naive")]
    printed = compared(capsys, *runs)
    assert "6 identities" in printed
    assert "6 real videos" in printed


def test_one_class_is_reported(tmp_path: Path, capsys) -> None:
    scores = frame_scores(1.0, 0, **SIZE)
    fakes = scores[scores["label"] == 1]
    runs = [write_run(tmp_path, method, scores=fakes) for method in ("student", "naive")]
    printed = compared(capsys, *runs)
    assert "one class only" in printed
    assert "0 real videos" in printed


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path, capsys) -> None:
    run = write_run(tmp_path, "student", scores=frame_scores(1.0, 0, **SIZE))
    fewer = write_run(tmp_path, "naive", scores=frame_scores(1.0, 0, identities=12, frames=2))
    assert "two or more" in refused(["compare", run], capsys)
    assert "expected the same videos" in refused(["compare", run, fewer], capsys)
    assert "no such folder" in refused(["compare", run, tmp_path / "nowhere"], capsys)
    test = "FaceForensics++ c40/test"
    assert f"expected {test}" in refused(["compare", run, fewer, f"--test={test}"], capsys)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


def replace_text(old: str, new: str) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return replace


def without(path: Path) -> None:
    path.unlink()


def dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("gone"))


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00\x01")


def with_row(cells: str) -> Callable[[Path], None]:
    """Replace label, split, frame and score of the first row."""

    def change(path: Path) -> None:
        lines = path.read_text().splitlines()
        key = lines[1].split(",")[:6]
        path.write_text("\n".join([lines[0], ",".join([*key, cells]), *lines[2:]]))

    return change


def repeat_row(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]))


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("results.json", without, "no results.json in it or one level below"),
        ("results.json", cut, "cut short or not JSON"),
        ("results.json", binary, "not UTF-8"),
        ("results.json", dangling_link, "a link to a file that does not exist"),
        ("results.json", fifo, "not a regular file"),
        ("results.json", folder, "a folder, expected test results of version 4"),
        ("results.json", replace_text('"version": 4', '"version": 3'), "at `$.version`"),
        ("results.json", replace_text('"seed": 0', '"seed": "0"'), "got `str` - at `$.run.seed`"),
        ("results.json", replace_text('"params"', '"parms"'), "missing required field `params`"),
        ("results.json", replace_text('"dataset"', '"set"'), "missing required field `dataset`"),
        ("results.json", replace_text('"auc"', '"acu"'), "missing required field `auc`"),
        (
            "results.json",
            replace_text('"compression": "c23"', '"compression": "raw"'),
            "trained for",
        ),
        ("results.json", replace_text('"auc": 0.', '"auc": 0.1'), "do not have the figures"),
        ("results.json", replace_text('"FaceSwap": {', '"Swap": {'), "0 fake frames of Swap that"),
        ("scores.csv", without, "no such file"),
        ("scores.csv", cut, "scores.csv"),
        ("scores.csv", binary, "not UTF-8"),
        ("scores.csv", dangling_link, "a link to a file that does not exist"),
        ("scores.csv", fifo, "not a regular file"),
        ("scores.csv", repeat_row, "counted twice"),
        ("scores.csv", with_row("0,test,0,"), "not finite"),
        ("scores.csv", with_row("0,test,0,nan"), "not finite"),
        ("scores.csv", with_row("0,test,0,1.01"), "outside 0 to 1"),
        ("scores.csv", with_row("7,test,0,0.5"), "a label other than 0 or 1"),
        ("scores.csv", with_row("1,test,0,0.5"), "another label than their video"),
        ("scores.csv", with_row("real,test,0,0.5"), "expected a table of dataset"),
        ("scores.csv", replace_text(",score", ",scores"), "expected a table of dataset"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, capsys, file: str, damage: Callable[[Path], None], message: str
) -> None:
    runs = [
        write_run(tmp_path, method, scores=frame_scores(1.0, 0, identities=4, frames=2))
        for method in ("student", "naive")
    ]
    damage(runs[1] / file)
    line = refused(["compare", *runs], capsys)
    assert str(runs[1]) in line
    assert message in line
