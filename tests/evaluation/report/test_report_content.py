"""What report.md, report.html and the terminal show."""

import io
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from cli.main import main
from evaluation.comparison import committed
from evaluation.comparison.reproduction import read_reproduction
from evaluation.formatting import EN_DASH
from evaluation.report.folder import find_crops, gather_reproduction
from evaluation.report.report import write_report
from evaluation.report.terminal import cost_tables, print_reproduction
from records.blocks import ExperimentClaims
from records.data_info import DataInfo
from records.files import write_record
from records.measurements import (
    Level,
    MethodRobustness,
    NetworkCost,
    Profile,
    Robustness,
    Timing,
    Timings,
    write_profile,
    write_robustness,
)
from records.provenance import Machine
from tests.support.ladder_on_disk import (
    MINIATURE,
    DrawnCrops,
    frame_scores,
    write_ladder,
    write_run,
)
from tests.support.runs import refused


@pytest.fixture
def copied(one_seed, tmp_path):
    return shutil.copytree(one_seed, tmp_path / "reproduction")


def markdown_of(folder):
    return write_report(read_reproduction(folder)).markdown.read_text(encoding="utf-8")


def page_of(folder):
    return write_report(read_reproduction(folder)).html.read_text(encoding="utf-8")


def row_of(text, method):
    return next(row for row in text.splitlines() if row.startswith(f"| {method} |"))


def test_markdown_starts_with_the_data_and_the_claims(one_seed, one_report):
    text = one_report.markdown.read_text(encoding="utf-8")
    banner = text.index("These are not FaceForensics++ figures")
    assert banner < text.index("| C1 (naive):") < text.index("## The ladder")
    assert text.index("## The ladder") < text.index("## Protocol")
    run = read_reproduction(one_seed).runs[-1]
    assert f"| {run.video_auc:.3f} |" in row_of(text, "two-in-one")
    assert "| · frequency branch alone |" in text
    assert "| Frames without a face | 8 |" in text
    assert "the figures are the same on the same kind of processor" in text
    table = text[text.index("| Method |") :].split("\n\n")[0].splitlines()
    assert len({row.count("|") for row in table}) == 1


def test_every_figure_of_the_tables_has_its_interval(one_report):
    text = one_report.markdown.read_text(encoding="utf-8")
    ladder, runs = (
        text[text.index(heading) :].split("\n\n")[0].splitlines()[2:]
        for heading in ("| Method |", "| Run |")
    )
    assert (len(ladder), len(runs)) == (7, 5)  # with the teacher's two branches
    figures = [row.split("|")[7:-1] for row in ladder] + [row.split("|")[2:-3] for row in runs]
    assert {len(cells) for cells in figures} == {8, 9}
    interval = re.compile(rf" \d\.\d{{3}} \(\d?\.\d\d{EN_DASH}\d?\.\d\d\) ")
    assert all(interval.fullmatch(cell) for cells in figures for cell in cells)
    assert all(
        re.fullmatch(rf" [\d.]{{5}}{EN_DASH}[\d.]{{5}} ", row.split("|")[6]) for row in ladder
    )


def test_a_miniature_is_labeled_without_a_data_block_as_well(copied):
    path = copied / "results.json"
    results = json.loads(path.read_text())
    results["data"] = {}
    path.write_text(json.dumps(results))
    for text in (page_of(copied), markdown_of(copied)):
        assert "not FaceForensics++ figures" in text
        assert "the release" not in text


def test_the_release_has_no_banner(tmp_path):
    folder = write_run(tmp_path, "student", scores=frame_scores(1.5, 0, mini=""))
    write_ladder(tmp_path, [folder], DataInfo(name="FaceForensics++"))
    text = page_of(tmp_path)
    assert "miniature" not in text
    assert "on FaceForensics++" in text
    assert "teachers <span" not in text  # a claim without a pair of runs has no scope


def test_the_ladder_shows_means_and_collapsed_runs(three_seeds):
    text = markdown_of(three_seeds)
    assert "| 1 of 3 |" in row_of(text, "student")
    assert "mean over the runs" in text
    aucs = [r.video_auc for r in read_reproduction(three_seeds).runs if r.method == "naive"]
    assert f"| {sum(aucs) / 3:.3f} |" in row_of(text, "naive")


def test_a_run_far_below_the_median_of_its_method_has_collapsed(tmp_path):
    strengths = {"student": (2, 2, 1), "spatial": (1, 1, 1)}  # AUC of about .92 and .77
    folders = [
        write_run(tmp_path, method, seed, scores=frame_scores(separation, 0))
        for method, separations in strengths.items()
        for seed, separation in enumerate(separations)
    ]
    write_ladder(tmp_path, folders)
    text = markdown_of(tmp_path)
    assert "| 1 of 3 |" in row_of(text, "student")
    assert "| 0 of 3 |" in row_of(text, "spatial")
    assert page_of(tmp_path).count("student-seed2 (collapsed)") == 1


def test_small_counts_are_noted(tmp_path):
    folder = write_run(tmp_path, "student", scores=frame_scores(1.5, 0, identities=6))
    write_ladder(tmp_path, [folder])
    text = markdown_of(tmp_path)
    assert "mini-FaceForensics++ c23/test: only 6 fake videos (Deepfakes)" in text
    assert "6 real videos" in text


def test_the_summary_includes_the_best_student_beside_the_claimed_methods(tmp_path):
    rungs = {"teacher": 2.6, "student": 1.0, "two-in-one": 1.5, "dedicated": 2.2, "frequency": 0.9}
    folders = [write_run(tmp_path, method, separation=s) for method, s in rungs.items()]
    write_ladder(tmp_path, folders)
    page = page_of(tmp_path)
    summary = page[page.index('class="ladder brief"') : page.index("</table>")]
    assert [method in summary for method in ("dedicated", "frequency")] == [True, False]


def test_a_report_needs_neither_fakes_nor_curves(tmp_path):
    scores = frame_scores(1.5, 0)
    folder = write_run(tmp_path, "student", scores=scores[scores["label"] == 0], curves=False)
    write_ladder(tmp_path, [folder])
    row = row_of(markdown_of(tmp_path), "student")
    assert "nan" not in row.lower()
    assert row.count(EN_DASH) >= 4


def test_the_same_runs_give_the_same_page(copied):
    reproduction, crops = read_reproduction(copied), DrawnCrops(frame_scores(1.0, 0))
    first = write_report(reproduction, crops).html.read_bytes()
    assert write_report(reproduction, crops).html.read_bytes() == first


def test_names_of_the_user_are_escaped(tmp_path):
    folder = write_run(tmp_path, "student")
    write_ladder(tmp_path, [folder], replace(MINIATURE, kind="<script>alert(1)</script>"))
    assert "<script>alert" not in page_of(tmp_path)


def test_the_terminal_shows_the_table_in_80_columns(one_seed, one_report):
    out = io.StringIO()
    print_reproduction(read_reproduction(one_seed), one_report, Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    for run in read_reproduction(one_seed).runs:
        assert any(run.method in line and f"{run.video_auc:.3f}" in line for line in lines)
    assert "mini-FaceForensics++ is a miniature" in out.getvalue()
    assert max(map(len, lines[:-2])) <= 80
    assert lines[-1].endswith("report.md")


@pytest.mark.slow
def test_the_command_reports_a_reproduction_and_a_set_of_runs(copied, tmp_path, capsys):
    main(["report", str(copied)])
    assert str(copied / "report.html") in capsys.readouterr().out
    chosen = [str(copied / "spatial-seed0"), str(copied / "naive-seed0")]
    for _ in range(2):  # the second time into a folder with a report
        main(["report", *chosen, f"--out={tmp_path / '[two]'}"])
    printed = capsys.readouterr().out
    assert "spatial" in printed
    assert str(tmp_path / "[two]" / "report.md") in printed
    main(["report", str(copied), f"--out={tmp_path / 'copy'}"])
    assert len(read_reproduction(tmp_path / "copy").runs) == 5


def test_a_reproduction_reported_into_another_folder_keeps_its_crop_store(
    copied, noise_crops, tmp_path
):
    path = copied / "results.json"
    results = json.loads(path.read_text())
    results["data"]["crop_store"] = os.path.relpath(noise_crops, copied)
    path.write_text(json.dumps(results))
    out = tmp_path / "further" / "away" / "report"
    for folder in (None, out):
        found = find_crops(gather_reproduction([copied], folder, any_protocol=False), None)
        assert found is not None
        assert found.root.resolve() == noise_crops.resolve()


def test_an_auc_of_zero_is_sorted_as_a_number(copied):
    line = MethodRobustness("student", [0], clean=Level(0.0, None), curves={})
    robustness = Robustness(
        test_set="mini-FaceForensics++ c23/test",
        split="test",
        manifest_sha256="0" * 64,
        crop_size=112,
        frames_per_video=8,
        aggregation="mean",
        corruptions={},
        checkpoints={},
        videos={"real": 1, "fake": 1},
        methods=[line],
        runs={"student-seed0": line},
    )
    write_robustness(copied, robustness)
    row = page_of(copied).partition('<td data-value="0">clean</td>')[2]
    assert row.startswith('<td data-value="0.0">0.000')


def test_what_was_not_exported_or_not_measured_is_named(copied):
    machine = Machine("Linux", "3.11.7", "x86_64", "AVX2", 2, [])
    timing = Timing("ms", 1.0, (1.0, 1.0), None)
    networks = [
        NetworkCost(
            methods=[method],
            runs=[f"{method}-seed0"],
            teacher=False,
            params=1,
            macs=1,
            input_size=64,
            checkpoint_bytes=1,
            onnx_bytes=None,
            onnx_difference=None,
            not_exported=f"no operator for {method}",
            forms={form: Timings(timing, timing) for form in forms},
        )
        for method, forms in (("mine", ["cpu eager"]), ("yours", ["cpu eager", "cpu onnx"]))
    ]
    profile = Profile(machine, 1, 1, networks, not_measured={"cuda onnx": "no such library"})
    assert len(tables := cost_tables(profile)) == 2
    assert tables[-1].caption == (
        "mine not exported: no operator for mine\nyours not exported: no operator for yours\n"
        "cuda onnx not measured: no such library"
    )
    write_profile(copied, profile)
    for text in (page_of(copied), markdown_of(copied)):
        assert "mine could not be exported: no operator for mine. yours could not be" in text
        assert "CUDA, exported was not measured: no such library." in text
        assert "CPU, exported" in text


def test_folders_that_cannot_hold_a_report_are_refused_in_one_line(copied, tmp_path, capfd):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("dear reader")
    (tmp_path / "file").write_text("")
    run = copied / "spatial-seed0"
    for folder, reason in (
        (tmp_path / "thesis", "holds chapter.tex, expected a new folder or a report"),
        (tmp_path / "file", "cannot be written (File exists)"),
        (tmp_path / "file" / "report", "cannot be written (Not a directory)"),
        (Path("/proc/report"), "cannot be written (No such file or directory)"),
    ):
        line = refused(["report", run, f"--out={folder}"], capfd)
        assert f"{folder}: {reason}" in line
        assert "choose another folder with --out" in line


def test_what_is_no_run_or_is_damaged_is_refused_in_one_line(copied, tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    assert "no results.json" in refused(["report", tmp_path / "empty"], capfd)
    assert "no such folder" in refused(["report", tmp_path / "nowhere"], capfd)
    assert not (tmp_path / "report").exists()
    (copied / "spatial-seed0" / "scores.csv").unlink()
    assert "scores.csv: no such file" in refused(["report", copied], capfd)
    path = copied / "results.json"
    path.write_text(path.read_text()[:500])
    assert "cut short" in refused(["report", copied], capfd)


def test_crops_that_are_missing_are_refused_in_one_line(copied, tmp_path, capfd):
    (copied / "report.html").unlink(missing_ok=True)
    line = refused(["report", copied, f"--crops={tmp_path / 'nowhere'}"], capfd)
    assert f"{tmp_path / 'nowhere'}" in line
    assert "no such file" in line
    assert not (copied / "report.html").exists()


@pytest.mark.slow
def test_no_verdict_stands_beside_what_the_committed_experiment_found(
    one_seed, three_seeds, tmp_path, monkeypatch
):
    shutil.copytree(one_seed, tmp_path / "one")
    path = tmp_path / "one" / "results.json"
    results = json.loads(path.read_text())
    results["data"]["recipe"] = "abc"
    path.write_text(json.dumps(results))
    assert "The committed experiment" not in page_of(tmp_path / "one")  # there is no such file
    found = read_reproduction(three_seeds)
    record = ExperimentClaims(
        data=replace(found.data, recipe="abc"),
        epochs=60,
        claims=found.claims,
        blocks=[],
        dropped=[],
        judged=[12, 16],
    )
    write_record(tmp_path / "experiment.json", record)
    monkeypatch.setattr(committed, "COMMITTED", tmp_path / "experiment.json")
    page, text = page_of(tmp_path / "one"), markdown_of(tmp_path / "one")
    for shown in (page, text):
        assert (
            "ommitted experiment (16 runs of 60 epochs, teachers: 1, test identities: 12)" in shown
        )
    assert page.count('<span class="verdict no">no verdict</span>') == 5
    shutil.copytree(three_seeds, tmp_path / "three")
    undecided = json.loads((tmp_path / "three" / "results.json").read_text())
    undecided["data"]["recipe"] = "abc"
    (tmp_path / "three" / "results.json").write_text(json.dumps(undecided))
    verdicts = [claim["verdict"] == "no verdict" for claim in undecided["claims"][:2]]
    assert verdicts == [False, True]  # of one claim's readings
    assert page_of(tmp_path / "three").count("The committed experiment") == 3
    results["data"]["recipe"] = "another"
    path.write_text(json.dumps(results))
    assert "The committed experiment" not in page_of(tmp_path / "one")


@pytest.mark.slow
def test_a_ladder_extended_after_a_look_says_so(copied):
    assert "Extended after a look" not in page_of(copied)
    runs = [run.folder for run in read_reproduction(copied).runs]
    write_ladder(copied, runs)  # judged again, with the same runs
    assert "Extended after a look" not in page_of(copied)
    write_ladder(copied, [*runs, write_run(copied, "frequency", separation=1.5)])
    for text in (page_of(copied), markdown_of(copied)):
        assert "judged with 5, then 6 runs" in text
