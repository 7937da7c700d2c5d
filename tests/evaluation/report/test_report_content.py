import io
import json
import re
import shutil

import pytest
from jsonargparse import auto_cli
from msgspec.structs import replace
from rich.console import Console

from cli.report import print_ladder, report
from errors import InputError
from evaluation.comparison.reproduction import read_reproduction
from evaluation.formatting import EN_DASH
from evaluation.report.report import write_report
from records.data_info import DataInfo
from tests.support.ladder_on_disk import (
    MINIATURE,
    DrawnCrops,
    frame_scores,
    write_ladder,
    write_run,
)


@pytest.fixture
def copied(one_seed, tmp_path):
    return shutil.copytree(one_seed, tmp_path / "reproduction")


def test_markdown_begins_with_the_data_and_the_answer(one_seed, one_report):
    text = one_report.markdown.read_text(encoding="utf-8")
    banner = text.index("These are not FaceForensics++ figures")
    assert banner < text.index("| C1:") < text.index("## The ladder")
    assert text.index("## The ladder") < text.index("## How it was measured")
    run = read_reproduction(one_seed).runs[-1]
    line = next(row for row in text.splitlines() if row.startswith("| two-in-one |"))
    assert f"| {run.video_auc:.3f} |" in line
    assert "| · frequency branch alone |" in text
    assert "FaceSwap/003_004 (c23): frames 0, 7" in text
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


def test_a_miniature_is_named_even_where_the_data_block_forgets_it(copied):
    path = copied / "results.json"
    results = json.loads(path.read_text())
    results["data"] = {}
    path.write_text(json.dumps(results))
    paths = write_report(read_reproduction(copied))
    for page in (paths.html, paths.markdown):
        assert "not FaceForensics++ figures" in page.read_text(encoding="utf-8")


def test_the_release_gets_no_banner(tmp_path):
    folder = write_run(tmp_path, "student", scores=frame_scores(1.5, 0, mini=""))
    reproduction = write_ladder(tmp_path, [folder], DataInfo(name="FaceForensics++"))
    text = write_report(reproduction).html.read_text(encoding="utf-8")
    assert "miniature" not in text
    assert "on FaceForensics++" in text


def test_medians_and_collapsed_runs_are_told(three_seeds):
    text = write_report(read_reproduction(three_seeds)).markdown.read_text(encoding="utf-8")
    assert "| 1 of 3 |" in next(row for row in text.splitlines() if row.startswith("| student |"))
    assert "median over the seeds" in text
    aucs = sorted(r.video_auc for r in read_reproduction(three_seeds).runs if r.method == "naive")
    assert f"| {aucs[1]:.3f} |" in next(r for r in text.splitlines() if r.startswith("| naive |"))


def test_small_counts_are_said(tmp_path):
    folder = write_run(tmp_path, "student", scores=frame_scores(1.5, 0, identities=6))
    reproduction = write_ladder(tmp_path, [folder], MINIATURE)
    text = write_report(reproduction).markdown.read_text(encoding="utf-8")
    assert "mini-FaceForensics++ c23/test: only 6 fake videos (Deepfakes)" in text
    assert "6 real videos" in text


def test_the_best_student_stands_in_the_answer_whatever_the_claims_are_about(tmp_path):
    rungs = {"teacher": 2.6, "student": 1.0, "two-in-one": 1.5, "dedicated": 2.2, "frequency": 0.9}
    folders = [write_run(tmp_path, method, separation=s) for method, s in rungs.items()]
    reproduction = write_ladder(tmp_path, folders, MINIATURE)
    page = write_report(reproduction).html.read_text()
    answer = page[page.index('class="ladder brief"') : page.index("</table>")]
    assert [method in answer for method in ("dedicated", "frequency")] == [True, False]


def test_reals_alone_and_no_curves_still_make_a_report(tmp_path):
    scores = frame_scores(1.5, 0)
    folder = write_run(tmp_path, "student", scores=scores[scores["label"] == 0], curves=False)
    reproduction = write_ladder(tmp_path, [folder], MINIATURE)
    row = next(
        row
        for row in write_report(reproduction).markdown.read_text(encoding="utf-8").splitlines()
        if row.startswith("| student |")
    )
    assert "nan" not in row.lower()
    assert row.count("\N{EN DASH}") >= 4


def test_the_same_runs_give_the_same_page(copied):
    crops = DrawnCrops(frame_scores(1.0, 0))
    first = write_report(read_reproduction(copied), crops).html.read_bytes()
    assert write_report(read_reproduction(copied), crops).html.read_bytes() == first


def test_names_of_the_user_are_escaped(tmp_path):
    folder = write_run(tmp_path, "student")
    reproduction = write_ladder(
        tmp_path, [folder], replace(MINIATURE, kind="<script>alert(1)</script>")
    )
    assert "<script>alert" not in write_report(reproduction).html.read_text(encoding="utf-8")


def test_the_terminal_shows_the_table_in_80_columns(one_seed, one_report):
    out = io.StringIO()
    print_ladder(read_reproduction(one_seed), one_report, Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    for run in read_reproduction(one_seed).runs:
        assert any(run.method in line and f"{run.video_auc:.3f}" in line for line in lines)
    assert "mini-FaceForensics++ is a miniature" in out.getvalue()
    assert lines[-1].endswith("report.md")


def test_the_command_reports_a_reproduction_and_a_set_of_runs(copied, tmp_path, capsys):
    auto_cli(report, args=[f"[{copied}]"], as_positional=True)
    assert str(copied / "report.html") in capsys.readouterr().out
    chosen = [copied / "spatial-seed0", copied / "naive-seed0"]
    report(chosen, tmp_path / "two")
    report(chosen, tmp_path / "two")  # a second time into its own folder
    assert "spatial" in capsys.readouterr().out
    assert (tmp_path / "two" / "report.md").is_file()
    report([copied], tmp_path / "copy")
    assert len(read_reproduction(tmp_path / "copy").runs) == 5


def test_the_command_refuses_what_it_cannot_report(copied, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("dear reader")
    with pytest.raises(InputError, match="holds something else"):
        report([copied / "spatial-seed0"], tmp_path / "thesis")
    with pytest.raises(InputError, match=r"no results\.json"):
        report([tmp_path / "thesis"])
    with pytest.raises(InputError, match="none given"):
        report([])
    path = copied / "results.json"
    path.write_text(path.read_text()[:500])
    with pytest.raises(InputError, match="cut short"):
        report([copied])
